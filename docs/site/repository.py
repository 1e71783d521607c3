"""Links to the repository's files: on GitHub they open the file, and so they do on the site, which shows it as a page.

A link to a folder opens a list of its files. Whatever is neither a page nor a file is left to MyST, which warns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

_FOLDER = "files"
_NOT_OURS = ("build", "dist", ".git", ".venv", ".venv-lock")


class RepositoryLinks(SphinxTransform):
    """Points links at the pages of files, before MyST and Sphinx make downloads or warnings of them."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Replace each link that names a file or a folder of the repository."""
        for kind in (addnodes.download_reference, addnodes.pending_xref):
            for node in list(self.document.findall(kind)):
                name = self._named(node)
                if name is None:
                    continue
                uri = self.app.builder.get_relative_uri(self.env.docname, f"{_FOLDER}/{name}")
                node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))
                linked_files(self.app).add(name)

    def _named(self, node: nodes.Element) -> str | None:
        """The path from the root of what a link names, if it is a file or a folder of the repository."""
        if node.get("reftype") != "myst" or node.get("refdomain") is not None:
            return None
        name = self.env.relfn2path(node["reftarget"], self.env.docname)[0]
        is_ours = name and not name.startswith("..") and Path(name).parts[0] not in _NOT_OURS
        return Path(name).as_posix() if is_ours and (Path(self.app.srcdir) / name).exists() else None


def linked_files(app: Sphinx) -> set[str]:
    """What links have named so far."""
    found: set[str] = vars(app.env).setdefault("repository_files", set())
    return found


def _pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    root = Path(app.srcdir)
    files = set()
    for name in sorted(linked_files(app)):
        if (root / name).is_dir():
            inside = sorted(path.relative_to(root).as_posix() for path in _files(root / name))
            files.update(inside)
            yield _page(name, _listing(name, inside))
        else:
            files.add(name)
    for name in sorted(files):
        yield _page(name, _source(root / name))
    yield "index", {}, "to-the-start.html"


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _page(name: str, body: Markup) -> tuple[str, dict[str, Any], str]:
    title = Markup("<h1><code>{}</code></h1>").format(name)
    return f"{_FOLDER}/{name}", {"title": name, "body": title + body}, "page.html"


def _listing(folder: str, names: list[str]) -> Markup:
    up = f"{folder.rpartition('/')[2]}/"
    lines = (
        Markup('<li><a href="{}{}.html">{}</a></li>').format(up, name[len(folder) + 1 :], name[len(folder) + 1 :])
        for name in names
    )
    return Markup("<ul>{}</ul>").format(Markup("").join(lines))


def _source(path: Path) -> Markup:
    text = path.read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(path.name)
    except ClassNotFound:
        lexer = TextLexer()
    shown = highlight(text, lexer, HtmlFormatter(cssclass="highlight", wrapcode=True))
    return Markup(shown) if shown else escape(text)  # Pygments has escaped it


def _list_external(app: Sphinx, failure: Exception | None) -> None:
    """Beside the site, every address outside with the pages that name it."""
    if failure or app.builder.format != "html":
        return
    named: dict[str, set[str]] = {}
    for page in sorted(app.env.found_docs):
        for node in app.env.get_doctree(page).findall(nodes.reference):
            address = node.get("refuri", "")
            if address.startswith(("http:", "https:")) and "//127.0.0.1" not in address:
                named.setdefault(address, set()).add(page)
    lines = (f"{address}  {' '.join(sorted(pages))}\n" for address, pages in sorted(named.items()))
    Path(app.outdir, "external-links.txt").write_text("".join(lines), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.add_transform(RepositoryLinks)
    app.connect("html-collect-pages", _pages)
    app.connect("build-finished", _list_external)
    return {"parallel_read_safe": False}
