"""Criterion coverage: whether each criterion of each recommendation decides at least one case in each direction.

A criterion decides a case when turning its answer over (met to not met, not met to met) changes how its recommendation
stands there, or at which indicator. One that never decides is not tested, or not needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cds_service.domain import criteria as run
from cds_service.domain.evaluation import evaluate
from cds_service.domain.facts import Fact
from cds_service.domain.recommendations import Recommendation
from cds_service.domain.sides import Side
from cds_service.domain.situation import Answer, Criterion, Situation
from cds_service.domain.truth import MET, NOT_MET, Truth

_DIRECTIONS = ((NOT_MET, "met"), (MET, "not met"))
_JOINED = (run.All, run.AnyOf, run.NoneOf)


@dataclass(slots=True)
class Turned:
    """A criterion whose answer can be turned over."""

    inner: Criterion
    text: str
    wanted: Truth | None = None
    seen: Truth | None = None

    def answer(self, situation: Situation) -> Answer:
        """The inner answer, or what is wanted instead of it."""
        answer = self.inner.answer(situation)
        if self.wanted is None or answer.truth is self.wanted:
            return answer
        self.seen = answer.truth
        return Answer(self.wanted, _facts(situation) if self.wanted is MET else ())

    def parts(self) -> tuple[Criterion, ...]:
        """Nothing inside is looked at."""
        return ()


def _facts(situation: Situation) -> tuple[Fact, ...]:
    """A stand-in for the records that would have met it: one that names the side being judged."""
    side = situation.scope.side
    return tuple(f for f in situation.facts.facts if side is None or f.side & side)[:1]


@dataclass(frozen=True, slots=True)
class Covered:
    """A criterion of a recommendation, and the directions in which no case turns on it."""

    section: str
    text: str
    undecided: tuple[str, ...]


def uncovered(recommendation: Recommendation, situations: Iterable[Situation]) -> Iterator[Covered]:
    """Every criterion of a recommendation, with what no case decides."""
    own = [s for s in situations if s.hook in recommendation.hooks]
    usual = [_outcome(recommendation, s) for s in own]
    for section, turned, variant in _variants(recommendation):
        undecided = []
        for wanted, direction in _DIRECTIONS:
            turned.wanted = wanted
            if not any(_outcome(variant, s) != before for s, before in zip(own, usual, strict=True)):
                undecided.append(direction)
        yield Covered(section, turned.text, tuple(undecided))


def _outcome(recommendation: Recommendation, situation: Situation) -> object:
    """How it stands: for which sides or drafts, at which indicator. Answers kept for the call are not shared."""
    evaluation = evaluate(recommendation, dataclasses.replace(situation, kept={}))
    scopes = tuple((verdict.scope.side, id(verdict.scope.draft)) for verdict in evaluation.verdicts)
    return evaluation.standing, scopes, evaluation.indicator


def _variants(recommendation: Recommendation) -> Iterator[tuple[str, Turned, Recommendation]]:
    """The recommendation with one criterion made turnable, for each of its criteria."""
    sides = recommendation.for_each.sides_with if recommendation.for_each else None
    for turned, when in _turnable(recommendation.when):
        # what makes a side one to judge is met wherever it is judged
        if turned.inner is not sides and isinstance(when, run.All):
            yield "when", turned, dataclasses.replace(recommendation, when=when)
    for index, exclusion in enumerate(recommendation.unless):
        for turned, criterion in _turnable(exclusion.criterion):
            changed = dataclasses.replace(exclusion, criterion=criterion)
            unless = (*recommendation.unless[:index], changed, *recommendation.unless[index + 1 :])
            yield "unless", turned, dataclasses.replace(recommendation, unless=unless)
    for index, (level, raised) in enumerate(recommendation.raised_when):
        for turned, criterion in _turnable(raised):
            levels = (*recommendation.raised_when[:index], (level, criterion), *recommendation.raised_when[index + 1 :])
            yield f"{level} when any", turned, dataclasses.replace(recommendation, raised_when=levels)


def _turnable(criterion: Criterion) -> Iterator[tuple[Turned, Criterion]]:
    """Each criterion inside, with the whole in which it can be turned over. A named definition is one criterion."""
    if isinstance(criterion, _JOINED):
        for index, part in enumerate(criterion.criteria):
            for turned, changed in _turnable(part):
                criteria = (*criterion.criteria[:index], changed, *criterion.criteria[index + 1 :])
                yield turned, dataclasses.replace(criterion, criteria=criteria)
        return
    turned = Turned(criterion, criterion.text)
    yield turned, turned


def definitions_of(recommendations: Iterable[Recommendation]) -> list[tuple[run.Definition, frozenset[str]]]:
    """Every named definition that some recommendations lean on, gates included, with the ids of those that do."""
    found: dict[str, tuple[run.Definition, frozenset[str]]] = {}
    for recommendation in recommendations:
        levels = (criterion for _, criterion in recommendation.raised_when)
        exclusions = (exclusion.criterion for exclusion in recommendation.unless)
        for criterion in (recommendation.when, *exclusions, *recommendation.gates, *levels):
            for definition in _definitions_in(criterion):
                users = found[definition.name][1] if definition.name in found else frozenset()
                found[definition.name] = (definition, users | {recommendation.id})
    return list(found.values())


def _definitions_in(criterion: Criterion) -> Iterator[run.Definition]:
    if isinstance(criterion, run.Definition):
        yield criterion
    for part in criterion.parts():
        yield from _definitions_in(part)


def uncovered_in_definition(
    definition: run.Definition, situations: Iterable[Situation]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every criterion of a definition, with the directions in which no case turns on it, on any side."""
    here = [s.narrowed(s.scope._replace(side=side)) for s in situations for side in (None, Side.RIGHT, Side.LEFT)]
    usual = [_fresh(definition.body, s) for s in here]
    for turned, body in _turnable(definition.body):
        undecided = []
        for wanted, direction in _DIRECTIONS:
            turned.wanted = wanted
            if all(_fresh(body, s) is before for s, before in zip(here, usual, strict=True)):
                undecided.append(direction)
        yield turned.text, tuple(undecided)


def _fresh(criterion: Criterion, situation: Situation) -> Truth:
    return criterion.answer(dataclasses.replace(situation, kept={})).truth
