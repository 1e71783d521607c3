"""Builds the documentation into a static site: ``make docs``. A dead link, a dead anchor or a page left out fails it.

``--links`` asks for every external address instead, which needs a network; without it they are only listed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]


def main() -> int:
    """Build everything anew, since what was read before is not checked again; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--source", type=Path, default=ROOT, metavar="DIR", help="the repository")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", metavar="DIR", help="default: build/site")
    parser.add_argument("--links", action="store_true", help="ask for every external address; needs a network")
    options = parser.parse_args()
    out = options.out.with_name("external-links") if options.links else options.out
    shutil.rmtree(out, ignore_errors=True)
    builder = "linkcheck" if options.links else "html"
    arguments = ["-b", builder, "-c", SITE, "-d", f"{out}.doctrees", "-W", "--keep-going", "-n", "-E", "-q"]
    failed = build_main([str(argument) for argument in [*arguments, options.source, out]])
    shutil.rmtree(f"{out}.doctrees", ignore_errors=True)
    if not failed:
        print(f"{os.path.relpath(out / ('output.txt' if options.links else 'index.html'))}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
