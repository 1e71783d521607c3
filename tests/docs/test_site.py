"""The site: every page is in its menu, and a dead link, a dead anchor or a page left out makes the build fail."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

from tests.docs.pages import PAGES, ROOT

with_sphinx = pytest.mark.skipif(
    find_spec("myst_parser") is None, reason="Sphinx is not installed: `make docs` does it"
)
NAVIGATION = "Begin: [docs/page]\n"


def test_every_page_stands_in_the_navigation_once():
    said = yaml.safe_load((ROOT / "docs/site/navigation.yaml").read_text(encoding="utf-8"))
    listed = sorted(next(iter(page)) if isinstance(page, dict) else page for pages in said.values() for page in pages)
    pages = {page.relative_to(ROOT).with_suffix("").as_posix() for page in [*PAGES, ROOT / "fhir_examples/README.md"]}
    assert listed == sorted(pages - {"docs/index"})


def _build(folder, page, *others):
    """A repository of two pages and a file."""
    files = {
        "docs/site/navigation.yaml": NAVIGATION,
        "docs/index.md": "# Start\n\n[a page](page.md#a-heading)\n",
        "docs/page.md": f"# Page\n\n## A heading\n\n{page}\n",
        "cards/some.yaml": "some: <knowledge>\n",
        **dict(others),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    out = folder / "built"
    command = [sys.executable, "-m", "docs.site", "--source", str(folder), "--out", str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False), out


@with_sphinx
def test_links_to_files_and_folders_of_the_repository_lead_to_pages_that_show_them(tmp_path):
    built, out = _build(tmp_path, "[one](../cards/some.yaml), [all](../cards), [out](https://example.org/a)")
    assert built.returncode == 0, built.stderr
    assert 'href="../files/cards/some.yaml.html"' in (out / "docs/page.html").read_text(encoding="utf-8")
    assert "&lt;knowledge&gt;" in (out / "files/cards/some.yaml.html").read_text(encoding="utf-8")
    assert 'href="cards/some.yaml.html"' in (out / "files/cards.html").read_text(encoding="utf-8")
    assert (out / "external-links.txt").read_text(encoding="utf-8") == "https://example.org/a  docs/page\n"


@with_sphinx
def test_the_build_fails_and_names_each_place_that_leads_nowhere(tmp_path):
    dead = (
        "[a](gone.md)",
        "[b](../cards/gone.yaml)",
        "[c](index.md#no-heading)",
        "[d](#nowhere)",
        "![e](images/gone.png)",
    )
    built, _ = _build(tmp_path, "\n\n".join(dead), ("docs/alone.md", "# Alone\n"))
    assert built.returncode != 0
    warnings = [line for line in built.stderr.splitlines() if "WARNING" in line]
    for complaint in ("gone.md", "cards/gone.yaml", "no-heading", "nowhere", "images/gone.png", "docs/alone.md"):
        assert any(complaint in line for line in warnings), (complaint, warnings)
    assert len(warnings) == len(dead) + 1
