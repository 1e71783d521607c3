"""All pages about the knowledge, as HTML and as JSON: served under ``/cards/``, and written for a committee to sign.

A page is made when it is first asked for and kept for the day, since reviews fall due by date.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import Exhibits, NoExhibits, Stamp, as_json
from cds_service.knowledge.pages.overview import index_of
from cds_service.knowledge.pages.recommendation import content_of, group_title
from cds_service.knowledge.pages.value_sets import ValueSets
from cds_service.knowledge.pages.wording import names_used
from cds_service.web.html import tag
from cds_service.web.index_page import index_page
from cds_service.web.parts import CONTENT_SECURITY_POLICY, NOT_APPROVED, items, page, section, value_set_page
from cds_service.web.playground.words import CLOSED
from cds_service.web.recommendation_page import recommendation_page
from cds_service.web.value_set_pages import coverage_page
from cds_service.web.value_set_pages import value_set_page as page_of_value_set

__all__ = ["CONTENT_SECURITY_POLICY", "NOT_APPROVED", "Pages", "Rendered", "start_page", "write"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page as it is sent or written."""

    name: str
    body: str
    media_type: str


Made = tuple[Any, Callable[[Any], str]]


class Pages:
    """The pages of one knowledge. ``find`` and ``every`` never read a clock: the day is handed in."""

    def __init__(self, knowledge: Knowledge, exhibits: Exhibits | None = None) -> None:
        """``exhibits`` gives the cases; without it the pages say that there are none."""
        self.knowledge = knowledge
        self.exhibits: Exhibits = exhibits or NoExhibits()
        self._recommendations = {r.id: r for r in knowledge.recommendations}
        self._value_sets = {value_set_page(name): name for name in knowledge.names.value_sets}
        self._sets: ValueSets | None = None
        self._kept: dict[str, Rendered] = {}
        self._day: dt.date | None = None

    def names(self) -> Iterator[str]:
        """Every page, without the ending of its file."""
        yield from ("index", "coverage")
        yield from self._recommendations
        yield from self._value_sets

    def find(self, name: str, today: dt.date) -> Rendered | None:
        """A page by the name of its file, ``FD-….html`` or ``FD-….json``; without an ending it is HTML."""
        stem, dot, ending = name.rpartition(".")
        if not dot:
            stem, ending = name, "html"
        if ending not in ("html", "json") or not self._knows(stem):
            return None
        if today != self._day:
            self._day, self._kept = today, {}
        key = f"{stem}.{ending}"
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = self._render(stem, ending, today)
        return kept

    def every(self, today: dt.date) -> Iterator[Rendered]:
        """All pages, each as HTML and as JSON."""
        for name in self.names():
            for ending in ("html", "json"):
                yield self._render(name, ending, today)

    def _knows(self, stem: str) -> bool:
        return stem in ("index", "coverage") or stem in self._recommendations or stem in self._value_sets

    def _render(self, stem: str, ending: str, today: dt.date) -> Rendered:
        content, write = self._content(stem, Stamp(self.knowledge.fingerprint, today, NOT_APPROVED))
        if ending == "html":
            return Rendered(f"{stem}.html", write(content), "text/html")
        body = json.dumps(as_json(content), indent=2, ensure_ascii=False) + "\n"
        return Rendered(f"{stem}.json", body, "application/json")

    def _content(self, stem: str, stamp: Stamp) -> Made:
        if stem == "index":
            groups = {r.group: group_title(r.group, self.knowledge) for r in self.knowledge.recommendations}
            return index_of(self.knowledge, stamp, groups), index_page
        if stem == "coverage":
            return self._expansions().coverage(stamp), coverage_page
        if stem in self._value_sets:
            return self._expansions().page(self._value_sets[stem], stamp), page_of_value_set
        return content_of(self._recommendations[stem], self.knowledge, stamp, self.exhibits), recommendation_page

    def _expansions(self) -> ValueSets:
        if self._sets is None:
            used: dict[str, tuple[str, ...]] = {}
            for recommendation_id, names in names_used(self.knowledge).items():
                for name in names.value_sets:
                    used[name] = (*used.get(name, ()), recommendation_id)
            self._sets = ValueSets(self.knowledge, used)
        return self._sets


def write(pages: Pages, folder: Path, today: dt.date) -> Iterator[Path]:
    """Write every page into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for rendered in pages.every(today):
        path = folder / rendered.name
        path.write_text(rendered.body, encoding="utf-8")
        yield path


def start_page(knowledge: Knowledge) -> str:
    """Where to begin where there is no playground: discovery, the services, the recommendations."""
    services = (tag("span", tag("code", s.id), f": {s.title}") for s in knowledge.services)
    links = (tag("span", tag("a", r.id, href=f"/cards/{r.id}"), f" {r.title}") for r in knowledge.recommendations)
    discovery = tag("a", tag("code", "/cds-services"), href="/cds-services")
    body = [
        tag("h1", "Foot drop CDS"),
        tag("p", CLOSED, class_="lead"),
        tag("p", "CDS Hooks discovery: ", discovery),
        tag("p", "What became of the advice: ", tag("a", tag("code", "/insight"), href="/insight")),
        section("Services", items(services)),
        section("Recommendations", items(links)),
        tag("p", "Knowledge fingerprint ", tag("code", knowledge.fingerprint)),
    ]
    return page("Foot drop CDS", body, place="/cards/")
