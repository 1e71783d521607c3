"""The pages that are made from the code say what the code says now, and the code says enough."""

import re

import pytest
import yaml

from cds_service.cli import _parser
from cds_service.settings import Settings
from docs.references.__main__ import PAGES
from docs.references.api import Reference
from docs.references.command_line import commands, options
from docs.references.conformance import keywords_by_row
from tests.docs.pages import read


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_would_be_made_now(name):
    assert read(f"docs/{name}") == PAGES[name](), "run `make references`, and look at what changed"


def test_every_setting_has_a_description():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_setting_stands_on_the_page_once():
    rows = re.findall(r"^\| `(CDS_\w+)` \|", read("docs/configuration.md"), re.MULTILINE)
    assert sorted(rows) == sorted(f"CDS_{name.upper()}" for name in Settings.model_fields)


def test_every_command_and_every_option_says_what_it_is_for():
    found = list(commands(_parser()))
    assert len(found) >= 12
    assert [name for name, does, _ in found if not does] == []
    assert [(name, one.dest) for name, _, command in found for one in options(command) if not one.help] == []


def test_every_row_of_the_standard_has_one_keyword():
    said = yaml.safe_load(read("tests/norm_keywords.yaml"))
    listed = sorted(row for rows in said["force"].values() for row in rows)
    assert listed == sorted(yaml.safe_load(read("tests/norms.yaml")))
    assert keywords_by_row().keys() == set(listed)


WHOLE = {
    "openapi": "3.1.0",
    "paths": {
        f"/cds-services/{service}": {
            "post": {
                "summary": f"The service {service}",
                "security": [{"clientToken": []}, {}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Call"}}}},
                "responses": {
                    "200": {
                        "description": "The cards",
                        "headers": {"X-Time": {"description": "how long it took"}},
                        "content": {"application/json": {"examples": {"nothing": {"value": {"cards": []}}}}},
                    },
                    "429": {"$ref": "#/components/responses/Pace"},
                },
            }
        }
        for service in ("one", "two")
    },
    "components": {
        "securitySchemes": {"clientToken": {"type": "http", "scheme": "bearer", "description": "signed by the client"}},
        "responses": {"Pace": {"description": "Too many", "headers": {"Retry-After": {"description": "seconds"}}}},
        "schemas": {
            "Call": {
                "description": "What an EHR sends",
                "required": ["hook"],
                "properties": {
                    "hook": {"enum": ["one", "two"], "description": "the | moment"},
                    "drafts": {"type": "array", "items": {"properties": {"id": {"type": ["string", "null"]}}}},
                },
            }
        },
    },
}


def test_the_page_of_the_api_tells_all_of_a_document_and_repeats_nothing():
    text = Reference(WHOLE).text()
    for said in (
        "| `/cds-services/one` | The service one |",
        "| `clientToken` | http bearer | signed by the client |",
        "Authentication: `clientToken` or none.",
        "[Call](#call)",
        "### Call",
        r'| `hook` | yes | `"one"`, `"two"` | the \| moment |',
        "| `drafts[].id` |  | string or null |  |",
        '"cards": []',
        "`X-Time`: how long it took",
        "`Retry-After`: seconds",
        "| 429 Too Many Requests | Too many | `Retry-After`: seconds |",
    ):
        assert said in text, said
    assert text.count("Request: ") == 1
    assert text.count("Too many |") == 1
