"""Why each recommendation came out as it did: worked out anew from a request, by the same reader and criteria."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cds_service.decision.agreement import Agreement
from cds_service.decision.compose import MORE, markdown_line
from cds_service.decision.decide import Decider, Decision, Judgement
from cds_service.decision.trace import Trace, trace
from cds_service.domain.evaluation import Evaluation, Standing
from cds_service.domain.facts import PatientFacts
from cds_service.domain.times import Now
from cds_service.errors import PreconditionError, WrongHookError
from cds_service.hooks.contexts import HookContext, parse_context
from cds_service.hooks.json_limits import JSONLimits
from cds_service.hooks.request import parse_request
from cds_service.hooks.response import Card
from cds_service.web.playground.cards import Answer

_STATES = {
    Standing.WITHHELD: "withheld",
    Standing.UNKNOWN: "unknown",
    Standing.DOES_NOT_STAND: "silent",
}


@dataclass(frozen=True, slots=True)
class Reasons:
    """What a request was judged by. ``decision`` is None where the call is refused for want of data."""

    context: HookContext
    judgement: Judgement
    decision: Decision | None
    traces: tuple[Trace, ...]
    decider: Decider

    @property
    def hook(self) -> str:
        """The hook that was fired."""
        return self.judgement.situation.hook

    @property
    def facts(self) -> PatientFacts:
        """What was read of the patient."""
        return self.judgement.situation.facts

    def state_of(self, evaluation: Evaluation, answer: Answer) -> str:
        """How a recommendation came out in this answer: a key of ``words.STATES``."""
        if evaluation.standing is not Standing.STANDS:
            return _STATES[evaluation.standing]
        if answer.response is None:
            return "unanswered"
        cards = answer.response.cards
        if evaluation.recommendation.id in topics(cards):
            return "shown"
        if self._is_listed(evaluation, cards):
            return "folded"
        records = self.decision.cards if self.decision else ()
        return "quiet" if any(r.recommendation_id == evaluation.recommendation.id for r in records) else "silenced"

    def _is_listed(self, evaluation: Evaluation, cards: Sequence[Card]) -> bool:
        """Whether the card that lists the rest names it."""
        more = next((card for card in cards if card.source.topic and card.source.topic.code == MORE), None)
        own = self.decider.composer.card(evaluation, self.judgement.situation, self.context)
        return more is not None and markdown_line(own.summary) in (more.detail or "")

    def explains(self, answer: Answer) -> bool:
        """Whether every recommendation that has a card stands here too."""
        known = {one.evaluation.recommendation.id: one.evaluation.standing for one in self.traces}
        shown = topics(answer.response.cards) if answer.response else ()
        return all(known.get(code, Standing.STANDS) is Standing.STANDS for code in shown)


def topics(cards: Sequence[Card]) -> tuple[str, ...]:
    """What each card is about, in order."""
    return tuple(card.source.topic.code for card in cards if card.source.topic)


@dataclass(frozen=True, slots=True)
class Reasoner:
    """Works out reasons. Fetches nothing: a call of the playground brings all that it has."""

    agreement: Agreement
    limits: JSONLimits
    zone: dt.tzinfo

    def reasons(self, request: bytes, at: dt.datetime) -> Reasons:
        """The reasons behind the answer to a request. Raises RequestError where the service would refuse to read it."""
        self.limits.check(request)
        call, now, decider = parse_request(request), Now.of(at, self.zone), self.agreement.decider
        if call.hook not in decider.knowledge.prefetch:
            raise WrongHookError(decider.knowledge.prefetch)
        context = parse_context(call.hook, call.context)
        facts = self.agreement.records.open(call, context, now).facts()
        situation = decider.situation(call.hook, facts, now)
        judgement = decider.judge(situation, self.agreement.rollout)
        try:
            decision = decider.answer(context, judgement)
        except PreconditionError:
            decision = None
        traces = tuple(trace(one.recommendation, situation) for one in judgement.evaluations)
        return Reasons(context, judgement, decision, traces, decider)
