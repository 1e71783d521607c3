"""Three independent judges of what we emit: fhir.resources, fhirkit, and HL7's own JSON schema of R4 (4.0.1)."""

from __future__ import annotations

import importlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import fhirkit
import jsonschema_rs

SCHEMA = Path(__file__).parents[3] / "shared" / "spec" / "fhir.schema.json"


def complaints(resource: dict[str, Any]) -> list[str]:
    """What the judges find wrong; nothing for a valid resource.

    None of them looks at the value of a code or at the type a reference points to: for these we ask fhir.resources
    what R4 allows.
    """
    return [*_fhir_resources(resource), *_allowed(resource), *_fhirkit(resource), *_schema(resource)]


def _model(resource: dict[str, Any]) -> Any:
    kind = resource["resourceType"]
    return getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)


def _fhir_resources(resource: dict[str, Any]) -> list[str]:
    try:
        _model(resource).model_validate_json(json.dumps(resource))
    except ValueError as error:
        return [f"fhir.resources: {error}"]
    return []


def _allowed(resource: dict[str, Any]) -> list[str]:
    """Codes and reference targets at the top level that R4 does not allow."""
    found = []
    for name, field in _model(resource).model_fields.items():
        member = field.alias or name
        says = field.json_schema_extra or {}
        value = resource.get(member)
        codes, types = says.get("enum_values"), says.get("enum_reference_types")
        if codes and isinstance(value, str) and value not in codes:
            found.append(f"{member}: not one of {codes}")
        for one in value if isinstance(value, list) else [value]:
            reference = one.get("reference") if types and isinstance(one, dict) else None
            if reference and reference[0] != "#" and reference.partition("/")[0] not in types:  # "#": contained
                found.append(f"{member}: a reference to none of {types}")
    return found


def _fhirkit(resource: dict[str, Any]) -> list[str]:
    return [f"fhirkit: {issue.path} {issue.message}" for issue in fhirkit.validate(json.dumps(resource))]


def _schema(resource: dict[str, Any]) -> list[str]:
    validator = _validator()
    if validator is None:
        return []
    return [f"schema: {error.message}" for error in validator.iter_errors(resource)]


@lru_cache(maxsize=1)
def _validator() -> Any:
    """The schema is material beside the repository; elsewhere the other two judge alone."""
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())) if SCHEMA.exists() else None
