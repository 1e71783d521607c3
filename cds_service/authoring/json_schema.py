"""JSON Schemas for editors, made from the types that read the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cds_service.authoring.cases import CaseFile
from cds_service.knowledge import schema

FILES: dict[str, Any] = {
    "recommendation": schema.RecommendationEntry,
    "definitions": schema.DefinitionsFile,
    "services": schema.ServicesFile,
    "value_set": schema.ValueSetEntry,
    "parameters": dict[str, schema.ParameterEntry],
    "orderables": dict[str, schema.OrderableEntry],
    "override_reasons": dict[str, schema.OverrideReasonEntry],
    "evidence": dict[str, schema.EvidenceEntry],
    "seed_statements": schema.SeedFile,
    "source_attributes": schema.SourceAttributesFile,
    "code_systems": dict[str, schema.CodeSystemEntry],
    "ehr_profiles": schema.EHRProfileEntry,
    "cases": CaseFile,
}


def json_schema(name: str) -> dict[str, Any]:
    """The schema of one kind of file."""
    return TypeAdapter(FILES[name]).json_schema(by_alias=True)


def write_schemas(folder: Path) -> Iterator[Path]:
    """Write every schema as ``<kind>.schema.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(json_schema(name), indent=2) + "\n", encoding="utf-8")
        yield path
