"""Runs cases: each is decided by the way a real call takes, and compared with what it expects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from cds_service.authoring.case_builder import CaseBuilder
from cds_service.authoring.cases import Case, CaseEntry
from cds_service.authoring.trying import Attempt, Tried
from cds_service.decision.compose import DATA_GAP
from cds_service.errors import RequestError
from cds_service.hooks.response import Card

DEFAULT_TIME = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)


class CaseRunner:
    """Turns cases into calls and compares the answers."""

    def __init__(self, attempt: Attempt) -> None:
        """``attempt`` decides, at its own time, without folding."""
        self.attempt = attempt
        self.knowledge = attempt.knowledge

    def run(self, case: Case) -> list[str]:
        """What differs from the expected answer; nothing when it is exact."""
        return self.run_and_keep(case)[0]

    def run_and_keep(self, case: Case) -> tuple[list[str], Tried | None]:
        """What differs, and the decision where there is one."""
        try:
            tried = self.fire(case)
        except RequestError as error:
            return ([] if case.entry.refused else [f"refused: {error}"]), None
        return self.differences(case, tried), tried

    def differences(self, case: Case, tried: Tried) -> list[str]:
        """What differs between a decision and what the case expects."""
        entry = case.entry
        if entry.refused:
            return ["answered, though a refusal was expected"]
        cards = {card.source.topic.code: card for card in tried.response.cards if card.source.topic}
        gap = cards.pop(DATA_GAP, None) is not None
        differences = [*_differences(entry, cards, case.about), *_words(entry, cards)]
        wanted = entry.gap_card if case.about else bool(entry.gap_card)
        if wanted is not None and gap is not wanted:
            differences.append(f"{'a' if gap else 'no'} data gap card, {'one' if wanted else 'none'} expected")
        return differences

    def fire(self, case: Case) -> Tried:
        """The case as a call, decided."""
        return self.attempt.answer(self.request(case))

    def request(self, case: Case) -> dict[str, Any]:
        """The case as a request."""
        entry = case.entry
        resources, drafts = CaseBuilder(self.knowledge, self.attempt.at).build(entry)
        request = self.attempt.request(resources, entry.hook, drafts, user=entry.user, unread=entry.not_read)
        if "selections" in request["context"]:
            request["context"]["selections"] = [
                f"{draft['resourceType']}/{draft['id']}"
                for draft, given in zip(drafts, entry.drafted, strict=True)
                if not given.not_selected
            ]
        return request


def _differences(entry: CaseEntry, cards: dict[str, Card], about: frozenset[str]) -> Iterator[str]:
    shown = {code: card.indicator.value for code, card in cards.items()}
    for code, indicator in shown.items():
        if code not in entry.expect and code not in entry.silent and (not about or code in about):
            yield f"{code} shown as {indicator}, not expected"
    for code, indicator in entry.expect.items():
        if code not in shown:
            yield f"{code} not shown, {indicator} expected"
        elif shown[code] != indicator:
            yield f"{code} is {shown[code]}, {indicator} expected"
    yield from (f"{code} shown, silent expected: {why}" for code, why in entry.silent.items() if code in shown)


def _words(entry: CaseEntry, cards: dict[str, Card]) -> Iterator[str]:
    for code, phrases in entry.says.items():
        card = cards.get(code)
        text = f"{card.summary}\n{card.detail}" if card else ""
        yield from (f"{code} does not say {phrase!r}" for phrase in phrases if phrase not in text)
    for code, beginnings in entry.offers.items():
        labels = [suggestion.label for suggestion in cards[code].suggestions] if code in cards else []
        pairs = zip(labels, beginnings, strict=False)
        if len(labels) != len(beginnings) or not all(label.startswith(begin) for label, begin in pairs):
            yield f"{code} offers {labels}, expected {beginnings}"
