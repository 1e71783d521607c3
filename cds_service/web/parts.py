"""What every page is built from: the frame around it, lines of criteria, tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from cds_service.knowledge.pages.content import Line, Span
from cds_service.web.html import Child, Markup, join, slug, tag

NOT_APPROVED: Final = "Draft knowledge. It has not been clinically approved or validated."
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STYLE = Path(__file__).with_name("pages.css").read_text(encoding="utf-8")
_CITED = re.compile(r"\bE\d+[a-z]?\b")
_MANY_COLUMNS: Final = 3
_OUTSIDE = {"rel": "noopener noreferrer"}


def page(
    title: str,
    body: Iterable[Child],
    *,
    place: str = "",
    about: str = "",
    policy: str = CONTENT_SECURITY_POLICY,
    style: str = "",
) -> str:
    """A whole page. ``place`` leads from where it is served to the other pages; ``about`` stands at its foot.

    ``policy`` is the one that it is served with, ``style`` what it needs beside the style of all pages.
    """
    policy = policy.partition("; frame-ancestors")[0]  # a page cannot say that of itself
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("title", title),
        tag("style", Markup(_STYLE + style)),
    )
    ways = (("index.html", "All recommendations"), ("coverage.html", "Value sets and coverage"))
    nav = tag("nav", *(tag("a", words, href=f"{place}{to}") for to, words in ways), class_="top")
    foot = tag("footer", tag("p", f"{NOT_APPROVED} {about}"))
    draft = tag("header", tag("p", NOT_APPROVED, class_="draft"))
    whole = tag("body", draft, nav, tag("main", *body), foot)
    return f"<!doctype html>\n{tag('html', head, whole, lang='en')}\n"


def section(title: str, *children: Child, anchor: str = "") -> Markup:
    """A heading and what stands below it."""
    return tag("section", tag("h2", title, id=anchor or slug(title)), *children)


def items(children: Iterable[Child], name: str = "ul", **attributes: str) -> Markup:
    """A list."""
    return tag(name, *(tag("li", child) for child in children), **attributes)


def pairs(rows: Iterable[tuple[str, Child]]) -> Markup:
    """Terms and what they are; rows without anything are left out."""
    shown = ((term, value) for term, value in rows if value)
    return tag("dl", *(part for term, value in shown for part in (tag("dt", term), tag("dd", value))))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Child]], *, numbers: Iterable[int] = (), name: str = ""
) -> Markup:
    """A table; ``numbers`` names the columns that are set flush right. A cell that is a cell already stays.

    The keyboard can reach one that a narrow screen has to scroll: one with a ``name``, and one of many columns.
    """
    right = set(numbers)
    kind: Callable[[int], str | None] = lambda index: "number" if index in right else None  # noqa: E731  # one look-up
    head = tag("tr", *(tag("th", words, scope="col", class_=kind(i)) for i, words in enumerate(heads)))
    body = (tag("tr", *(_cell(cell, kind(i)) for i, cell in enumerate(row))) for row in rows)
    reach: dict[str, str] = {}
    if name or len(heads) >= _MANY_COLUMNS:
        reach = {"tabindex": "0", "role": "region" if name else "group", "aria_label": name or ", ".join(heads)}
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide", **reach)


def _cell(child: Child, kind: str | None) -> Markup:
    is_cell = isinstance(child, Markup) and child.startswith(("<td", "<th"))
    return Markup(child) if is_cell else tag("td", child, class_=kind)


def chips(words: Iterable[tuple[str, str]]) -> Markup:
    """Short facts: text and class."""
    return tag("ul", *(tag("li", text, class_=f"chip {kind}".strip()) for text, kind in words), class_="chips")


def outside(label: Child, url: str) -> Child:
    """A link to another host; nothing is loaded from there."""
    return tag("a", label, href=url, **_OUTSIDE) if url else label


def recommendation_link(recommendation_id: str) -> Markup:
    """A link to a recommendation's page."""
    return tag("a", recommendation_id, href=f"{recommendation_id}.html", class_="nowrap")


def links_to(recommendation_ids: Iterable[str]) -> Markup:
    """Links to some recommendations."""
    return join((recommendation_link(each) for each in recommendation_ids), ", ")


def value_set_page(name: str) -> str:
    """The page name of a value set."""
    return f"value-set-{slug(name)}"


def value_set_link(name: str) -> Markup:
    """A link to a value set's page."""
    return tag("a", name, href=f"{value_set_page(name)}.html", class_="set")


def citation(text: str, place: str = "") -> Markup:
    """A citation of sources by id, linked to the list of sources; ``place`` leads to where that is served."""
    pieces: list[Child] = []
    at = 0
    for match in _CITED.finditer(text):
        pieces += [text[at : match.start()], tag("a", match[0], href=f"{place}index.html#{slug(match[0])}")]
        at = match.end()
    return join([*pieces, text[at:]])


# ---- criteria


def tree(lines: Iterable[Line]) -> Markup:
    """Criteria, with what is inside them."""
    return tag("ul", *(_item(line) for line in lines), class_="tree")


def _item(line: Line) -> Markup:
    if line.joins:
        return tag("li", _join(line), tree(line.parts), class_="joined")
    if line.name and line.above:
        words = tag("a", line.name, href=f"#{_anchor(line.name)}", class_="defined")
        return tag("li", words, tag("span", " (unfolded above)", class_="quiet"))
    if line.name:
        return tag("li", _definition(line), class_="defined")
    return tag("li", phrase(line.spans), tree(line.parts) if line.parts else None)


def _definition(line: Line) -> Markup:
    heading = tag("summary", tag("b", line.name), tag("span", f": {line.says}", class_="says") if line.says else None)
    inside = line.parts
    if len(inside) == 1 and inside[0].joins:
        return tag("details", heading, _join(inside[0]), tree(inside[0].parts), open=True, id=_anchor(line.name))
    return tag("details", heading, tree(inside), open=True, id=_anchor(line.name))


def _join(line: Line) -> Markup:
    return tag("span", line.text.rstrip(":"), class_=f"join {line.joins}")


def _anchor(name: str) -> str:
    return f"definition-{slug(name)}"


def phrase(spans: Iterable[Span]) -> Markup:
    """A line with its references as links."""
    return join(_span(span) for span in spans)


def _span(span: Span) -> Child:
    if span.kind == "value set":
        return tag("a", span.text, href=f"{value_set_page(span.name)}.html", class_="set")
    if span.kind in ("parameter", "moment"):
        return tag("a", span.text, href=f"#{span.kind}-{slug(span.name)}", class_=span.kind)
    return span.text


def brief(lines: Iterable[Line]) -> Markup:
    """Criteria on one line, where a tree would be too much: definitions by name only."""
    return join((_brief(line) for line in lines), "; ")


def _brief(line: Line) -> Markup:
    if line.name:
        return tag("a", line.name, href=f"#{_anchor(line.name)}", class_="defined")
    parts = tag("span", brief(line.parts)) if line.parts else None
    return join([phrase(line.spans), " " if parts else None, parts])


def in_words(lines: Iterable[Line]) -> str:
    """Criteria as plain words, where no link can stand: definitions by name only."""
    return "; ".join(_in_words(line) for line in lines)


def _in_words(line: Line) -> str:
    return line.text if line.name or not line.parts else f"{line.text} {in_words(line.parts)}"
