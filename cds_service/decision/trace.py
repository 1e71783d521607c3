"""Why and why not: every criterion of a recommendation with its answer and the records behind it.

Unlike a decision, a trace asks every criterion, also those that no longer matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.domain.evaluation import Evaluation, evaluate, scopes_of
from cds_service.domain.facts import Fact
from cds_service.domain.recommendations import Recommendation
from cds_service.domain.situation import Answer, Criterion, Scope, Situation


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One criterion: how it reads, what it says, and which records or missing needs made it say so."""

    depth: int
    section: str
    criterion: Criterion
    answer: Answer

    @property
    def text(self) -> str:
        """The criterion as its file writes it, read aloud."""
        return self.criterion.text

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The records that decided it."""
        return self.answer.facts


@dataclass(frozen=True, slots=True)
class Trace:
    """One recommendation: how it stands, and the lines for each side or draft that was judged.

    ``left_open`` has the sides among them of which nobody knows whether the recommendation speaks of them.
    """

    evaluation: Evaluation
    scopes: tuple[tuple[Scope, tuple[TraceLine, ...]], ...]
    left_open: tuple[Scope, ...] = ()


def trace(recommendation: Recommendation, situation: Situation) -> Trace:
    """Every criterion of one recommendation. Where nothing is there to judge, what was looked for is shown."""
    judged, left_open, _ = scopes_of(recommendation, situation)
    there = (*judged, *left_open)
    traced = tuple((scope, tuple(_lines(recommendation, situation.narrowed(scope)))) for scope in there)
    if not judged and recommendation.for_each and recommendation.for_each.sides_with:
        lines = tuple(_walk(recommendation.for_each.sides_with, situation, "for each", 0))
        traced = ((situation.scope, lines), *traced)
    return Trace(evaluate(recommendation, situation), traced, left_open)


def _lines(recommendation: Recommendation, situation: Situation) -> Iterator[TraceLine]:
    for part in recommendation.when.parts():
        yield from _walk(part, situation, "when", 0)
    for exclusion in recommendation.unless:
        yield from _walk(exclusion.criterion, situation, "unless", 0)
    for gate in recommendation.gates:
        yield from _walk(gate, situation, "gate", 0)
    for level, criterion in recommendation.raised_when:
        yield from _walk(criterion, situation, level.value, 0)


def _walk(criterion: Criterion, situation: Situation, section: str, depth: int) -> Iterator[TraceLine]:
    yield TraceLine(depth, section, criterion, criterion.answer(situation))
    for part in criterion.parts():
        yield from _walk(part, situation, section, depth + 1)
