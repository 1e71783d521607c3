"""The first call of docs/quick-start.md is a whole one: every key that discovery asks for, and null is an answer."""

import asyncio
import json

import httpx
import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.docs.pages import blocks, read


@pytest.fixture(scope="module")
def first_call():
    script = next(block for block in blocks(read("docs/quick-start.md"), "sh") if "first-call.json <<" in block)
    return json.loads(script.split("<<'END'\n")[1].split("\nEND\n")[0])


@pytest.fixture(scope="module")
def send():
    app = create_app(Settings(database_url="sqlite://"))

    async def sent(method, path, made):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, json=made)

    return lambda method, path, made=None: asyncio.run(sent(method, path, made))


def test_it_sends_every_key_that_discovery_asks_for(send, first_call):
    services = send("GET", "/cds-services").json()["services"]
    asked = next(service["prefetch"] for service in services if service["hook"] == "patient-view")
    assert list(first_call["prefetch"]) == list(asked)


def test_a_key_with_null_was_read(send, first_call):
    nulls = {key: None for key in first_call["prefetch"] if key not in ("patient", "conditions")}
    answer = send(
        "POST", "/cds-services/foot-drop-patient-view", first_call | {"prefetch": first_call["prefetch"] | nulls}
    )
    assert answer.json().keys() == {"cards"}
    assert "Not seen" not in answer.text
