"""The pages of the shipped knowledge and of changed copies of it, and a reader of HTML that finds what is wrong."""

import datetime as dt
import re
import shutil
from functools import cache, lru_cache
from html.parser import HTMLParser
from pathlib import Path

from cds_service.authoring.exhibits import CaseExhibits
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from cds_service.web.pages import Pages

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "cards"
TODAY = dt.date(2026, 11, 22)
_VOID = {"meta", "br", "hr", "link", "img", "input", "col"}
_FLOW = {"p", "div", "ul", "ol", "dl", "table", "section", "article", "details", "h1", "h2", "h3", "h4", "blockquote"}
_ONLY_PHRASES = {"p", "h1", "h2", "h3", "h4", "span", "a", "b", "strong", "em", "small", "code", "q", "summary", "dt"}
_APART = _FLOW | {"body", "main", "li", "dt", "dd", "td", "th", "summary", "small"}
_PARENTS = {
    "li": {"ul", "ol"},
    "dt": {"dl"},
    "dd": {"dl"},
    "tr": {"thead", "tbody"},
    "td": {"tr"},
    "th": {"tr"},
    "thead": {"table"},
    "tbody": {"table"},
    "summary": {"details"},
}
_CHILDREN = {"ul": {"li"}, "ol": {"li"}, "dl": {"dt", "dd"}, "tr": {"td", "th"}, "table": {"caption", "thead", "tbody"}}


class Page(HTMLParser):
    """Reads a page strictly: every element closed in order and allowed where it stands, every id once."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.faults, self.ids, self.links, self.tags, self.attributes = [], [], [], [], []
        self._open, self._text, self.style = [], [], ""
        self.feed(html)
        self.close()
        if self._open:
            self.faults.append(f"never closed: {self._open}")

    def handle_starttag(self, tag, attrs):
        parent = self._open[-1] if self._open else ""
        if tag in _PARENTS and parent not in _PARENTS[tag]:
            self.faults.append(f"<{tag}> inside <{parent}>")
        if parent in _CHILDREN and tag not in _CHILDREN[parent]:
            self.faults.append(f"<{tag}> inside <{parent}>")
        if tag in _FLOW and (inside := _ONLY_PHRASES.intersection(self._open)):
            self.faults.append(f"<{tag}> inside {inside}")
        if tag == "a" and "a" in self._open:
            self.faults.append("a link inside a link")
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.faults.append(f"an attribute twice on <{tag}>")
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]
        if tag in _APART:
            self._text.append(" ")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if "style" in self._open:
            self.style += data
        else:
            self._text.append(data)

    @property
    def text(self):
        """What a reader reads, in one line."""
        return " ".join("".join(self._text).split())


@lru_cache(maxsize=1)
def knowledge():
    return load_knowledge(CARDS)


@lru_cache(maxsize=1)
def pages():
    return Pages(knowledge(), CaseExhibits(Settings(cards_dir=CARDS), knowledge()))


@lru_cache(maxsize=1)
def written():
    """Every page, by its file's name."""
    return {rendered.name: rendered for rendered in pages().every(TODAY)}


@cache
def read(name):
    return Page(written()[name].body)


def changed(folder, **changes):
    """The pages of a copy of the knowledge; each change is (file, what stands there, what stands there then)."""
    cards = folder / "cards"
    shutil.copytree(CARDS, cards, ignore=shutil.ignore_patterns("cases"))
    for file, old, new in changes.values():
        path = cards / file
        text = path.read_text(encoding="utf-8")
        assert old in text, "the test's own mistake"
        path.write_text(text.replace(old, new), encoding="utf-8")
    return Pages(load_knowledge(cards))


def html_of(pages_, name, today=TODAY):
    return Page(pages_.find(name, today).body)


def outside_addresses(html):
    """Whatever a browser would fetch by itself from somewhere else."""
    fetched = [
        (tag, value)
        for tag, name, value in Page(html).attributes
        if name in ("src", "srcset", "data", "poster", "background", "action") or (tag == "link" and name == "href")
    ]
    return fetched + re.findall(r"@import|url\(|@font-face", Page(html).style)
