"""What changed between two answers, as a clinician would tell it: cards come and gone, words, urgency, orders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any, Final

from fhir_examples.golden import GoldenCall

_AROUND: Final = 30
"""How many characters are shown around what differs in a long text, at least; up to the next word."""


def review(before: Iterable[GoldenCall], after: Iterable[GoldenCall]) -> Iterator[str]:
    """A line with the name of each call whose answer changed, and below it what changed; nothing if none did."""
    for old, new in zip(before, after, strict=True):
        changes = list(changes_of(old.data, new.data))
        if changes:
            yield f"{old.file.name}: {old.data['about']}"
            yield from (f"  {line}" for line in changes)


def changes_of(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What changed in one call's status and answer, one line each."""
    if "response" not in old:
        yield "a new call"
        old = {"status": new["status"], "response": {"cards": []}}
    if old["status"] != new["status"]:
        yield f"status: {old['status']} → {new['status']}"
    yield from _cards(old["response"].get("cards", []), new["response"].get("cards", []))
    others = [{name: one for name, one in data["response"].items() if name != "cards"} for data in (old, new)]
    yield from _rest("beside the cards", *others)


def _cards(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[str]:
    before, after = ({_topic(card): card for card in cards} for cards in (old, new))
    yield from (f"- card {_title(card)}" for topic, card in before.items() if topic not in after)
    yield from (f"+ card {_title(card)}" for topic, card in after.items() if topic not in before)
    both = [topic for topic in after if topic in before]
    if both != [topic for topic in before if topic in after]:
        yield f"order of the cards: {', '.join(before)} → {', '.join(after)}"
    for topic in both:
        yield from (f"~ {topic} {line}" for line in _card(before[topic], after[topic]))


def _card(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in ("indicator", "summary"):
        if old[name] != new[name]:
            yield f"{name}: {_said(old[name], new[name])}"
    yield from _lists("detail", old.get("detail", "").split("\n\n"), new.get("detail", "").split("\n\n"))
    yield from _suggestions(old.get("suggestions", []), new.get("suggestions", []))
    before, after = ([one["display"] for one in card.get("overrideReasons", [])] for card in (old, new))
    yield from _lists("reason to dismiss", before, after)
    told = ("indicator", "summary", "detail", "suggestions", "uuid")
    rests = [{name: one for name, one in card.items() if name not in told} for card in (old, new)]
    if before != after:
        rests = [{name: one for name, one in rest.items() if name != "overrideReasons"} for rest in rests]
    yield from _rest("also changed", *rests)


def _suggestions(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[str]:
    yield from _lists("suggestion", [one["label"] for one in old], [one["label"] for one in new])
    before = {one["label"]: one for one in old}
    for one in new:
        if one["label"] in before:
            yield from _rest(f"suggestion “{one['label']}”, its orders", _bare(before[one["label"]]), _bare(one))


def _bare(suggestion: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in suggestion.items() if name != "uuid"}


def _lists(what: str, before: list[str], after: list[str]) -> Iterator[str]:
    """What went, what came, and what has other words, in the order in which it stands."""
    for change, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = before[start:end], after[new_start:new_end]
        if change == "replace" and len(gone) == len(come):
            yield from (f"{what}: {_said(old, new)}" for old, new in zip(gone, come, strict=True))
        elif change != "equal":
            yield from (f"{what} gone: “{one}”" for one in gone)
            yield from (f"{what} new: “{one}”" for one in come)


def _said(old: str, new: str) -> str:
    """Two texts, each without what they begin and end with alike, but for some words around what differs."""
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    return f"{_part(old, start, end)} → {_part(new, start, end)}"


def _alike(one: str, other: str) -> int:
    """With how many equal characters two texts begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _part(text: str, start: int, end: int) -> str:
    first = text.rfind(" ", 0, start - _AROUND) + 1 if start > _AROUND else 0
    last = text.find(" ", len(text) - end + _AROUND) if end > _AROUND else -1
    last = len(text) if last < 0 else last
    return f"“{'…' if first else ''}{text[first:last]}{'…' if last < len(text) else ''}”"


def _rest(what: str, old: Any, new: Any) -> Iterator[str]:
    """Every place at which two JSON values differ, with both values if they are short."""
    for place, one, other in _differences("", old, new):
        yield f"{what}: {place.lstrip('.')}: {_short(one)} → {_short(other)}"


def _differences(place: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(f"{place}.{name}", old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{place}[{number}]", one, other)
    elif old != new:
        yield place, old, new


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}…"


def _topic(card: dict[str, Any]) -> str:
    return str(card["source"]["topic"]["code"])


def _title(card: dict[str, Any]) -> str:
    return f"{_topic(card)} [{card['indicator']}] {card['summary']}"
