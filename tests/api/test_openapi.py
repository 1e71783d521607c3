"""`/openapi.json` describes what is really there."""

import pytest

from tests.api.world import HOOKS, every_hook, path_of


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def test_it_has_every_endpoint_of_the_standard(document, client):
    services = [service["id"] for service in client.get("/cds-services").json()["services"]]
    assert set(document["paths"]) == {
        "/cds-services",
        "/health/live",
        "/health/ready",
        *(f"/cds-services/{name}" for name in services),
        *(f"/cds-services/{name}/feedback" for name in services),
    }


@pytest.mark.parametrize("hook", HOOKS)
def test_the_members_it_calls_required_are_those_the_service_insists_on(document, client, hook):
    schema = document["paths"][path_of(hook)]["post"]["requestBody"]["content"]["application/json"]["schema"]
    for member in schema["required"]:
        made = {name: value for name, value in every_hook()[hook].items() if name != member}
        assert client.post(path_of(hook), json=made).status_code == 400
    for member in schema["properties"]["context"]["required"]:
        made = every_hook()[hook]
        del made["context"][member]
        assert client.fire(made).json()["issue"][0]["expression"] == [f"context.{member}"]


def test_the_members_it_says_an_answer_has_are_there(document, client_with):
    served, path = client_with(), path_of("patient-view")
    call = served.fire(every_hook()["patient-view"])
    entry = {
        "card": call.json()["cards"][0]["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T12:00:00Z",
    }
    feedback = served.post(f"{path}/feedback", json={"feedback": [entry]})
    for where, answer in ((path, call), (f"{path}/feedback", feedback)):
        schema = document["paths"][where]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert schema["required"]
        assert set(schema["required"]) <= set(answer.json())


@pytest.mark.parametrize("path", ["/cds-services", "/health/live", "/health/ready"])
def test_what_it_says_can_be_read_can_be_read(document, client, path):
    answer = client.get(path)
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(schema["required"]) <= set(answer.json())
