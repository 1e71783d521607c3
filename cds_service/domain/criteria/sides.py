"""On which sides a definition holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cds_service.domain.facts import Fact
from cds_service.domain.sides import Side
from cds_service.domain.situation import NO, Answer, Criterion, Situation
from cds_service.domain.truth import MET, UNKNOWN

_NOTHING: frozenset[str] = frozenset()
_PATTERNS = frozenset((Side.UNSPECIFIED, Side.RIGHT, Side.LEFT, Side.BOTH))


@dataclass(slots=True)
class SidesWith:
    """Which sides a definition holds on: both, one, or not stated."""

    text: str
    definition: Criterion
    wanted: frozenset[Side]

    def answer(self, situation: Situation) -> Answer:
        """Judge the definition for each side."""
        sides, facts, open_sides, needs = affected_sides(self.definition, situation)
        pattern = Side.BOTH if len(sides) == 2 else (sides[0] if sides else None)
        possible: set[Side | None] = {pattern}
        if not open_sides and self._holds_unnamed(sides, situation):  # what was not read may name that side
            needs = situation.facts.missing(_needs_inside(self.definition))
        if open_sides or needs:
            possible |= {Side.BOTH} if pattern in (Side.RIGHT, Side.LEFT) else _PATTERNS
        if possible <= self.wanted:
            return Answer(MET, facts)
        return Answer(UNKNOWN, facts, needs) if possible & self.wanted else NO

    def _holds_unnamed(self, named: tuple[Side, ...], situation: Situation) -> bool:
        """Whether it holds on a side that no record names."""
        others = (side for side in (Side.RIGHT, Side.LEFT) if side not in named)
        scope = situation.scope
        return any(
            self.definition.answer(situation.narrowed(scope._replace(side=side))).truth is MET for side in others
        )

    def parts(self) -> tuple[Criterion, ...]:
        """The definition judged on each side."""
        return (self.definition,)


def _needs_inside(criterion: Criterion) -> frozenset[str]:
    """Every need that a criterion or a part of it can hang on."""
    own: frozenset[str] = getattr(criterion, "needs", _NOTHING)
    return own.union(*(_needs_inside(part) for part in criterion.parts()))


class AffectedSides(NamedTuple):
    """The sides on which a definition is met, with its facts; those on which it is unknown, with the needs for them."""

    sides: tuple[Side, ...]
    facts: tuple[Fact, ...]
    open_sides: tuple[Side, ...]
    needs: frozenset[str]


def affected_sides(definition: Criterion, situation: Situation) -> AffectedSides:
    """On which sides a definition is met, and on which it is unknown.

    A side counts when a fact names it. Facts that name no side make the one side "not stated", unless another fact
    names the side meant.
    """
    sides: list[Side] = []
    open_sides: list[Side] = []
    facts: tuple[Fact, ...] = ()
    unnamed: tuple[Fact, ...] = ()
    needs = _NOTHING
    for side in (Side.RIGHT, Side.LEFT):
        answer = definition.answer(situation.narrowed(situation.scope._replace(side=side)))
        if answer.truth is MET and any(fact.side & side for fact in answer.facts):
            sides.append(side)
            facts += answer.facts
        elif answer.truth is MET:
            unnamed = answer.facts
        elif answer.truth is UNKNOWN:
            open_sides.append(side)
            needs |= answer.needs
    if unnamed and not sides:
        return AffectedSides((Side.UNSPECIFIED,), unnamed, tuple(open_sides), needs)
    return AffectedSides(tuple(sides), facts, tuple(open_sides), needs)
