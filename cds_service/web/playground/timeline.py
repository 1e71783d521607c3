"""The facts of a patient along time, by side: a table whose columns are the sides, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from cds_service.decision.words import plain
from cds_service.domain.facts import KIND_OF, Condition, Device, Fact, Finding, PatientFacts
from cds_service.domain.sides import Side
from cds_service.domain.truth import MET, NOT_MET
from cds_service.knowledge.knowledge import Knowledge
from cds_service.web.html import Child, Markup, join, tag
from cds_service.web.playground.criteria import CriterionWords
from cds_service.web.playground.words import KINDS, LABELS, LANES, TIMELINE_HEADS, counted

_MOST = 300
_UNDATED = LABELS["undated"]


def timeline_part(facts: PatientFacts, knowledge: Knowledge) -> Markup:
    """The facts that mean something to this knowledge, and how many resources were read for them."""
    known = [fact for fact in facts.facts if fact.concepts]
    words = CriterionWords(knowledge, "index")
    counts = {"resources": counted(facts.reading.resources, "resource"), "facts": counted(len(known), "fact")}
    rest = len(known) - _MOST
    newest = sorted(known, key=_newest_first)[:_MOST]
    return join(
        [
            tag("p", LABELS["read"].format(**counts), class_="quiet"),
            _table(newest, words) if newest else tag("p", LABELS["no facts"]),
            tag("p", LABELS["newest"].format(count=_MOST, rest=rest), class_="quiet") if rest > 0 else None,
        ]
    )


def _newest_first(fact: Fact) -> tuple[bool, int, float]:
    when = fact.when
    return (when is None, -when.latest if when else 0, -(when.instant or 0.0) if when else 0.0)


def _table(facts: Iterable[Fact], words: CriterionWords) -> Markup:
    heads = TIMELINE_HEADS
    head = tag("tr", *(tag("th", one, scope="col") for one in heads))
    rows = [row for date, those in groupby(facts, key=_date) for row in _rows(date, list(those), words)]
    caption = tag("caption", LABELS["caption"])
    whole = tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="timeline")
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=LABELS["time-line"])


def _date(fact: Fact) -> str:
    return fact.when.text if fact.when else _UNDATED


def _rows(date: str, facts: list[Fact], words: CriterionWords) -> list[Markup]:
    """One row for what has a side, one for what is of both or of none; the date stands once."""
    right, left, other = (
        [f for f in facts if f.side is Side.RIGHT],
        [f for f in facts if f.side is Side.LEFT],
        [f for f in facts if f.side not in (Side.RIGHT, Side.LEFT)],
    )
    cells: list[list[Markup]] = []
    if right or left:
        cells.append([_cell(right, words), _cell(left, words)])
    if other:
        cells.append([_cell(other, words, "2")])
    when = tag("th", date, scope="rowgroup" if len(cells) > 1 else "row", rowspan=str(len(cells)))
    return [tag("tr", when if at == 0 else None, *row) for at, row in enumerate(cells)]


def _cell(facts: list[Fact], words: CriterionWords, columns: str | None = None) -> Markup:
    return tag("td", *(_entry(fact, words) for fact in facts), colspan=columns)


def _entry(fact: Fact, words: CriterionWords) -> Markup:
    kind = KIND_OF[type(fact)].value
    lane = LANES["both"] if fact.side is Side.BOTH else LANES["none"]
    side = None if fact.side in (Side.RIGHT, Side.LEFT) else tag("span", f" {lane}", class_="lane")
    return tag(
        "div",
        tag("span", KINDS[kind], class_="kind"),
        side,
        tag("span", _says(fact), class_="says"),
        tag("span", words.place(fact), class_="quiet"),
        _standing(fact),
        class_=f"fact {kind}",
    )


def _says(fact: Fact) -> str:
    """What the record says; its date stands beside it already."""
    name = plain(fact.coding.display or fact.coding.code)
    if isinstance(fact, Finding):
        return f"{name}: {plain(fact.value_text) or LABELS['unreadable']}"
    suspected = isinstance(fact, Condition) and fact.certainty.value == "suspected"
    return f"{name} (suspected)" if suspected else name


def _standing(fact: Fact) -> Child:
    """What a reader must know of it besides: over, not in use, or not to be trusted."""
    if fact.doubtful:
        return tag("span", LABELS["doubtful"], class_="doubt")
    if isinstance(fact, Condition):
        return None if fact.active is MET else tag("span", LABELS["over"], class_="over")
    if isinstance(fact, Device) and fact.in_use is NOT_MET:
        return tag("span", LABELS["not in use"], class_="over")
    return None
