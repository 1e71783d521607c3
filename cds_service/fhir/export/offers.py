"""A recommendation's suggestions as nested actions of its PlanDefinition."""

from __future__ import annotations

from typing import Final

from cds_service.domain.recommendations import Offer, OfferedAction, OfferedSuggestion
from cds_service.fhir.export.conditions import applies_when
from cds_service.fhir.export.edition import Edition, Resource, coded, filled, paragraphs
from cds_service.fhir.export.orderables import canonical
from cds_service.fhir.export.sentences import planned_date, read_aloud

_TYPES: Final = {
    Offer.CREATE: ("create", "Create"),
    Offer.UPDATE_DRAFT: ("update", "Update"),
    Offer.DELETE_DRAFT: ("remove", "Remove"),
}
_TYPE_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/action-type"


def suggestion(offered: OfferedSuggestion, number: int, edition: Edition) -> Resource:
    """One choice. Its changes stand inside it, all together, even where there is only one.

    `precheckBehavior` is left out: "recommended" is said in words, for no order may arrive already ticked.
    """
    name = f"suggestion-{number}"
    return filled(
        id=name,
        title=offered.label,
        description=paragraphs(
            "Recommended choice." if offered.recommended else "",
            f"Accepting it does not settle the card: {offered.unsettled_because}" if offered.unsettled_because else "",
        ),
        condition=[applies_when(offered.when, "The choice is offered only where this holds.")] if offered.when else [],
        groupingBehavior="logical-group",
        selectionBehavior="all",
        action=[_change(action, f"{name}.{i}", edition) for i, action in enumerate(offered.actions, 1)],
    )


def _change(action: OfferedAction, name: str, edition: Edition) -> Resource:
    code, display = _TYPES[action.offer]
    orderable = action.orderable or action.new_code
    priority = action.new_priority if action.offer is Offer.UPDATE_DRAFT else action.priority
    creates = action.offer is Offer.CREATE
    return filled(
        id=name,
        title=action.description,
        description=paragraphs(*_particulars(action)),
        priority=priority.name.lower() if priority is not None and action.offer is not Offer.DELETE_DRAFT else "",
        reason=[{"text": read_aloud(action.reason)}] if creates and action.reason else [],
        type=coded(_TYPE_SYSTEM, code, display),
        definitionCanonical=canonical(orderable, edition) if orderable else "",
    )


def _particulars(action: OfferedAction) -> list[str]:
    """What R4 has no element for."""
    said = []
    if action.offer is Offer.UPDATE_DRAFT:
        said.append("Changes the draft order; everything else in it stays as it came.")
    if action.of_drafts:
        said.append(f"Of the drafts that are: {', '.join(action.of_drafts)}.")
    if action.new_code:
        said.append(f"The draft's code becomes: {action.new_code.text}.")
    if action.planned:
        said.append(planned_date(action.planned))
    if action.on_hold:
        said.append("Puts the draft on hold.")
    if action.add_reason:
        said.append(f"Adds the reason: {action.add_reason.display}.")
    return said
