"""The cases behind each recommendation, for its page: what is expected of them, and one card as it was answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import cached_property

from cds_service.authoring.case_runner import DEFAULT_TIME, CaseRunner
from cds_service.authoring.cases import Case, CaseEntry, GivenFact, check_names, read_cases
from cds_service.authoring.trying import Attempt
from cds_service.domain.recommendations import OfferedLink
from cds_service.errors import RequestError
from cds_service.hooks.response import Card
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import CaseContent, ExampleCard, ExampleSuggestion
from cds_service.knowledge.problems import Problems
from cds_service.settings import Settings


class CaseExhibits:
    """Reads the cases when the first page asks for them. Cases that cannot be read are left to ``check``."""

    def __init__(self, settings: Settings, knowledge: Knowledge) -> None:
        """``settings`` says where the cases are."""
        self.settings = settings
        self.knowledge = knowledge

    @cached_property
    def _cases(self) -> tuple[Case, ...]:
        cases = read_cases(self.settings.cards_dir, Problems())
        return tuple(case for case in cases if check_names(case, self.knowledge, Problems()))

    @cached_property
    def _runner(self) -> CaseRunner:
        unfolded = self.settings.model_copy(update={"max_cards": 0})
        return CaseRunner(Attempt(unfolded, self.knowledge, DEFAULT_TIME))

    def cases_of(self, recommendation_id: str) -> tuple[CaseContent, ...]:
        """The cases that name it, in the order of their files."""
        return tuple(
            CaseContent(case.entry.case, case.entry.hook, *_expected(case.entry, recommendation_id))
            for case in self._cases
            if recommendation_id in case.about or _is_named(case.entry, recommendation_id)
        )

    def example_of(self, recommendation_id: str) -> ExampleCard | None:
        """The card of the first case of its own where it stands."""
        expecting = [case for case in self._cases if recommendation_id in case.entry.expect]
        for case in sorted(expecting, key=lambda case: len(case.about) if recommendation_id in case.about else 99):
            card = self._card(case, recommendation_id)
            if card is not None:
                return _example(case.entry, card, self._runner.attempt.at)
        return None

    def _card(self, case: Case, recommendation_id: str) -> Card | None:
        try:
            cards = self._runner.fire(case).response.cards
        except (RequestError, KeyError):  # a case that cannot be played is an error of `check`
            return None
        return next((card for card in cards if card.source.topic and card.source.topic.code == recommendation_id), None)


def _is_named(entry: CaseEntry, recommendation_id: str) -> bool:
    return any(recommendation_id in named for named in (entry.expect, entry.silent, entry.says, entry.offers))


def _expected(entry: CaseEntry, recommendation_id: str) -> tuple[str, str]:
    if entry.refused:
        return "refused", "the call cannot be answered safely"
    if recommendation_id in entry.expect:
        return entry.expect[recommendation_id], ""
    because = entry.silent.get(recommendation_id, "")
    if not because and entry.gap_card:
        because = "a card says what could not be read"
    return "silent", because


def _example(entry: CaseEntry, card: Card, at: dt.datetime) -> ExampleCard:
    return ExampleCard(
        case=entry.case,
        patient=tuple(_patient(entry)),
        hook=entry.hook,
        date=at.date(),
        indicator=card.indicator.value,
        summary=card.summary,
        detail=card.detail or "",
        suggestions=tuple(
            ExampleSuggestion(s.label, s.is_recommended, tuple(action.description for action in s.actions))
            for s in card.suggestions
        ),
        override_reasons=tuple(reason.display for reason in card.override_reasons),
        links=tuple(OfferedLink(link.label, link.url) for link in card.links),
        source=card.source.label,
    )


def _patient(entry: CaseEntry) -> Iterator[str]:
    """The patient of a case in the words of its file."""
    yield f"born {entry.born}" if entry.born else f"{entry.age} years old"
    yield from (_fact(given) for given in entry.given)
    yield from (f"now drafted: {_fact(given)}" for given in entry.drafted)
    if entry.not_read:
        yield f"not read: {', '.join(entry.not_read)}"


def _fact(given: GivenFact) -> str:
    told = given.model_dump(by_alias=True, exclude_defaults=True)
    kind = next(key for key, value in told.items() if value == given.concept)
    rest = (f"{key} {value}" for key, value in told.items() if key != kind)
    return ", ".join([f"{kind} {given.concept}", *rest])
