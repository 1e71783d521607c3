"""Which kinds of patient data a recommendation needs, what each decides, and what happens where it cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.domain.recommendations import Recommendation, Sort
from cds_service.domain.situation import Criterion
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import NeedContent
from cds_service.knowledge.prefetch import criteria_of_words, every, inside, moments_of

_TRIGGER, _GATE, _EXCLUSION, _INDICATOR, _WORDS = (
    "whether it applies",
    "whether a gate silences it",
    "whether an exclusion silences it",
    "its indicator",
    "its words and orders",
)


def needs_of(recommendation: Recommendation, knowledge: Knowledge) -> tuple[NeedContent, ...]:
    """One entry for each need, in the order of ``services.yaml``."""
    decides: dict[str, list[str]] = {}
    for role, criteria in _roles(recommendation):
        for criterion in every(criteria):
            ends = getattr(criterion, "ends", None)
            for need in getattr(criterion, "needs", frozenset()) | (ends.needs if ends else frozenset()):
                roles = decides.setdefault(need, [])
                if role not in roles:
                    roles.append(role)
    known = knowledge.words.needs
    return tuple(
        NeedContent(known[name].words, tuple(decides[name]), _when_not_read(recommendation, decides[name]))
        for name in known
        if name in decides
    )


def _roles(recommendation: Recommendation) -> Iterator[tuple[str, Iterable[Criterion]]]:
    each = recommendation.for_each
    sides = (each.sides_with,) if each and each.sides_with else ()
    yield _TRIGGER, (*sides, recommendation.when)
    yield _EXCLUSION, tuple(e.criterion for e in recommendation.unless)
    yield _GATE, recommendation.gates
    yield _INDICATOR, tuple(criterion for _, criterion in recommendation.raised_when)
    yield _WORDS, tuple(_of_words(recommendation))


def _of_words(recommendation: Recommendation) -> Iterator[Criterion]:
    yield from criteria_of_words(recommendation)
    for moment in moments_of(recommendation):
        yield from inside(moment)


def _when_not_read(recommendation: Recommendation, roles: list[str]) -> str:
    """The gravest of what can happen."""
    shows = any(exclusion.show_when_unknown for exclusion in recommendation.unless)
    if _TRIGGER in roles:
        return "It may be impossible to tell whether this applies: then no card is shown for it."
    if _GATE in roles and recommendation.sort is not Sort.RED_FLAG:
        return "The card is withheld."
    if _EXCLUSION in roles and not shows:
        return "The card is withheld where an exclusion hangs on it."
    if _EXCLUSION in roles:
        return "The card is shown and says what was not seen."
    if _GATE in roles:
        return "The card is shown nonetheless."
    if _INDICATOR in roles:
        return "The card keeps the lower indicator."
    return "What hangs on it is left out of the card, or its other wording is used."
