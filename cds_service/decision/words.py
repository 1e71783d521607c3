"""Filling a card's texts: named slots only, every value from the record made harmless.

A detail is GitHub Flavored Markdown, and some clients render HTML in it (the Sandbox does): values from the record
are escaped for both. A summary is plain text on one line.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable, Mapping

from cds_service.domain.facts import Condition, Device, Done, Fact, Finding, Order
from cds_service.domain.recommendations import Slot, SlotSource
from cds_service.domain.situation import Situation
from cds_service.domain.times import When, day_of
from cds_service.domain.truth import MET

LONGEST_DISPLAY = 60
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+.!|~]|(?<!\w)-|-(?!\w))")  # a hyphen inside a word formats nothing
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]+")
Clean = Callable[[str], str]


def plain(text: str) -> str:
    """One line of plain text, cut to a length a card can bear, with nothing a browser could take for markup."""
    text = " ".join(_CONTROL.sub(" ", text).replace("<", " ").replace(">", " ").split())
    return text if len(text) <= LONGEST_DISPLAY else text[: LONGEST_DISPLAY - 1].rstrip() + "…"


def markdown(text: str) -> str:
    """Text from the record inside Markdown: nothing in it formats, links or becomes HTML."""
    return html.escape(_MARKDOWN.sub(r"\\\1", plain(text)), quote=True)


def describe(fact: Fact, clean: Clean = markdown) -> str:
    """A record in a few words: what, which side, when."""
    name = clean(fact.coding.display or fact.coding.code)
    side = f", {fact.side.words}" if fact.side and fact.side.words not in name.lower() else ""
    return f"{name}{side}{_particulars(fact, clean)}"


def _particulars(fact: Fact, clean: Clean) -> str:
    date = fact.when.text if fact.when else ""
    if isinstance(fact, Condition):
        suspected = " (suspected)" if fact.certainty.value == "suspected" else ""
        return f"{suspected}, since {date}" if date else f"{suspected}, onset not recorded"
    if isinstance(fact, Finding):
        value = clean(fact.value_text) or "value not readable"
        return f": {value}, on {date}" if date else f": {value}, date not recorded"
    if isinstance(fact, Device):
        return f", in use since {date}" if date else ", in use"
    if isinstance(fact, Order):
        stage = "draft" if fact.in_call or fact.stage.value == "draft" else "ordered"
        return f", {stage} {date}".rstrip()
    if isinstance(fact, Done):
        return f", done {date}" if date else ", done, date not recorded"
    return f", {date}" if date else ""


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template checked at load."""
    return template.format_map(values)


def slot_text(slot: Slot, situations: list[Situation], clean: Clean, not_read: str) -> str:
    """A slot's text over the sides or drafts that stand, each value once.

    Where there is nothing, what was read is told from what could not be.
    """
    if slot.fixed:
        return slot.fixed
    found = [_one(slot, situation, clean) for situation in situations]
    texts = dict.fromkeys(text for text, _ in found if text)
    unread = any(needs for text, needs in found if not text)
    return " / ".join(texts) or (not_read if unread else slot.otherwise)


def _one(slot: Slot, situation: Situation, clean: Clean) -> tuple[str, frozenset[str]]:
    """The text for one side or draft, and the needs that could not be read for it."""
    if slot.criterion is not None:
        answer = slot.criterion.answer(situation)
        if answer.truth is not MET or not answer.facts:
            return "", answer.needs
        return _of_fact(slot.shows, answer.facts[0], clean), answer.needs
    if slot.moment is None:
        day = situation.now.today + (slot.plus.amount if slot.plus else 0)
        return dt.date.fromordinal(day).isoformat(), frozenset()
    found = slot.moment.find(situation)
    if found.when is None:
        return "", found.needs
    if slot.shows is SlotSource.DAYS_AGO:
        return str(situation.now.today - found.when.latest), frozenset()
    if slot.plus is None:
        return found.when.text, frozenset()
    return planned_day(found.when, slot.plus.amount, situation).isoformat(), frozenset()


def _of_fact(shows: SlotSource, fact: Fact, clean: Clean) -> str:
    if shows is SlotSource.FACT_DATE:
        return fact.when.text if fact.when else ""
    if shows is SlotSource.FACT_VALUE:
        return clean(fact.value_text) if isinstance(fact, Finding) else ""
    return clean(fact.coding.display or fact.coding.code)


def planned_day(when: When, plus: int, situation: Situation) -> dt.date:
    """A moment plus some days, but never before today."""
    return day_of(max(when.latest + plus, situation.now.today))
