"""Quiet after an override (gate G6): which recommendations stay silent because somebody has dismissed them.

An override quiets the same recommendation for the same patient in the same episode of foot drop, for the period that
its reason or its indicator sets. A reason about the patient quiets it for everybody, one about the moment, or none at
all, for the user who gave it. It comes back when the period is over, when its indicator rises, or when it speaks of a
side that was not dismissed. A red flag, or a critical card, is quiet within the encounter only. That a card was shown
before never quiets it.

Some reasons say that the record lacks something. The overrides behind what is quiet are therefore told too, but for
those after which an offer to correct the record was answered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cds_service.decision.records import RECORD_CORRECTION
from cds_service.domain.evaluation import Evaluation
from cds_service.domain.facts import Condition, Kind, PatientFacts
from cds_service.domain.recommendations import Indicator, Sort
from cds_service.domain.times import When
from cds_service.domain.truth import NOT_MET
from cds_service.knowledge.snooze import SnoozeRules

_SKEW: Final = timedelta(days=1)
"""How far the clock of an EHR may be ahead: a time beyond that is no time at all, and must not quiet for years."""


@dataclass(frozen=True, slots=True)
class Override:
    """A card that was dismissed: what it said, when it was shown, when dismissed and why, whom it was about (hashes).

    An offer to correct the record is one, under its own id, also where it was accepted: either way it was answered.
    """

    recommendation_id: str
    indicator: str
    sides: int
    shown: datetime
    at: datetime
    reason_system: str
    reason_code: str
    user: str
    encounter: str
    episode: str


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom this call is about: the hashes by which the ledger may know them, under the current key and older ones."""

    user: Collection[str]
    encounter: Collection[str]
    episode: Collection[str]


@dataclass(frozen=True, slots=True)
class Quiet:
    """The recommendations that are silent now, and the overrides behind them for which a correction can be offered."""

    recommendations: frozenset[str] = frozenset()
    uncorrected: tuple[Override, ...] = ()


NOTHING_QUIET: Final = Quiet()


def quiet(
    evaluations: Iterable[Evaluation], overrides: Iterable[Override], whom: Whom, at: datetime, rules: SnoozeRules
) -> Quiet:
    """The recommendations, of those that stand, that an override keeps silent now."""
    by_id: dict[str, list[Override]] = {}
    for override in overrides:
        by_id.setdefault(override.recommendation_id, []).append(override)
    quieting = [
        one
        for evaluation in evaluations
        for one in by_id.get(evaluation.recommendation.id, ())
        if _quiets(one, evaluation, whom, at, rules)
    ]
    answers = [one for one in by_id.get(RECORD_CORRECTION, ()) if at - one.at > -_SKEW]
    return Quiet(
        frozenset(one.recommendation_id for one in quieting),
        tuple(one for one in quieting if not any(_answers(answer, one) for answer in answers)),
    )


def _answers(answer: Override, override: Override) -> bool:
    """Whether an offer to correct the record was made, and answered, after a card was dismissed.

    Cards of one call were shown at the same time: none of them tells of another that was dismissed after it.
    """
    return override.shown < answer.shown and override.at <= answer.at


def _quiets(override: Override, evaluation: Evaluation, whom: Whom, at: datetime, rules: SnoozeRules) -> bool:
    """Whether one override keeps a recommendation silent that stands now."""
    if override.episode not in whom.episode:
        return False
    dismissed = Indicator(override.indicator)
    if evaluation.indicator.rank > dismissed.rank or int(evaluation.sides) & ~override.sides:
        return False
    reason = rules.reasons.get((override.reason_system, override.reason_code))
    if (reason is None or not reason.about_patient) and override.user not in whom.user:
        return False
    is_urgent = dismissed is Indicator.CRITICAL or evaluation.recommendation.sort is Sort.RED_FLAG
    if is_urgent and override.encounter not in whom.encounter:
        return False
    age = at - override.at
    return age > -_SKEW and (is_urgent or age < timedelta(days=rules.days(dismissed, reason)))


def episode_of(facts: PatientFacts, rules: SnoozeRules) -> str | None:
    """The spell of foot drop that the patient is in, by the day of its first onset; None where it cannot be told.

    It reaches back over conditions that have ended, as long as another one was there when they did. One word stands for
    a spell whose onset nobody knows, another for no spell at all.
    """
    if facts.missing(rules.episode_needs):
        return None
    found = [fact for fact in facts.of(Kind.CONDITION, rules.episode_of) if isinstance(fact, Condition)]
    active = [fact for fact in found if fact.active is not NOT_MET]
    if not active:
        return "none"
    starts = [start for fact in active if (start := _start(fact)) is not None]
    if len(starts) < len(active):
        return "undated"
    first = min(start.earliest for start in starts)
    ended = [
        (start.earliest, fact.ended.latest) for fact in found if fact.ended and (start := _start(fact)) is not None
    ]
    while earlier := [start for start, end in ended if start < first <= end]:
        first = min(earlier)
    return f"since {first}"


def _start(fact: Condition) -> When | None:
    return fact.when or fact.recorded
