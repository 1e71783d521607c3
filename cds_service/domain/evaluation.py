"""Judging one recommendation against one patient, for each side or draft it speaks of.

when met, no gate, no exclusion          → stands
when met, an exclusion unknown           → stands with its caveat, or is withheld, as its file says
when unknown                             → unknown: never shows a card
otherwise                                → does not stand, and nothing that could not be read changes that
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from cds_service.domain.criteria import affected_sides
from cds_service.domain.facts import Fact, Kind, Order
from cds_service.domain.recommendations import Exclusion, Indicator, Recommendation, Sort
from cds_service.domain.sides import Side
from cds_service.domain.situation import WHOLE_PATIENT, Scope, Situation
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN

_NOTHING: frozenset[str] = frozenset()


class Standing(Enum):
    """How a recommendation stands for one side or draft, or altogether."""

    STANDS = "stands"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"
    DOES_NOT_STAND = "does not stand"


class Verdict(NamedTuple):
    """One side's or draft's verdict, with what decided it and what was left open."""

    scope: Scope
    standing: Standing
    facts: tuple[Fact, ...] = ()
    needs: frozenset[str] = _NOTHING
    caveats: tuple[str, ...] = ()


@dataclass(slots=True)
class Evaluation:
    """One recommendation against one patient: the ``verdicts`` that stand, and the needs ``missing`` where open."""

    recommendation: Recommendation
    standing: Standing
    verdicts: tuple[Verdict, ...]
    missing: frozenset[str]
    indicator: Indicator

    @property
    def sides(self) -> Side:
        """The sides on which it stands, together."""
        sides = Side.UNSPECIFIED
        for verdict in self.verdicts:
            if verdict.scope.side:
                sides |= verdict.scope.side
        return sides

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The records that decided it, each once."""
        return tuple({id(fact): fact for verdict in self.verdicts for fact in verdict.facts}.values())

    @property
    def caveats(self) -> tuple[str, ...]:
        """The caveats under which it stands, each once."""
        return tuple(dict.fromkeys(caveat for verdict in self.verdicts for caveat in verdict.caveats))

    @property
    def shown_gaps(self) -> frozenset[str]:
        """The needs that the card itself says could not be read."""
        return frozenset().union(*(verdict.needs for verdict in self.verdicts))


class Scopes(NamedTuple):
    """What a recommendation judges one by one; and the sides of which nobody knows whether it speaks of them."""

    judged: tuple[Scope, ...]
    left_open: tuple[Scope, ...] = ()
    needs: frozenset[str] = _NOTHING


def scopes_of(recommendation: Recommendation, situation: Situation) -> Scopes:
    """The sides or drafts that a recommendation speaks of, and the sides that are left open."""
    each = recommendation.for_each
    if each is None:
        return Scopes((WHOLE_PATIENT,))
    if each.sides_with is not None:
        found = affected_sides(each.sides_with, situation)
        judged, left_open = (tuple(Scope(side=side) for side in sides) for sides in (found.sides, found.open_sides))
        return Scopes(judged, left_open, found.needs)
    drafts = (f for f in situation.facts.of(Kind.ORDER, each.drafted) if isinstance(f, Order) and f.judged)
    return Scopes(tuple(Scope(side=draft.side, draft=draft) for draft in drafts))


def judge(recommendation: Recommendation, scope: Scope, situation: Situation) -> Verdict:
    """One side or draft: trigger first, then gates and exclusions."""
    here = situation.narrowed(scope)
    trigger = recommendation.when.answer(here)
    if trigger.truth is NOT_MET:
        return Verdict(scope, Standing.DOES_NOT_STAND)
    needs, withheld = _NOTHING, False
    caveats: tuple[str, ...] = ()
    for exclusion in _exclusions(recommendation):
        answer = exclusion.criterion.answer(here)
        if answer.truth is MET:
            return Verdict(scope, Standing.DOES_NOT_STAND)
        if answer.truth is UNKNOWN:
            needs |= answer.needs
            caveats += (exclusion.caveat,) if exclusion.show_when_unknown and exclusion.caveat else ()
            withheld = withheld or not exclusion.show_when_unknown
    if trigger.truth is UNKNOWN:
        return Verdict(scope, Standing.UNKNOWN, trigger.facts, needs | trigger.needs)
    if withheld:
        return Verdict(scope, Standing.WITHHELD, trigger.facts, needs)
    return Verdict(scope, Standing.STANDS, trigger.facts, needs, caveats)


def _exclusions(recommendation: Recommendation) -> Iterator[Exclusion]:
    """The gates, then the recommendation's own exclusions. A gate that is unknown withholds all but red flags."""
    for gate in recommendation.gates:
        yield Exclusion(gate, show_when_unknown=recommendation.sort is Sort.RED_FLAG)
    yield from recommendation.unless


def _open(verdict: Verdict, needs: frozenset[str]) -> Verdict:
    """The verdict on a side that may not be affected at all: what silences it there settles it, nothing else does."""
    if verdict.standing is Standing.DOES_NOT_STAND:
        return verdict
    return verdict._replace(standing=Standing.UNKNOWN, needs=verdict.needs | needs)


def evaluate(recommendation: Recommendation, situation: Situation) -> Evaluation:
    """Judge every side or draft and put the verdicts together."""
    scopes = scopes_of(recommendation, situation)
    verdicts = [judge(recommendation, scope, situation) for scope in scopes.judged]
    verdicts += [_open(judge(recommendation, scope, situation), scopes.needs) for scope in scopes.left_open]
    standing = tuple(v for v in verdicts if v.standing is Standing.STANDS)
    missing = _NOTHING.union(*(v.needs for v in verdicts if v.standing is not Standing.DOES_NOT_STAND))
    if standing:
        return Evaluation(
            recommendation, Standing.STANDS, standing, missing, _indicator(recommendation, standing, situation)
        )
    states = {v.standing for v in verdicts}
    ranked = (Standing.UNKNOWN, Standing.WITHHELD)
    state = next((one for one in ranked if one in states), Standing.DOES_NOT_STAND)
    return Evaluation(recommendation, state, (), missing, recommendation.indicator)


def _indicator(recommendation: Recommendation, standing: tuple[Verdict, ...], situation: Situation) -> Indicator:
    """The highest indicator that a side or draft certainly reaches; an unknown condition leaves the lower one."""
    level = recommendation.indicator
    for raised, criterion in recommendation.raised_when:
        if raised.rank > level.rank and any(
            criterion.answer(situation.narrowed(verdict.scope)).truth is MET for verdict in standing
        ):
            level = raised
    return level
