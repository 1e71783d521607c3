"""Offering to correct the record (gate G6): what a dismissed card said is missing there, as orders that can be filed.

A reason such as "done elsewhere" keeps a card quiet, but whoever reads the record next cannot know it. Where a later
call finds that the advice still stands, one card offers an order for each thing to record. Nothing is changed by
itself, and what was accepted or dismissed is not offered again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cds_service.decision.compose import Composer, cut
from cds_service.decision.offers import reasons_among
from cds_service.decision.records import RECORD_CORRECTION, CardRecord
from cds_service.decision.snooze import Override
from cds_service.decision.words import fill
from cds_service.domain.evaluation import Evaluation
from cds_service.domain.recommendations import Indicator, Offer
from cds_service.domain.sides import Side
from cds_service.domain.situation import Situation
from cds_service.hooks.contexts import HookContext
from cds_service.hooks.response import Action, ActionType, Card, OverrideReason, SelectionBehavior, Suggestion


@dataclass(frozen=True, slots=True)
class _Correction:
    """One thing to record: in words, for which reasons, and the advice that is quiet because of it."""

    what: str
    reasons: tuple[str, ...]
    quiet: tuple[Evaluation, ...]

    @property
    def values(self) -> dict[str, str]:
        """What stands in the slots of its texts."""
        return {"what": self.what, "reason": " / ".join(self.reasons), "advice": "; ".join(map(_title, self.quiet))}

    @property
    def side(self) -> Side:
        """The sides of which the advice speaks."""
        side = Side.UNSPECIFIED
        for evaluation in self.quiet:
            side |= evaluation.sides
        return side


class Corrections:
    """Composes the card that offers to correct the record."""

    def __init__(self, composer: Composer) -> None:
        """``composer`` has the knowledge, and writes the orders."""
        self.composer = composer
        self.rules = composer.knowledge.corrections
        self.words = composer.knowledge.words.record_correction_card
        self._override_reasons = tuple(
            OverrideReason(system=r.system, code=r.code, display=r.display) for r in self.rules.override_reasons
        )

    def card(
        self, quiet: Sequence[Evaluation], overrides: Sequence[Override], situation: Situation, context: HookContext
    ) -> Card | None:
        """The card for what these overrides keep ``quiet``, if their reasons say that the record lacks something.

        A patient or a relative gets no orders, and therefore no card.
        """
        if situation.hook not in self.rules.hooks or context.is_patient_facing:
            return None
        found = self._corrections(quiet, overrides)
        if not found:
            return None
        lines = "\n".join(fill(self.words.correction, one.values) for one in found)
        summary = self.words.summary if len(found) == 1 else self.words.summary_of_several
        offered = self.composer.offers.writer.takes(Offer.CREATE, self.rules.orderable)
        suggestions = tuple(self._suggestion(one, situation, context) for one in found) if offered else ()
        return Card(
            uuid=str(uuid.uuid4()),
            summary=cut(fill(summary, found[0].values | {"count": str(len(found))})),
            detail=fill(self.words.detail, {"corrections": lines}),
            indicator=Indicator.INFO,
            source=self.composer.plain_source(RECORD_CORRECTION, self.words.title),
            suggestions=suggestions,
            selection_behavior=SelectionBehavior.ANY if suggestions else None,
            override_reasons=self._override_reasons,
        )

    def record(self, card: Card) -> CardRecord:
        """What the ledger keeps of the card, so that the answer to it is found."""
        return CardRecord(
            uuid=card.uuid,
            recommendation_id=RECORD_CORRECTION,
            version=self.composer.knowledge.fingerprint,
            indicator=card.indicator.value,
            suggestion_uuids=tuple(suggestion.uuid for suggestion in card.suggestions),
        )

    def _corrections(self, quiet: Iterable[Evaluation], overrides: Sequence[Override]) -> list[_Correction]:
        """The things to record, each once, in the order of the advice."""
        found: dict[str, _Correction] = {}
        for evaluation in quiet:
            for override in overrides:
                asked = self.rules.to_record.get((override.reason_system, override.reason_code))
                if asked is None or override.recommendation_id != evaluation.recommendation.id:
                    continue
                what = fill(asked.what, {"advice": evaluation.recommendation.title})
                known = found.get(what, _Correction(what, (), ()))
                reasons = dict.fromkeys((*known.reasons, asked.reason))
                behind = {one.recommendation.id: one for one in (*known.quiet, evaluation)}
                found[what] = _Correction(what, tuple(reasons), tuple(behind.values()))
        return list(found.values())

    def _suggestion(self, correction: _Correction, situation: Situation, context: HookContext) -> Suggestion:
        description = fill(self.words.description, correction.values)
        reasons = reasons_among(fact for evaluation in correction.quiet for fact in evaluation.facts)
        order = self.composer.offers.order(
            self.rules.orderable, reasons, context, situation, description, side=correction.side
        )
        return Suggestion(
            label=fill(self.words.suggestion, correction.values),
            uuid=str(uuid.uuid4()),
            actions=(Action(type=ActionType.CREATE, description=description, resource=order),),
        )


def _title(evaluation: Evaluation) -> str:
    """The advice, with the side of which it speaks."""
    side = f", {evaluation.sides.words}" if evaluation.sides else ""
    return f"{evaluation.recommendation.title}{side}"
