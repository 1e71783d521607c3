"""What the theme leaves undone for people with a keyboard or a screen reader, mended in the finished pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

MENDED = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All pages">'),
    ('<aside class="toc-drawer', '<aside aria-label="On this page" class="toc-drawer'),
    ("<pre>", '<pre tabindex="0">'),  # wide ones scroll, also by keyboard
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
)
_EMPTY_HEAD = re.compile(r'<th class="head"><p></p></th>')


def _mend(app: Sphinx, failure: Exception | None) -> None:
    if failure or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for theirs, ours in MENDED:
            text = text.replace(theirs, ours)
        path.write_text(_EMPTY_HEAD.sub("<td></td>", text), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("build-finished", _mend)
    return {"parallel_read_safe": True}
