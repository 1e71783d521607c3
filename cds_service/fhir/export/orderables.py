"""One ActivityDefinition for each orderable: what a suggestion proposes, without the patient."""

from __future__ import annotations

from cds_service.domain.codes import Coding
from cds_service.domain.recommendations import Orderable
from cds_service.fhir.export.edition import Edition, Resource, filled, paragraphs, resource_id

_USAGE = (
    "A template, filled in by the service for each patient: subject, encounter, requester, reason, priority and date "
    "are set when a card is made."
)
_SIDED = " The side is added to the order and to its text."


def activity_definitions(edition: Edition) -> list[Resource]:
    """Every orderable of the knowledge."""
    return [_activity_definition(orderable, edition) for orderable in edition.knowledge.names.orderables.values()]


def canonical(orderable: Orderable, edition: Edition) -> str:
    """By which a PlanDefinition names the orderable."""
    return edition.pinned("ActivityDefinition", resource_id(orderable.name))


def _activity_definition(orderable: Orderable, edition: Edition) -> Resource:
    """R4 has no category here: it stands as the topic."""
    return edition.head("ActivityDefinition", resource_id(orderable.name), orderable.text) | filled(
        description=paragraphs(f"{orderable.text}.", edition.notice),
        usage=_USAGE + (_SIDED if orderable.sided else ""),
        topic=[{"coding": [_coding(orderable.category)]}] if orderable.category else [],
        kind=orderable.resource,
        code={"coding": [_coding(coding) for coding in orderable.codings], "text": orderable.text},
        intent="proposal",
        bodySite=[{"coding": [_coding(orderable.body_site)]}] if orderable.body_site else [],
    )


def _coding(coding: Coding) -> Resource:
    return filled(system=coding.system, code=coding.code, display=coding.display)
