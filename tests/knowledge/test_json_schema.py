"""The JSON Schema that editors get accepts every file that ships, and refuses what the loader refuses."""

import datetime as dt
from pathlib import Path

import jsonschema_rs
import pytest

from cds_service.authoring.json_schema import FILES, json_schema, write_schemas
from cds_service.knowledge.document import read_document, yaml_files

CARDS = Path(__file__).parents[2] / "cards"
SINGLE = {
    "definitions.yaml": "definitions",
    "services.yaml": "services",
    "parameters.yaml": "parameters",
    "orderables.yaml": "orderables",
    "override_reasons.yaml": "override_reasons",
    "evidence.yaml": "evidence",
    "code_systems/systems.yaml": "code_systems",
}
FOLDERS = {
    "recommendations": "recommendation",
    "value_sets": "value_set",
    "ehr_profiles": "ehr_profiles",
    "cases": "cases",
}


def as_json(value):
    """Dates as an editor sees them: text."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def shipped():
    for name, kind in SINGLE.items():
        yield CARDS / name, kind
    for folder, kind in FOLDERS.items():
        for path in yaml_files(CARDS / folder):
            yield path, kind


@pytest.mark.parametrize("kind", FILES)
def test_every_shipped_file_of_a_kind_is_accepted(kind):
    validator = jsonschema_rs.validator_for(json_schema(kind))
    refused = {
        path.name: str(next(validator.iter_errors(as_json(read_document(path, CARDS).data))))[:200]
        for path, of in shipped()
        if of == kind and not validator.is_valid(as_json(read_document(path, CARDS).data))
    }
    assert refused == {}


def test_a_misspelt_key_is_refused():
    validator = jsonschema_rs.validator_for(json_schema("recommendation"))
    path = CARDS / "recommendations/rehabilitation/physical-therapy.yaml"
    data = as_json(read_document(path, CARDS).data)
    assert validator.is_valid(data)
    assert not validator.is_valid({**data, "sumary": "a slip"})


def test_one_schema_is_written_for_each_kind_of_file(tmp_path):
    assert {path.name for path in write_schemas(tmp_path)} == {f"{kind}.schema.json" for kind in FILES}
