"""docs/quick-start.md: the first call is a whole one. test_commands.py runs it, and compares what it shows."""

import json

import pytest

from tests.docs.pages import read

PAGE = read("docs/quick-start.md")


@pytest.fixture
def first_call():
    return json.loads(PAGE.split("first-call.json <<'END'\n")[1].split("\nEND\n")[0])


def test_it_sends_every_key_that_discovery_asks_for(client, first_call):
    services = client.get("/cds-services").json()["services"]
    asked = next(service["prefetch"] for service in services if service["hook"] == first_call["hook"])
    assert list(first_call["prefetch"]) == list(asked)


def test_a_key_with_null_was_read(client, first_call):
    first_call["prefetch"] |= {key: None for key in first_call["prefetch"] if key not in ("patient", "conditions")}
    answer = client.fire(first_call)
    assert answer.json().keys() == {"cards"}
    assert "Not seen" not in answer.text


def test_it_says_that_the_knowledge_is_not_approved_before_it_says_how_to_start():
    assert PAGE.index("not clinically approved") < PAGE.index("make run\n")
