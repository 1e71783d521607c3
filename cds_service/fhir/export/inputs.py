"""The patient data that a recommendation looks at, as data requirements: which resources, coded by which value sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cds_service.domain.criteria import AtMoment
from cds_service.domain.facts import Kind
from cds_service.domain.recommendations import Recommendation
from cds_service.domain.situation import Criterion
from cds_service.fhir.export.edition import Edition, Resource, filled
from cds_service.knowledge.prefetch import criteria_of, every, moments_of

# Where a resource says what it is about; a resource that is not listed says it elsewhere, or not by a code.
_CODE_PATHS: Final = {
    "Condition": "code",
    "Device": "type",
    "DeviceRequest": "code",
    "DiagnosticReport": "code",
    "MedicationAdministration": "medication",
    "MedicationRequest": "medication",
    "Observation": "code",
    "Procedure": "code",
    "ServiceRequest": "code",
}


def inputs(recommendation: Recommendation, edition: Edition) -> list[Resource]:
    """One requirement for each kind of resource and value set."""
    asked = sorted(set(_asked(recommendation, edition)))
    return [_requirement(resource, concept, edition) for resource, concept in asked]


def _asked(recommendation: Recommendation, edition: Edition) -> Iterator[tuple[str, str]]:
    names = edition.knowledge.names
    for criterion in every(_criteria(recommendation)):
        concepts: Iterable[str] = getattr(criterion, "concepts", ())
        yield from _at_needs(getattr(criterion, "needs", frozenset()), concepts, edition)
    if recommendation.for_each:
        drafted = list(recommendation.for_each.drafted)
        yield from _at_needs(names.needs_for(Kind.ORDER.value, drafted), drafted, edition)


def _criteria(recommendation: Recommendation) -> Iterator[Criterion]:
    yield from criteria_of(recommendation)
    yield from (AtMoment(moment.name, moment) for moment in moments_of(recommendation))


def _at_needs(needs: frozenset[str], concepts: Iterable[str], edition: Edition) -> Iterator[tuple[str, str]]:
    for need in needs:
        resource = edition.knowledge.names.needs[need].resource
        coded_by = list(concepts) if resource in _CODE_PATHS else []
        yield from ((resource, concept) for concept in coded_by or [""])


def _requirement(resource: str, concept: str, edition: Edition) -> Resource:
    if not concept:
        return {"type": resource}
    code = {"path": _CODE_PATHS[resource], "valueSet": edition.value_set(concept)}
    return filled(type=resource, codeFilter=[code])
