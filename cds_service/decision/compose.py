"""Evaluations → cards: their words, their fixed parts, and the cards that are no recommendation's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cds_service.decision.offers import Offering, Offers
from cds_service.decision.ports import OrderWriter
from cds_service.decision.words import Clean, describe, fill, markdown, plain, slot_text
from cds_service.domain.evaluation import Evaluation
from cds_service.domain.facts import GapReason
from cds_service.domain.recommendations import Indicator, Recommendation
from cds_service.domain.situation import Situation
from cds_service.domain.truth import MET
from cds_service.hooks.contexts import HookContext
from cds_service.hooks.response import (
    SUMMARY_LIMIT,
    Card,
    Coding,
    Link,
    LinkType,
    OverrideReason,
    SelectionBehavior,
    Source,
)
from cds_service.knowledge.knowledge import Knowledge

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
        self.offers = Offers(writer, knowledge.vocabulary.table)
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
        patient_facing = context.is_patient_facing
        offering = Offering() if patient_facing else self.offers.of(evaluation, here, context, values)
        return Card(
            uuid=str(uuid.uuid4()),
            summary=cut(fill(evaluation.recommendation.summary, values)),
            detail=self._detail(evaluation, here, fixed, offering.by_hand),
            indicator=evaluation.indicator,
            source=fixed.source,
            suggestions=offering.suggestions,
            selection_behavior=fixed.behavior if offering.suggestions else None,
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

    def _detail(self, evaluation: Evaluation, here: list[Situation], fixed: FixedParts, by_hand: Sequence[str]) -> str:
        values = self._values(evaluation, here, markdown)
        parts = [fill(caveat, values) for caveat in evaluation.caveats]  # first: the rest is to be read with it
        parts += [
            fill(text.template, values)
            for text in evaluation.recommendation.detail
            if text.when is None or any(text.when.answer(s).truth is MET for s in here)
        ]
        if by_hand:
            lines = "\n".join(f"- {markdown_line(label)}" for label in by_hand)
            parts.append(fill(self.knowledge.words.to_do_by_hand, {"suggestions": lines}))
        return "\n\n".join(part.strip() for part in (*parts, *fixed.closing))

    def _citation(self, name: str) -> str:
        source = self.knowledge.evidence[name]
        return f"[{source.short}]({source.url})" if source.url else source.short

    def needs_in_words(self, needs: Iterable[str]) -> str:
        """Needs as a clinician calls them, in the order of ``services.yaml``."""
        known = self.knowledge.words.needs
        wanted = frozenset(needs)
        return ", ".join(entry.words for name, entry in known.items() if name in wanted)

    def _why(self, reason: GapReason | None) -> str:
        words = self.knowledge.words
        return words.gap_reasons[reason] if reason else words.unclear

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
            source=self.plain_source(MORE, words.title),
            suggestions=suggestions,
            selection_behavior=SelectionBehavior.ANY if suggestions else None,
        )

    def data_gap(self, gaps: Mapping[str, GapReason | None]) -> Card:
        """One card that says what could not be read, and why."""
        words = self.knowledge.words.data_gap_card
        lines = (
            f"- **{entry.words}**: {self._why(gaps[name])}"
            for name, entry in self.knowledge.words.needs.items()
            if name in gaps
        )
        values = {"missing": "\n".join(lines)}
        return Card(
            uuid=str(uuid.uuid4()),
            summary=cut(fill(words.summary, values)),
            detail=fill(words.detail, values),
            indicator=Indicator.INFO,
            source=self.plain_source(DATA_GAP, words.title),
        )

    def plain_source(self, code: str, title: str) -> Source:
        """The source of a card that has no page of its own."""
        topic = self.knowledge.topic(code, title)
        return Source(
            label=self.knowledge.words.source.label,
            topic=Coding(system=topic.system, code=topic.code, display=topic.display),
        )


def cut(summary: str) -> str:
    """A summary within the standard's limit; ``check`` sees to it that none of ours needs this."""
    return summary if len(summary) < SUMMARY_LIMIT else summary[: SUMMARY_LIMIT - 2].rstrip() + "…"


def markdown_line(text: str) -> str:
    """A summary inside a list: harmless, not cut."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("[", "\\[")
