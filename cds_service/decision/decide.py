"""One call, decided: judge every recommendation of the hook, put the answers in order, never silent, never noisy.

every recommendation settled             → its cards, or none
some unknown, and the call concerns us   → what stands, and one card for what could not be read
some unknown, nothing known concerns us  → 412 without Patient or Conditions; else no card, gaps in the extension
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.decision.compose import Composer
from cds_service.decision.corrections import Corrections
from cds_service.decision.records import CardRecord, CardState, DataGap, ShadowRun
from cds_service.decision.rollout import ALL_LIVE, Rollout
from cds_service.decision.snooze import NOTHING_QUIET, Quiet
from cds_service.domain.evaluation import Evaluation, Standing, evaluate
from cds_service.domain.facts import GapReason, NeedState, PatientFacts
from cds_service.domain.recommendations import Indicator, Recommendation, Sort
from cds_service.domain.situation import Answer, Situation
from cds_service.domain.times import Now
from cds_service.domain.truth import MET
from cds_service.errors import PreconditionError
from cds_service.hooks.contexts import HookContext
from cds_service.hooks.response import Card, CDSResponse, Suggestion
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.prefetch import needs_of_words

EXTENSION = "org.example.foot-drop-cds"
OUTCOMES = tuple(f"{extent} {cards} cards" for extent in ("complete", "partial") for cards in ("with", "without"))
_FIRST = frozenset(("patient", "condition", "finding"))
_IN_VAIN = (NeedState.FAILED, NeedState.DENIED)
_ROLLOUTS_KEPT = 64
_LOG = logging.getLogger("cds_service.decision")


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, what the ledger keeps of it, and how it came about."""

    response: CDSResponse
    cards: tuple[CardRecord, ...]
    outcome: str
    gaps: tuple[DataGap, ...]
    evaluations: tuple[Evaluation, ...]
    shadows: tuple[ShadowRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """One call, judged on what is known of the patient so far.

    ``hanging`` has the needs on which an answer still hangs, less those that the client said it cannot give;
    ``standing`` the recommendations that stand, most urgent first. ``shadows`` are still to be evaluated, at the end.
    """

    situation: Situation
    evaluations: tuple[Evaluation, ...]
    hanging: frozenset[str]
    concerns_us: Answer
    standing: tuple[Evaluation, ...]
    shadows: tuple[Recommendation, ...] = ()


@dataclass(frozen=True, slots=True)
class _Speakers:
    """Which recommendations of a hook are live for a client, and which run in shadow."""

    live: tuple[Recommendation, ...]
    shadows: tuple[Recommendation, ...]


class Decider:
    """Decides calls with one knowledge. Holds nothing of any patient."""

    def __init__(
        self, knowledge: Knowledge, composer: Composer, max_cards: int, *, with_red_flags: bool = True
    ) -> None:
        """``max_cards`` counts recommendations; 0 means that nothing is folded."""
        self.knowledge = knowledge
        self.composer = composer
        self.corrections = Corrections(composer)
        self.max_cards = max_cards
        self._with_red_flags = with_red_flags
        self._speakers: dict[tuple[str, Rollout], _Speakers] = {}
        needs = knowledge.vocabulary.needs.items()
        self._patient_needs = frozenset(name for name, need in needs if "patient" in need.shows)
        self._vital = self._patient_needs | frozenset(name for name, need in needs if "condition" in need.shows)
        self.first_needs = frozenset(name for name, need in needs if _FIRST & need.shows)
        self._words = {r.id: needs_of_words(r) for r in knowledge.recommendations}

    def situation(self, hook: str, facts: PatientFacts, now: Now) -> Situation:
        """Where the recommendations of this call are judged."""
        return Situation(facts, now, hook)

    def judge(self, situation: Situation, rollout: Rollout = ALL_LIVE) -> Judgement:
        """Every recommendation that is live at the hook, and in effect on this day, against what is known so far."""
        today = dt.date.fromordinal(situation.now.today)
        speakers = self._speaking(situation.hook, rollout)
        evaluations = tuple(evaluate(r, situation) for r in speakers.live if _in_effect(r, today))
        hanging = self._hanging(evaluations, situation.facts)
        standing = _in_order(e for e in evaluations if e.standing is Standing.STANDS)
        concerns = self.knowledge.concerns_us.answer(situation)
        return Judgement(situation, evaluations, hanging, concerns, standing, speakers.shadows)

    def _speaking(self, hook: str, rollout: Rollout) -> _Speakers:
        """Sorted out once for each hook and rollout."""
        found = self._speakers.get((hook, rollout))
        if found is None:
            if len(self._speakers) >= _ROLLOUTS_KEPT:  # the clients file was changed often
                self._speakers.clear()
            found = self._speakers[hook, rollout] = self._sorted_out(hook, rollout)
        return found

    def _sorted_out(self, hook: str, rollout: Rollout) -> _Speakers:
        here = [r for r in self.knowledge.at_hook(hook) if self._with_red_flags or r.sort is not Sort.RED_FLAG]
        next_versions = (
            recommendation
            for name, recommendation in self.knowledge.next_versions.items()
            if name in rollout.next_in_shadow and hook in recommendation.hooks and recommendation.is_effective
        )
        return _Speakers(
            tuple(r for r in here if rollout.is_live(r.id)),
            (*(r for r in here if r.id in rollout.shadow and r.id not in rollout.off), *next_versions),
        )

    def open_needs(self, judgement: Judgement) -> tuple[frozenset[str], ...]:
        """The needs worth asking for now, in the order of their worth: what tells most comes first.

        Those on which a recommendation hangs, or the words and orders of one that stands; and where something hangs,
        those that tell whether the call concerns us at all. Once the Patient was asked for in vain nothing would help.
        """
        facts = judgement.situation.facts
        wanted = judgement.hanging.union(*(self._words[e.recommendation.id] for e in judgement.standing))
        if judgement.hanging and judgement.concerns_us.truth is not MET:
            wanted |= judgement.concerns_us.needs
        missing = facts.missing(wanted)
        without_patient = any(facts.needs.get(name) in _IN_VAIN for name in self._patient_needs & missing)
        return missing & self.first_needs, frozenset() if without_patient else missing - self.first_needs

    def decide(self, context: HookContext, situation: Situation) -> Decision:
        """The answer to one call. Raises PreconditionError where the needed data cannot be had."""
        return self.answer(context, self.judge(situation))

    def answer(self, context: HookContext, judgement: Judgement, quiet: Quiet = NOTHING_QUIET) -> Decision:
        """The answer to one call that is judged; ``quiet`` has the recommendations that an override keeps silent.

        Raises PreconditionError where the needed data cannot be had.
        """
        situation, hanging = judgement.situation, judgement.hanging
        standing = [e for e in judgement.standing if e.recommendation.id not in quiet.recommendations]
        snoozed = [e for e in judgement.standing if e.recommendation.id in quiet.recommendations]
        if snoozed:  # what only a quiet one hangs on is no gap of this answer
            heard = (e for e in judgement.evaluations if e.recommendation.id not in quiet.recommendations)
            hanging = self._hanging(heard, situation.facts)
        critical = [e for e in standing if _is_critical_red_flag(e)]
        shown = critical or standing
        unnamed = hanging.difference(*(evaluation.shown_gaps for evaluation in shown[: self.max_cards or None]))
        concerned = bool(judgement.standing) or judgement.concerns_us.truth is MET
        if self._cannot_be_answered(hanging, concerned, situation.facts):
            raise PreconditionError(self._missing_keys(hanging, situation.facts))
        cards, records = self._cards(shown, situation, context)
        correction = None if critical else self.corrections.card(snoozed, quiet.uncorrected, situation, context)
        if correction:
            cards.append(correction)
            records.append(self.corrections.record(correction))
        records += [_record(e, "", (), "snoozed") for e in snoozed]
        stood, shadows = _in_shadow(judgement)
        records += [_record(e, "", (), "shadow") for e in stood]
        if unnamed and concerned and not critical:
            cards.append(self.composer.data_gap({name: situation.facts.reason(name) for name in unnamed}))
        outcome = ("partial" if hanging else "complete") + (" with cards" if shown else " without cards")
        gaps = self._gaps(hanging, situation.facts)
        response = CDSResponse(cards=tuple(cards), extension=_extension(gaps, situation.facts))
        return Decision(response, tuple(records), outcome, gaps, judgement.evaluations, shadows)

    def _cannot_be_answered(self, hanging: frozenset[str], concerned: bool, facts: PatientFacts) -> bool:
        """Without the Patient, whenever something hangs on it; without the Conditions, where nothing concerns us."""
        if facts.subject is None and hanging & self._patient_needs:
            return True
        return bool(_not_had(hanging & self._vital, facts)) and not concerned

    def _cards(
        self, shown: list[Evaluation], situation: Situation, context: HookContext
    ) -> tuple[list[Card], list[CardRecord]]:
        limit = self.max_cards or len(shown)
        composed = [self.composer.card(e, situation, context) for e in shown]
        cards, rest = composed[:limit], composed[limit:]
        records = [
            _record(e, card.uuid, card.suggestions, "returned") for e, card in zip(shown[:limit], cards, strict=True)
        ]
        if rest:
            folded = self.composer.folded(rest)
            cards.append(folded)
            records += [
                _record(e, folded.uuid, c.suggestions, "folded") for e, c in zip(shown[limit:], rest, strict=True)
            ]
        return cards, records

    def _hanging(self, evaluations: Iterable[Evaluation], facts: PatientFacts) -> frozenset[str]:
        """The needs on which an answer still hangs, less those that the client said it cannot give."""
        hanging: set[str] = set()
        for evaluation in evaluations:
            if evaluation.standing is not Standing.DOES_NOT_STAND:
                hanging |= evaluation.missing
        return frozenset(name for name in hanging if facts.needs.get(name) is not NeedState.NOT_ASKED)

    def _missing_keys(self, gaps: frozenset[str], facts: PatientFacts) -> dict[str, str]:
        """The keys without which there is no answer and which could not be had, each with the reason."""
        needs = self.knowledge.vocabulary.needs
        not_had = _not_had(gaps & self._vital, facts)
        return {
            need.key: facts.reason(name) or GapReason.NOT_SENT
            for name, need in needs.items()
            if name in not_had or ("patient" in need.shows and facts.subject is None)
        }

    def _gaps(self, hanging: frozenset[str], facts: PatientFacts) -> tuple[DataGap, ...]:
        """The needs on which an answer hangs. One that was read holds something that is not clear."""
        gaps = []
        for name, need in self.knowledge.vocabulary.needs.items():
            if name in hanging:
                state, reason = facts.needs.get(name, NeedState.ABSENT), facts.reason(name)
                if state.proves_absence or reason is None:
                    gaps.append(DataGap(name, need.key, "unclear"))
                else:
                    gaps.append(DataGap(name, need.key, state.value, reason.value))
        return tuple(gaps)


def _extension(gaps: tuple[DataGap, ...], facts: PatientFacts) -> dict[str, object] | None:
    """What a machine may want to know: gaps by key, state and reason, and resources that were not understood."""
    extension: dict[str, object] = {}
    if gaps:
        extension[f"{EXTENSION}.data-gaps"] = [
            {"key": gap.key, "state": gap.state} | ({"reason": gap.reason} if gap.reason else {}) for gap in gaps
        ]
    if facts.reading.invalid:
        extension[f"{EXTENSION}.not-understood"] = dict(facts.reading.invalid)
    return extension or None


def _not_had(needs: frozenset[str], facts: PatientFacts) -> frozenset[str]:
    """Those of the needs for which no answer came."""
    return frozenset(name for name in needs if not facts.needs.get(name, NeedState.ABSENT).was_had)


def _in_effect(recommendation: Recommendation, today: dt.date) -> bool:
    """Past its effective period, or before it, a recommendation is silent."""
    period = recommendation.stewardship
    return not (period.effective_from and today < period.effective_from) and not (
        period.effective_to and today > period.effective_to
    )


def _in_shadow(judgement: Judgement) -> tuple[list[Evaluation], tuple[ShadowRun, ...]]:
    """The shadows that stand, and each against what is live. Whatever goes wrong in one changes no answer."""
    live = {evaluation.recommendation.id for evaluation in judgement.standing}
    today = dt.date.fromordinal(judgement.situation.now.today)
    stood, runs = [], []
    for recommendation in judgement.shadows:
        if not _in_effect(recommendation, today):
            continue
        try:
            evaluation = evaluate(recommendation, judgement.situation)
        except Exception as error:  # noqa: BLE001  # what is tried out must not cost the clinician an answer
            _LOG.error("%s in shadow could not be evaluated: %s", recommendation.id, type(error).__name__)
            continue
        stands = evaluation.standing is Standing.STANDS
        runs.append(ShadowRun(recommendation.id, recommendation.stewardship.version, stands, recommendation.id in live))
        if stands:
            stood.append(evaluation)
    return stood, tuple(runs)


def _in_order(evaluations: Iterable[Evaluation]) -> tuple[Evaluation, ...]:
    """Critical before warning before info, then the order of the table."""
    return tuple(sorted(evaluations, key=lambda e: (-e.indicator.rank, e.recommendation.order)))


def _is_critical_red_flag(evaluation: Evaluation) -> bool:
    return evaluation.recommendation.sort is Sort.RED_FLAG and evaluation.indicator is Indicator.CRITICAL


def _record(
    evaluation: Evaluation, card_uuid: str, suggestions: tuple[Suggestion, ...], state: CardState
) -> CardRecord:
    return CardRecord(
        uuid=card_uuid,
        recommendation_id=evaluation.recommendation.id,
        version=evaluation.recommendation.stewardship.version,
        indicator=evaluation.indicator.value,
        suggestion_uuids=tuple(suggestion.uuid for suggestion in suggestions),
        state=state,
        sides=int(evaluation.sides),
    )


def new_call_id() -> str:
    """Ours, for logs and the ledger; not the hook instance, which is the client's."""
    return str(uuid.uuid4())
