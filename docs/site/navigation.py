"""The navigation, from docs/site/navigation.yaml: the landing page itself stays plain Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx

TREE = "```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


def read_navigation(root: Path) -> dict[str, list[str | dict[str, str]]]:
    """The pages under each caption, as paths from the root, without ``.md``; or one with the title for the menu."""
    found: dict[str, list[str | dict[str, str]]] = yaml.safe_load(
        (root / "docs/site/navigation.yaml").read_text(encoding="utf-8")
    )
    return found


def _add_trees(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == app.config.root_doc:
        trees = (
            TREE.format(caption=caption, pages="\n".join(map(_line, pages)))
            for caption, pages in read_navigation(Path(app.srcdir)).items()
        )
        source[0] += "\n\n" + "\n".join(trees)


def _line(page: str | dict[str, str]) -> str:
    return f"/{page}" if isinstance(page, str) else "\n".join(f"{title} </{name}>" for name, title in page.items())


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("source-read", _add_trees)
    return {"parallel_read_safe": True}
