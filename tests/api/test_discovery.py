"""`GET /cds-services`: what a client learns before its first call."""

import re

import pytest

from cds_service.hooks.prefetch import check_template
from tests.api.world import HOOKS, empty_parts


@pytest.fixture
def services(client):
    answer = client.get("/cds-services")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"services"}
    return {service["hook"]: service for service in answer.json()["services"]}


@pytest.mark.norm("DIS-1", "DIS-2", "DIS-4", "DIS-7", "DIS-13", "DIS-14")
def test_each_hook_has_a_service_of_its_own(services):
    assert {hook: service["id"] for hook, service in services.items()} == {hook: f"foot-drop-{hook}" for hook in HOOKS}


@pytest.mark.norm("DIS-5", "DIS-6", "DIS-9", "DIS-16")
@pytest.mark.parametrize("hook", HOOKS)
def test_a_service_says_in_words_what_it_is_for_and_that_it_is_not_approved(services, hook):
    service = services[hook]
    assert len(service["title"]) < 60
    assert "not clinically approved" in service["description"]
    assert "prefetch" in service["usageRequirements"]


@pytest.mark.norm("DIS-10", "DIS-11", "DIS-12")
def test_a_service_names_the_versions_of_the_standard_and_of_its_hook(services):
    assert {service["version"] for service in services.values()} == {"3.0.0"}
    assert {hook: service["hookVersion"] for hook, service in services.items()} == {
        "patient-view": "1.0",
        "order-select": "1.0",
        "order-sign": "1.0",
        "encounter-discharge": "1.0",
        "problem-list-item-create": "0.1.0",
    }


@pytest.mark.norm("DIS-8", "PRE-1", "TOK-1", "TOK-2", "TOK-3", "TOK-4", "QRY-1", "QRY-2", "QRY-3", "QRY-4", "QRY-7")
@pytest.mark.parametrize("hook", HOOKS)
def test_a_template_is_a_read_of_the_patient_or_a_search_by_patient_and_code_alone(services, hook):
    templates = services[hook]["prefetch"]
    assert templates.pop("patient") == "Patient/{{context.patientId}}"
    for template in templates.values():
        assert re.fullmatch(r"[A-Z][A-Za-z]+\?patient=\{\{context\.patientId\}\}(&code=[^&{}:]+)?", template)
        assert check_template(hook, template) == []


@pytest.mark.norm("TOK-12", "TOK-15")
@pytest.mark.parametrize("hook", HOOKS)
def test_the_patient_and_the_conditions_are_asked_for_first_under_the_usual_keys(services, hook):
    assert list(services[hook]["prefetch"])[:2] == ["patient", "conditions"]


@pytest.mark.norm("JSN-1", "JSN-2", "JSN-3", "JSN-4", "JSN-5")
def test_nothing_in_the_answer_is_null_or_empty(services):
    assert list(empty_parts(list(services.values()))) == []


@pytest.mark.norm("SUG-8", "TOK-6")
def test_no_service_uses_what_is_trial_use_and_clients_may_not_know(services):
    assert all("%" not in template for service in services.values() for template in service["prefetch"].values())
    known = {"hook", "id", "title", "description", "prefetch", "usageRequirements", "version", "hookVersion"}
    assert all(set(service) <= known for service in services.values())


@pytest.mark.parametrize("path", ["/cds-services/", "//cds-services"])
def test_a_slash_too_many_is_forgiven_since_people_type_the_address(client, path):
    assert client.get(f"http://127.0.0.1:8080{path}").json() == client.get("/cds-services").json()


def test_head_answers_as_get_does(client):
    got, head = client.get("/cds-services"), client.request("HEAD", "/cds-services")
    assert head.status_code == 200
    assert head.headers["content-length"] == got.headers["content-length"]
