"""What a card offers: suggestions with complete orders, changes of the draft, deletions.

A suggestion is not offered where its criteria do not hold, or where the record says not to do what it would order.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cds_service.decision.orders import OrderContext
from cds_service.decision.ports import OrderWriter
from cds_service.decision.words import fill, planned_day
from cds_service.domain.codes import CodeTable
from cds_service.domain.evaluation import Evaluation
from cds_service.domain.facts import Condition, Fact, Kind, Order, Priority
from cds_service.domain.recommendations import Offer, OfferedAction, OfferedSuggestion, Orderable, PlannedDate
from cds_service.domain.sides import Side, same_side
from cds_service.domain.situation import Situation
from cds_service.domain.truth import MET
from cds_service.hooks.contexts import HookContext
from cds_service.hooks.response import Action, ActionType, Suggestion, names_a_resource

_REASON_TYPES = ("Condition/", "Observation/", "DiagnosticReport/")


class Offering(NamedTuple):
    """What a card offers: suggestions, and in words what the EHR cannot take as one."""

    suggestions: tuple[Suggestion, ...] = ()
    by_hand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offers:
    """Writes the suggestions of a card. ``table`` tells what an order of ours means when the record refuses it."""

    writer: OrderWriter
    table: CodeTable

    def of(
        self, evaluation: Evaluation, here: list[Situation], context: HookContext, values: dict[str, str]
    ) -> Offering:
        """What this card offers to this user, in the order of the file.

        A suggestion of which the EHR cannot take every action is put in words as a whole: half an order is none.
        """
        suggestions: list[Suggestion] = []
        by_hand: list[str] = []
        for offered in evaluation.recommendation.suggestions:
            stands = [s for s in here if offered.when is None or offered.when.answer(s).truth is MET]
            if not stands or self._is_refused(offered, stands):
                continue
            side = _sides_of(offered, stands)
            words = {**values, "side": side.words}
            label = fill(offered.label, words)
            if not all(self.writer.takes(action.offer, action.orderable) for action in offered.actions):
                by_hand.append(label)
                continue
            actions = tuple(self._actions(offered, stands, context, words, side))
            if actions:
                made = str(uuid.uuid4())
                suggestions.append(
                    Suggestion(label=label, uuid=made, is_recommended=offered.recommended, actions=actions)
                )
        return Offering(tuple(suggestions), tuple(by_hand))

    def _is_refused(self, offered: OfferedSuggestion, stands: list[Situation]) -> bool:
        """Whether the record says not to do this (gate G2): what is refused is not suggested again."""
        look_up = self.table.look_up
        for action in offered.actions:
            codings = action.orderable.codings if action.orderable else ()
            concepts = {meaning.concept for coding in codings for meaning in look_up(coding.system, coding.code)}
            refusals = stands[0].facts.of(Kind.REFUSAL, concepts)
            if any(same_side(refusal.side, s.scope.side or 0) for refusal in refusals for s in stands):
                return True
        return False

    def _actions(
        self,
        offered: OfferedSuggestion,
        stands: list[Situation],
        context: HookContext,
        values: dict[str, str],
        side: Side,
    ) -> Iterable[Action]:
        for action in offered.actions:
            description = fill(action.description, values)
            if action.offer is Offer.CREATE:
                resource = self._order(action, stands, context, description, side)
                yield Action(type=ActionType.CREATE, description=description, resource=resource)
                continue
            for draft, situation in _drafts(action, stands):
                yield from self._change(action, draft, situation, description)

    def _change(self, action: OfferedAction, draft: Order, situation: Situation, description: str) -> Iterable[Action]:
        """A change needs the draft's id; without one it cannot be offered."""
        if action.offer is Offer.DELETE_DRAFT:
            if names_a_resource(draft.reference):
                yield Action(type=ActionType.DELETE, description=description, resource_id=draft.reference)
            return
        planned = _planned(action.planned, situation)
        if not draft.reference or draft.resource is None or (action.planned and planned is None):
            return
        resource = self.writer.update(
            draft.resource,
            planned=planned,
            on_hold=action.on_hold,
            add_reason=action.add_reason,
            new_code=action.new_code,
            priority=action.new_priority,
        )
        yield Action(type=ActionType.UPDATE, description=description, resource=resource)

    def _order(
        self, action: OfferedAction, stands: list[Situation], context: HookContext, description: str, side: Side
    ) -> dict[str, Any]:
        if action.orderable is None:
            raise ValueError("a create action has an orderable: the compiler refuses it otherwise")
        return self.order(
            action.orderable,
            _reasons(action, stands),
            context,
            stands[0],
            description,
            side=side,
            priority=action.priority,
            planned=_planned(action.planned, stands[0]),
        )

    def order(
        self,
        orderable: Orderable,
        reasons: list[Fact],
        context: HookContext,
        situation: Situation,
        description: str,
        *,
        side: Side = Side.UNSPECIFIED,
        priority: Priority = Priority.ROUTINE,
        planned: dt.date | None = None,
    ) -> dict[str, Any]:
        """A complete new order for this patient by this user, for these reasons. Its note is the description."""
        references = tuple(r.reference for r in reasons if r.reference.startswith(_REASON_TYPES))
        return self.writer.create(
            orderable,
            OrderContext(
                patient_id=context.patient_id,
                encounter_id=context.encounter_id,
                requester=context.user_id,
                side=side if orderable.sided else Side.UNSPECIFIED,
                reasons=references,
                reason_codings=tuple(dict.fromkeys(reason.coding for reason in reasons)),
                priority=priority,
                planned=planned,
                intent="proposal",
                authored=situation.now.at,
                description=description,
            ),
        )


def _sides_of(offered: OfferedSuggestion, stands: list[Situation]) -> Side:
    """The sides for which a suggestion is offered, not always all of the card's.

    Where neither a side nor a draft's side is judged, it is the side that the reasons of its orders name.
    """
    side = Side.UNSPECIFIED
    for situation in stands:
        side |= situation.scope.side or Side.UNSPECIFIED
    if not side:
        for fact in (fact for action in offered.actions for fact in _reasons(action, stands)):
            side |= fact.side
    return side


def _drafts(action: OfferedAction, stands: list[Situation]) -> Iterable[tuple[Order, Situation]]:
    """The drafts an action changes: those being judged, or those of a kind that this call brings."""
    for situation in stands:
        if situation.scope.draft is not None:
            yield situation.scope.draft, situation
    if action.of_drafts and stands:
        for fact in stands[0].facts.of(Kind.ORDER, action.of_drafts):
            if isinstance(fact, Order) and fact.judged:
                yield fact, stands[0]


def _reasons(action: OfferedAction, stands: list[Situation]) -> list[Fact]:
    """What is behind an order: the records for which its action says it is."""
    return [] if action.reason is None else reasons_among(f for s in stands for f in action.reason.answer(s).facts)


def reasons_among(facts: Iterable[Fact]) -> list[Fact]:
    """The patient's own problems among these records, each once; where there are none, all of them."""
    each = {id(fact): fact for fact in facts}
    problems: list[Fact] = [fact for fact in each.values() if isinstance(fact, Condition)]
    return problems or list(each.values())


def _planned(planned: PlannedDate | None, situation: Situation) -> dt.date | None:
    if planned is None:
        return None
    if planned.moment is None:
        return dt.date.fromordinal(situation.now.today + planned.plus.amount)
    when = planned.moment.find(situation).when
    return None if when is None else planned_day(when, planned.plus.amount, situation)
