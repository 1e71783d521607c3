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
class Gap:
    """A criterion that no case needs, in one direction."""

    recommendation: Recommendation
    section: str
    text: str
    direction: str


def uncovered(recommendation: Recommendation, situations: Iterable[Situation]) -> Iterator[Gap]:
    """The criteria of a recommendation that decide no case, one gap a direction."""
    own = [s for s in situations if s.hook in recommendation.hooks]
    usual = [_outcome(recommendation, s) for s in own]
    for section, turned, variant in _variants(recommendation):
        for wanted, direction in ((NOT_MET, "met"), (MET, "not met")):
            turned.wanted = wanted
            if not any(_outcome(variant, s) != before for s, before in zip(own, usual, strict=True)):
                yield Gap(recommendation, section, turned.text, direction)


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
    """Each criterion inside, with the whole in which it can be turned over. Named definitions are unfolded."""
    if isinstance(criterion, _JOINED):
        for index, part in enumerate(criterion.criteria):
            for turned, changed in _turnable(part):
                criteria = (*criterion.criteria[:index], changed, *criterion.criteria[index + 1 :])
                yield turned, dataclasses.replace(criterion, criteria=criteria)
        return
    turned = Turned(criterion, criterion.text)
    yield turned, turned


def definitions_in(criteria: Iterable[Criterion]) -> Iterator[run.Definition]:
    """Every named definition that some criteria lean on."""
    for criterion in criteria:
        if isinstance(criterion, run.Definition):
            yield criterion
        yield from definitions_in(criterion.parts())


def uncovered_in_definition(definition: run.Definition, situations: Iterable[Situation]) -> Iterator[tuple[str, str]]:
    """The criteria of a definition whose answer makes no difference to it in any case, on any side."""
    here = [s.narrowed(s.scope._replace(side=side)) for s in situations for side in (None, Side.RIGHT, Side.LEFT)]
    usual = [_fresh(definition.body, s) for s in here]
    for turned, body in _turnable(definition.body):
        for wanted, direction in ((NOT_MET, "met"), (MET, "not met")):
            turned.wanted = wanted
            if all(_fresh(body, s) is before for s, before in zip(here, usual, strict=True)):
                yield turned.text, direction


def _fresh(criterion: Criterion, situation: Situation) -> Truth:
    return criterion.answer(dataclasses.replace(situation, kept={})).truth
