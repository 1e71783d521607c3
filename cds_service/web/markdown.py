"""The Markdown that cards use, as HTML: paragraphs, lists, strong, emphasis, links, escapes. No HTML passes through.

The details of cards are written for EHRs, which render GitHub Flavored Markdown; texts from the record come escaped for
both Markdown and HTML, so entities are read here as the characters they stand for and escaped again on the way out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator

from cds_service.web.html import Markup, is_harmless, join, tag

_INLINE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|\*\*(?P<strong>.+?)\*\*"
    r"|(?<![\w*])\*(?P<em>[^*\s](?:[^*]*[^*\s])?)\*(?![\w*])"
    r"|\[(?P<label>[^\[\]]+)\]\((?P<url>[^()\s]+)\)"
    r"|\[(?P<slot>[^\[\]]+)\]",
    re.DOTALL,
)
_ITEM = re.compile(r"[-*] +(.*)")


def render(text: str, slots: Collection[str] = ()) -> Markup:
    """A text as block elements. ``slots`` are the names that stand in brackets, shown as such."""
    return join(_block(block.strip("\n"), slots) for block in re.split(r"\n\s*\n", text) if block.strip())


def _block(block: str, slots: Collection[str]) -> Markup:
    lines = block.split("\n")
    items = [match for line in lines if (match := _ITEM.match(line.strip()))]
    if len(items) == len(lines):
        return tag("ul", *(tag("li", inline(match[1], slots)) for match in items))
    return tag("p", inline(" ".join(lines), slots))


def inline(text: str, slots: Collection[str] = ()) -> Markup:
    """A line: strong, emphasis, links to web pages, slots."""
    return join(_pieces(text, slots))


def _pieces(text: str, slots: Collection[str]) -> Iterator[str]:
    at = 0
    for match in _INLINE.finditer(text):
        yield html.unescape(text[at : match.start()])
        yield _piece(match, slots)
        at = match.end()
    yield html.unescape(text[at:])


def _piece(match: re.Match[str], slots: Collection[str]) -> str:
    if match["escaped"]:
        return match["escaped"]
    if match["strong"]:
        return tag("strong", inline(match["strong"], slots))
    if match["em"]:
        return tag("em", inline(match["em"], slots))
    if match["label"]:
        url = html.unescape(match["url"])
        label = inline(match["label"], slots)
        return tag("a", label, href=url, rel="noopener noreferrer") if is_harmless(url) else label
    return tag("span", match[0], class_="slot") if match["slot"] in slots else html.unescape(match[0])
