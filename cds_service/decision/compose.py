"""Evaluations → cards: order, folding, words, suggestions that an EHR can file."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.decision.orders import OrderContext
from cds_service.decision.ports import OrderWriter
from cds_service.decision.words import Clean, describe, fill, markdown, plain, planned_day, slot_text
from cds_service.domain.evaluation import Evaluation
from cds_service.domain.facts import Condition, Fact, Kind, Order
from cds_service.domain.recommendations import (
    Indicator,
    Offer,
    OfferedAction,
    OfferedSuggestion,
    PlannedDate,
    Recommendation,
)
from cds_service.domain.sides import Side, same_side
from cds_service.domain.situation import Situation
from cds_service.domain.truth import MET
from cds_service.hooks.contexts import HookContext
from cds_service.hooks.response import (
    SUMMARY_LIMIT,
    Action,
    ActionType,
    Card,
    Coding,
    Link,
    LinkType,
    OverrideReason,
    SelectionBehavior,
    Source,
    Suggestion,
)
from cds_service.knowledge.knowledge import Knowledge

_REASON_TYPES = ("Condition/", "Observation/", "DiagnosticReport/")
DATA_GAP, MORE = "data-gap", "more-recommendations"


@dataclass(frozen=True, slots=True)
class FixedParts:
    """What is the same on every card of a recommendation: made once at load."""

    source: Source
    override_reasons: tuple[OverrideReason, ...]
    links: tuple[Link, ...]
    behavior: SelectionBehavior
    closing: tuple[str, ...]


class Composer:
    """Writes cards in the words of the knowledge."""

    def __init__(self, knowledge: Knowledge, writer: OrderWriter, public_url: str) -> None:
        """``public_url`` is where the pages behind the cards are."""
        self.knowledge = knowledge
        self.writer = writer
        self.public_url = public_url
        self._fixed = {r.id: self._fixed_parts(r) for r in knowledge.recommendations}

    def _fixed_parts(self, recommendation: Recommendation) -> FixedParts:
        words = self.knowledge.words
        cited = "; ".join(self._citation(name) for name in recommendation.evidence[:3])
        evidence = fill(words.evidence_line, {"strength": recommendation.strength, "citations": cited})
        return FixedParts(
            source=self._source(recommendation.id, recommendation.title),
            override_reasons=tuple(
                OverrideReason(system=r.system, code=r.code, display=r.display) for r in recommendation.override_reasons
            ),
            links=tuple(Link(label=link.label, url=link.url, type=LinkType.ABSOLUTE) for link in recommendation.links),
            behavior=SelectionBehavior.ANY if recommendation.select_any else SelectionBehavior.AT_MOST_ONE,
            closing=(evidence, words.draft_notice),
        )

    def card(self, evaluation: Evaluation, situation: Situation, context: HookContext) -> Card:
        """The card of one recommendation, for all the sides or drafts on which it stands."""
        fixed = self._fixed[evaluation.recommendation.id]
        here = [situation.narrowed(verdict.scope) for verdict in evaluation.verdicts]
        values = self._values(evaluation, here, plain)
        suggestions = () if context.is_patient_facing else tuple(self._suggestions(evaluation, here, context, values))
        return Card(
            uuid=str(uuid.uuid4()),
            summary=_cut(fill(evaluation.recommendation.summary, values)),
            detail=self._detail(evaluation, here, fixed),
            indicator=evaluation.indicator,
            source=fixed.source,
            suggestions=suggestions,
            selection_behavior=fixed.behavior if suggestions else None,
            override_reasons=fixed.override_reasons,
            links=fixed.links,
        )

    def _source(self, code: str, title: str) -> Source:
        topic = self.knowledge.topic(code, title)
        return Source(
            label=self.knowledge.words.source.label,
            url=f"{self.public_url}/cards/{code}",
            topic=Coding(system=topic.system, code=topic.code, display=topic.display),
        )

    # ---- words

    def _values(self, evaluation: Evaluation, here: list[Situation], clean: Clean) -> dict[str, str]:
        """The slots' texts, every value from the record made harmless by ``clean``."""
        drafts = dict.fromkeys(clean(s.scope.draft.coding.display) for s in here if s.scope.draft is not None)
        not_read = self.knowledge.words.not_read
        values = {
            name: slot_text(slot, here, clean, not_read) for name, slot in evaluation.recommendation.slots.items()
        }
        values["side"] = evaluation.sides.words
        values["draft"] = ", ".join(drafts)
        values["missing"] = self.needs_in_words(evaluation.shown_gaps) or self.knowledge.words.unclear
        judged = {id(s.scope.draft) for s in here}
        values["found"] = "; ".join(describe(fact, clean) for fact in evaluation.facts if id(fact) not in judged)
        return values

    def _detail(self, evaluation: Evaluation, here: list[Situation], fixed: FixedParts) -> str:
        values = self._values(evaluation, here, markdown)
        parts = [
            fill(text.template, values)
            for text in evaluation.recommendation.detail
            if text.when is None or any(text.when.answer(s).truth is MET for s in here)
        ]
        parts += [fill(caveat, values) for caveat in evaluation.caveats]
        return "\n\n".join(part.strip() for part in (*parts, *fixed.closing))

    def _citation(self, name: str) -> str:
        source = self.knowledge.evidence[name]
        return f"[{source.short}]({source.url})" if source.url else source.short

    def needs_in_words(self, needs: Iterable[str]) -> str:
        """Needs as a clinician calls them, in the order of ``services.yaml``."""
        known = self.knowledge.words.needs
        return ", ".join(entry.words for name, entry in known.items() if name in set(needs))

    # ---- suggestions

    def _suggestions(
        self, evaluation: Evaluation, here: list[Situation], context: HookContext, values: dict[str, str]
    ) -> Iterable[Suggestion]:
        for offered in evaluation.recommendation.suggestions:
            stands = [s for s in here if offered.when is None or offered.when.answer(s).truth is MET]
            if not stands or self._is_refused(offered, stands):
                continue
            side = _sides_of(offered, stands)
            words = {**values, "side": side.words}
            actions = tuple(self._actions(offered, stands, context, words, side))
            if actions:
                yield Suggestion(
                    label=fill(offered.label, words),
                    uuid=str(uuid.uuid4()),
                    is_recommended=offered.recommended,
                    actions=actions,
                )

    def _is_refused(self, offered: OfferedSuggestion, stands: list[Situation]) -> bool:
        """Whether the record says not to do this (gate G2): what is refused is not suggested again."""
        look_up = self.knowledge.vocabulary.table.look_up
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
        """A deletion needs the draft's id; without one it cannot be offered."""
        if action.offer is Offer.DELETE_DRAFT:
            if draft.reference:
                yield Action(type=ActionType.DELETE, description=description, resource_id=draft.reference)
            return
        planned = _planned(action.planned, situation)
        if draft.resource is None or (action.planned and planned is None):
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
        reasons = _reasons(action, stands)
        references = tuple(r.reference for r in reasons if r.reference.startswith(_REASON_TYPES))
        return self.writer.create(
            action.orderable,
            OrderContext(
                patient_id=context.patient_id,
                encounter_id=context.encounter_id,
                requester=context.user_id,
                side=side if action.orderable.sided else Side.UNSPECIFIED,
                reasons=references,
                reason_codings=tuple(dict.fromkeys(reason.coding for reason in reasons)),
                priority=action.priority,
                planned=_planned(action.planned, stands[0]),
                intent="proposal",
                authored=stands[0].now.at,
                description=description,
            ),
        )

    # ---- the cards that are no recommendation's own

    def folded(self, cards: Sequence[Card]) -> Card:
        """One card for those beyond the limit: each summary, all their suggestions, the highest indicator."""
        words = self.knowledge.words.folded_card
        lines = "\n".join(f"- {markdown_line(card.summary)}" for card in cards)
        suggestions = tuple(s for card in cards for s in card.suggestions)
        values = {"count": str(len(cards)), "cards": lines}
        return Card(
            uuid=str(uuid.uuid4()),
            summary=fill(words.summary, values),
            detail=fill(words.detail, values),
            indicator=max((card.indicator for card in cards), key=lambda i: i.rank),
            source=self._plain_source(MORE, words.title),
            suggestions=suggestions,
            selection_behavior=SelectionBehavior.ANY if suggestions else None,
        )

    def data_gap(self, needs: Iterable[str]) -> Card:
        """One card that says what could not be read."""
        words = self.knowledge.words.data_gap_card
        values = {"missing": self.needs_in_words(needs)}
        return Card(
            uuid=str(uuid.uuid4()),
            summary=_cut(fill(words.summary, values)),
            detail=fill(words.detail, values),
            indicator=Indicator.INFO,
            source=self._plain_source(DATA_GAP, words.title),
        )

    def _plain_source(self, code: str, title: str) -> Source:
        topic = self.knowledge.topic(code, title)
        return Source(
            label=self.knowledge.words.source.label,
            topic=Coding(system=topic.system, code=topic.code, display=topic.display),
        )


def _cut(summary: str) -> str:
    """A summary within the standard's limit; ``check`` sees to it that none of ours needs this."""
    return summary if len(summary) < SUMMARY_LIMIT else summary[: SUMMARY_LIMIT - 2].rstrip() + "…"


def markdown_line(text: str) -> str:
    """A summary inside a list: harmless, not cut."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("[", "\\[")


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
    """The patient's own problems behind an order; where there are none, the observations that show it."""
    facts: dict[int, Fact] = {}
    for situation in stands:
        if action.reason is not None:
            facts.update((id(fact), fact) for fact in action.reason.answer(situation).facts)
    problems: list[Fact] = [f for f in facts.values() if isinstance(f, Condition)]
    return problems or list(facts.values())


def _planned(planned: PlannedDate | None, situation: Situation) -> dt.date | None:
    if planned is None:
        return None
    if planned.moment is None:
        return dt.date.fromordinal(situation.now.today + planned.plus.amount)
    when = planned.moment.find(situation).when
    return None if when is None else planned_day(when, planned.plus.amount, situation)
