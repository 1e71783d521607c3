"""Criteria as conditions of an action: for people to read, and closed to machines.

R4 allows CQL, FHIRPath and FHIR queries as languages of an expression (extensible, but a closed list in the official
JSON schema). The criteria are none of these, so the language is absent with a reason, as FHIR has it. The expression
itself is not left out: the reference engine (cqframework/clinical-reasoning) takes a condition without expression for
met, and one that it cannot run for not met.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cds_service.domain.criteria import Definition, NoneOf
from cds_service.domain.recommendations import Exclusion, Recommendation, Sort
from cds_service.domain.situation import Criterion
from cds_service.fhir.export.edition import Resource, extension
from cds_service.fhir.export.sentences import bullets, read_aloud, read_body

_ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_NO_LANGUAGE: Final = {"extension": [extension(_ABSENT, valueCode="not-applicable")]}
_READ: Final = "Read aloud, not executable."


def conditions(recommendation: Recommendation) -> list[Resource]:
    """All must hold: the triggers, then the gates and the exclusions, each turned into "none of"."""
    return [
        *(applies_when(part, "Trigger.") for part in recommendation.when.parts()),
        *_gates(recommendation),
        *_exclusions(recommendation.unless),
    ]


def applies_when(criterion: Criterion, role: str) -> Resource:
    """A criterion that must hold."""
    return _condition(read_aloud(criterion), role)


def _condition(text: str, role: str) -> Resource:
    expression = {"description": f"{role} {_READ}", "_language": _NO_LANGUAGE, "expression": text}
    return {"kind": "applicability", "expression": expression}


def _gates(recommendation: Recommendation) -> Iterator[Resource]:
    """A gate that is unknown withholds all but red flags."""
    unknown = "shown all the same" if recommendation.sort is Sort.RED_FLAG else "withheld"
    for gate in recommendation.gates:
        said = f"{gate.text}:\n- {read_body(gate)}" if isinstance(gate, Definition) else read_aloud(gate)
        yield _condition(f"none of:\n{bullets([said])}", f"Gate; where it is unknown, the card is {unknown}.")


def _exclusions(exclusions: tuple[Exclusion, ...]) -> Iterator[Resource]:
    for exclusion in exclusions:
        unknown = "shown with a caveat" if exclusion.show_when_unknown else "withheld"
        text = read_aloud(NoneOf("none of", (exclusion.criterion,)))
        yield _condition(text, f"Exclusion; where it is unknown, the card is {unknown}.")
