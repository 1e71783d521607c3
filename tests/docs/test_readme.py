"""README.md says what is so: the settings, the first call, the three answers."""

import asyncio
import json
import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic_core import PydanticUndefined

from cds_service.app import create_app
from cds_service.cli import _parser
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from tests.docs.pages import ROOT, blocks, read

README = read("README.md")
_PATH = "/cds-services/foot-drop-patient-view"


def _first_call() -> str:
    script = next(block for block in blocks(README, "sh") if "first-call.json <<" in block)
    return script.split("<<'END'\n")[1].split("\nEND\n")[0]


def _without(key: str) -> str:
    """What the README's grep leaves of the file."""
    return "\n".join(line for line in _first_call().splitlines() if f'"{key}"' not in line)


@pytest.fixture(scope="module")
def app():
    return create_app(Settings(database_url="sqlite://"))


def _send(app, method, path, body=None):
    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, content=body, headers={"content-type": "application/json"})

    return asyncio.run(send())


def _ask(app, body):
    return _send(app, "POST", _PATH, body)


def _default(field) -> str:
    if field.default is PydanticUndefined:
        return "built in"
    if field.default is None:
        return "empty"
    value = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    return f"`{value}`" if value else "empty"


def test_the_table_of_settings_is_the_settings():
    rows = re.findall(r"^\| `(CDS_\w+)` \| (.+?) \| (.+) \|$", README, re.MULTILINE)
    expected = [
        (f"CDS_{name.upper()}", _default(field), field.description) for name, field in Settings.model_fields.items()
    ]
    assert sorted(rows) == sorted(expected)


def _row(family) -> tuple[str, str, set[str], str]:
    """Name as it is asked for, type, labels, meaning."""
    labels = {label for sample in family.samples for label in sample.labels} - {"le"}
    return family.name + ("_total" if family.type == "counter" else ""), family.type, labels, family.documentation


def test_the_table_of_metrics_is_what_is_scraped(app):
    rows = re.findall(r"^\| `(cds_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", README, re.MULTILINE)
    shown = [(name, kind, set(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows]
    assert shown == [_row(family) for family in text_string_to_metric_families(_send(app, "GET", "/metrics").text)]


def test_every_setting_named_in_the_text_exists():
    named = set(re.findall(r"CDS_[A-Z_]+", README))
    assert named == {f"CDS_{name.upper()}" for name in Settings.model_fields}


def _assert_shown(shown, real, at="answer"):
    """The README shows a part: members and items may be left out, texts end where they show `…`."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert key in real, f"{at}.{key}"
            _assert_shown(value, real[key], f"{at}.{key}")
    elif isinstance(shown, list):
        for index, value in enumerate(shown):
            _assert_shown(value, real[index], f"{at}[{index}]")
    elif isinstance(shown, str) and shown.endswith("…"):
        assert real.startswith(shown.removesuffix("…").rstrip()), at
    else:
        assert shown == real, at


def test_the_first_call_brings_the_card_that_is_shown(app):
    answer = _ask(app, _first_call())
    assert answer.status_code == 200
    _assert_shown(json.loads(blocks(README, "json")[0]), answer.json()["cards"][0])


def test_the_first_call_sends_every_key_that_discovery_asks_for(app):
    services = _send(app, "GET", "/cds-services").json()["services"]
    asked = next(service["prefetch"] for service in services if service["hook"] == "patient-view")
    assert list(json.loads(_first_call())["prefetch"]) == list(asked)


def test_the_three_answers_are_those_that_are_shown(app):
    shown = next(block for block in blocks(README, "") if "OperationOutcome" in block).splitlines()
    nothing = _ask(app, _first_call().replace("M21.372", "Z00.00"))
    assert (nothing.status_code, nothing.text) == (200, shown[0])
    unchecked = _ask(app, _without("conditions"))
    assert (unchecked.status_code, unchecked.text) == (412, shown[1])
    partial = _ask(app, _without("serviceRequests"))
    assert partial.status_code == 200
    assert {found for card in partial.json()["cards"] for found in re.findall(r"Not seen[^.]*", card["detail"])} == {
        shown[2]
    }


def test_a_key_with_null_was_read(app):
    call = json.loads(_first_call())
    call["prefetch"] |= {key: None for key in call["prefetch"] if key not in ("patient", "conditions")}
    answer = _ask(app, json.dumps(call))
    assert answer.json().keys() == {"cards"}
    assert "Not seen" not in answer.text


def test_it_says_that_the_knowledge_is_not_approved_before_it_says_how_to_start():
    assert README.index("Not clinically approved") < README.index("make run")


def test_it_says_how_many_recommendations_there_are_and_that_all_are_drafts():
    recommendations = load_knowledge(ROOT / "cards").recommendations
    assert {recommendation.stewardship.status for recommendation in recommendations} == {"draft"}
    assert set(re.findall(r"(\d+) recommendations", README)) == {str(len(recommendations))}


def test_it_shows_every_command_of_the_command_line():
    commands = set(re.findall(r"^    ([a-z]+) ", _parser().format_help(), re.MULTILINE))
    assert "check" in commands
    shown = set(re.findall(r"^cds-service ([a-z]+)", "\n".join(blocks(README, "sh")), re.MULTILINE))
    assert commands - shown == {"serve"}  # that is `make run`
