"""The list of services."""

import json

import pytest

from cds_service.hooks.discovery import Service, ServicesResponse, encode

NAMED = {"id": "foot-drop-patient-view", "hook": "patient-view", "description": "Looks for what was overlooked."}


@pytest.mark.norm("DIS-2", "DIS-3", "JSN-3")
def test_no_services_is_an_empty_list():
    assert encode(ServicesResponse(services=())) == b'{"services":[]}'


@pytest.mark.norm("DIS-4", "DIS-6", "DIS-7", "JSN-4")
def test_a_minimal_service_has_nothing_but_what_is_required():
    service = Service(**NAMED, title="", usage_requirements="", prefetch={}, version="", hook_version="", extension={})
    assert json.loads(encode(ServicesResponse(services=[service]))) == {"services": [NAMED]}


@pytest.mark.norm("DIS-5", "DIS-8", "DIS-9", "DIS-10", "DIS-11", "TOK-12")
def test_a_full_service_has_the_standards_names_and_keeps_the_order_of_its_prefetch():
    service = Service(
        **NAMED,
        title="Foot drop",
        usage_requirements="R4",
        prefetch={"z": "Patient/{{context.patientId}}", "a": "Condition?patient={{context.patientId}}"},
        version="2.0.1",
        hook_version="1.0",
        extension={"org.example.x": True},
    )
    (sent,) = json.loads(encode(ServicesResponse(services=[service])))["services"]
    assert set(sent) == {
        *("id", "hook", "title", "description", "usageRequirements", "prefetch", "version", "hookVersion", "extension")
    }
    assert list(sent["prefetch"]) == ["z", "a"]


@pytest.mark.norm("DIS-7")
@pytest.mark.parametrize("service_id", ["", "a b", "a/b", "..", "ä", "a?b"])
def test_an_id_is_safe_in_a_path(service_id):
    with pytest.raises(ValueError, match="DIS-7"):
        Service(**NAMED | {"id": service_id})


@pytest.mark.norm("DIS-4", "DIS-6", "JSN-5")
@pytest.mark.parametrize("member", ["hook", "description"])
def test_a_required_text_is_not_blank(member):
    with pytest.raises(ValueError, match=member):
        Service(**NAMED | {member: " "})


@pytest.mark.norm("DIS-13")
def test_an_id_may_be_shared_by_several_hooks_but_a_pair_stands_once():
    one = Service(**NAMED)
    assert ServicesResponse(services=[one, Service(**NAMED | {"hook": "order-sign"})])
    with pytest.raises(ValueError, match="DIS-13"):
        ServicesResponse(services=[one, one])
