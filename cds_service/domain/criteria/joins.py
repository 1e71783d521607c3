"""Joining criteria: all, any, none, and the named definition."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.domain.facts import Fact
from cds_service.domain.situation import NO, Answer, Criterion, Situation
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN

_NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True)
class All:
    """Every part must hold: CQL ``and``. Stops at the first part that is not met."""

    text: str
    criteria: tuple[Criterion, ...]

    def answer(self, situation: Situation) -> Answer:
        """Judge the parts in order."""
        truth, needs = MET, _NOTHING
        facts: tuple[Fact, ...] = ()
        for criterion in self.criteria:
            part = criterion.answer(situation)
            if part.truth is NOT_MET:
                return NO
            if part.truth is UNKNOWN:
                truth = UNKNOWN
                needs |= part.needs
            facts += part.facts
        return Answer(truth, facts, needs)

    def parts(self) -> tuple[Criterion, ...]:
        """The joined criteria."""
        return self.criteria


@dataclass(slots=True)
class AnyOf:
    """At least one part must hold: CQL ``or``. Looks at all parts, so that every supporting fact is known."""

    text: str
    criteria: tuple[Criterion, ...]

    def answer(self, situation: Situation) -> Answer:
        """Judge all parts."""
        truth, needs = NOT_MET, _NOTHING
        facts: tuple[Fact, ...] = ()
        for criterion in self.criteria:
            part = criterion.answer(situation)
            if part.truth is NOT_MET:
                continue
            if part.truth > truth:
                truth, facts = part.truth, part.facts
            elif part.truth is truth:
                facts += part.facts
            needs |= part.needs
        return Answer(truth, facts, _NOTHING if truth is MET else needs)

    def parts(self) -> tuple[Criterion, ...]:
        """The joined criteria."""
        return self.criteria


@dataclass(slots=True)
class NoneOf:
    """No part may hold: CQL ``not (a or b)``. None over data that could not be read is unknown."""

    text: str
    criteria: tuple[Criterion, ...]

    def answer(self, situation: Situation) -> Answer:
        """Judge the parts until one is met."""
        truth, needs = MET, _NOTHING
        for criterion in self.criteria:
            part = criterion.answer(situation)
            if part.truth is MET:
                return NO
            if part.truth is UNKNOWN:
                truth = UNKNOWN
                needs |= part.needs
        return Answer(truth, (), needs)

    def parts(self) -> tuple[Criterion, ...]:
        """The criteria that must not hold."""
        return self.criteria


@dataclass(slots=True)
class Definition:
    """A named clinical definition, answered once per call, side and draft."""

    text: str
    name: str
    body: Criterion

    def answer(self, situation: Situation) -> Answer:
        """The kept answer, or the body's."""
        key = situation.key(self.name)
        kept = situation.kept.get(key)
        if kept is None:
            kept = situation.kept[key] = self.body.answer(situation)
        return kept  # type: ignore[return-value]  # only answers are kept under a definition's name

    def parts(self) -> tuple[Criterion, ...]:
        """What the name stands for."""
        return (self.body,)
