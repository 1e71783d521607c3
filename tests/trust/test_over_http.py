"""Registered clients over HTTP: every bad token is refused for its own reason, and each client has its own answers."""

import copy
import json
import re

import pytest

from tests.api.world import PATIENT, call, codes, condition, every_hook, foot_drop, orthosis, path_of
from tests.fetching.world import a_record, asking
from tests.fhir_server.fault import FaultServer
from tests.trust.bad_tokens import BAD_TOKENS
from tests.trust.registered import Secured
from tests.trust.token_maker import EVERY, MAIN, PINNED, TENANTS, KeyServer, bearer

VIEW = path_of("patient-view")
FOOT_DROP = call("patient-view", foot_drop())
LOCAL = "urn:oid:1.2.3.4"
STRENGTH = "ankle-dorsiflexion-mrc-grade"
MORE = {
    "every": {
        "services": ["foot-drop-patient-view"],
        "fhir servers": ["https://fhir.every.example.org/r4"],
        "cors origins": ["https://ehr.every.example.org"],
        "orthoses as": "ServiceRequest",
        "order catalogue": {"ankle-foot orthosis": {"system": "urn:oid:1.2.3.5", "code": "4711"}},
        "local codes": [
            {"system": LOCAL, "code": "FD-L", "same as": {"system": "ICD-10-CM", "code": "M21.372"}},
            {
                "system": LOCAL,
                "code": "ADF",
                "same as": {"system": "bedside findings", "code": STRENGTH},
            },
        ],
        "needs": {"devices": {"unavailable": True}},
        "switched off": ["FD-ETIO-01"],
        "in shadow": ["FD-PT-01"],
    },
    "pinned": {"takes": {"resources": [], "actions": []}},
}


@pytest.fixture(scope="module")
def key_server():
    server = KeyServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def secured(key_server, tmp_path_factory):
    made = Secured(tmp_path_factory.mktemp("secured"), key_server.base, MORE)
    yield made
    made.close()


def refusals(secured):
    """Reason → how often, as the metrics have it."""
    text = secured.look("/metrics").text
    return {one: float(count) for one, count in re.findall(r'cds_token_refusals_total\{reason="(\w+)"\} (\S+)', text)}


def about(patient):
    """The call about another patient: what is dismissed for one is quiet for that one only."""
    return json.loads(json.dumps(FOOT_DROP).replace(PATIENT, patient))


# ---- who calls


@pytest.mark.norm("JWT-1", "JWT-21")
@pytest.mark.parametrize("bad", BAD_TOKENS, ids=lambda bad: bad.name)
def test_a_bad_token_is_refused_for_its_own_reason_and_no_other(secured, bad, caplog):
    caplog.set_level("DEBUG")

    def send(headers):
        assert secured.send(headers, VIEW, FOOT_DROP).status_code == 200

    headers = bad.make(secured.maker(send=send))
    before = refusals(secured)
    answer = secured.send(headers, VIEW, FOOT_DROP)
    assert answer.status_code == 401
    assert [issue["diagnostics"] for issue in answer.json()["issue"]] == ["unauthorized"]
    changed = {reason for reason, count in refusals(secured).items() if count != before[reason]}
    assert changed == {bad.reason}
    parts = [part for header in headers for part in header.decode("latin-1").split(".") if len(part) > 20]
    assert not [part for part in parts if part in caplog.text or part in answer.text]


@pytest.mark.parametrize("issuer", [MAIN, EVERY, PINNED])
def test_a_good_token_is_let_in(secured, issuer):
    assert codes(secured.fire(FOOT_DROP, issuer))


@pytest.mark.norm("JWT-2", "DIS-15", "FBK-12")
def test_discovery_and_feedback_need_a_token_of_their_own(secured):
    feedback = f"{VIEW}/feedback"
    card = secured.fire(about("pat-feedback"), MAIN).json()["cards"][0]["uuid"]
    entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T12:00:00Z"}
    for method, path, made in (("GET", "/cds-services", None), ("POST", feedback, {"feedback": [entry]})):
        assert secured.send([], path, made, method).status_code == 401
        assert secured.send(secured.token(VIEW, MAIN), path, made, method).status_code == 401
        assert secured.send(secured.token(path, MAIN), path, made, method).status_code == 200


def test_a_card_of_another_client_cannot_be_reported_on(secured):
    card = secured.fire(FOOT_DROP, MAIN).json()["cards"][0]["uuid"]
    path = f"{VIEW}/feedback"
    entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T12:00:00Z"}
    assert secured.send(secured.token(path, PINNED), path, {"feedback": [entry]}).status_code == 403


def test_a_tenant_that_was_agreed_is_let_in(secured):
    path = VIEW
    assert secured.send(secured.token(path, TENANTS, tenant="north"), path, FOOT_DROP).status_code == 200


def test_a_preflight_needs_no_token_and_goes_by_the_registered_origins(secured):
    asked = {"access-control-request-method": "POST"}
    known = secured.send([], VIEW, method="OPTIONS", origin="https://ehr.every.example.org", **asked)
    assert known.headers["access-control-allow-origin"] == "https://ehr.every.example.org"
    assert "access-control-allow-credentials" not in known.headers
    other = secured.send([], VIEW, method="OPTIONS", origin="https://evil.example.org", **asked)
    assert "access-control-allow-origin" not in other.headers


def test_health_needs_no_token_and_the_pages_are_closed(secured):
    health = secured.http.get("/health/ready").json()
    assert (
        health["tokens"] == {"used tokens": "known to all processes", "addresses of keys that fail": 2}
        or health["tokens"]
    )
    for path in ("/", "/metrics", "/insight", "/cards/index.html"):
        assert secured.http.get(path).status_code == 401
        assert secured.look(path).status_code == 200


# ---- two clients, two answers


def of_local(code, **members):
    made = condition("x", "Drop foot, left", **members)
    return made | {"code": {"coding": [{"system": LOCAL, "code": code}], "text": "Drop foot, left"}}


def test_a_client_may_use_its_own_services_only(secured):
    order = every_hook()["order-sign"]
    assert secured.fire(order, MAIN).status_code == 200
    assert secured.fire(order, EVERY).status_code == 403
    assert [one["id"] for one in secured.discover(EVERY).json()["services"]] == ["foot-drop-patient-view"]
    assert len(secured.discover(MAIN).json()["services"]) == 5


def test_a_client_may_name_its_own_fhir_server_only(secured):
    named = copy.deepcopy(FOOT_DROP) | {"fhirServer": "https://fhir.every.example.org/r4/"}
    assert secured.fire(named, EVERY).status_code == 200
    answer = secured.fire(named, MAIN)
    assert answer.status_code == 403
    assert "FHIR server" in answer.text
    assert "example.org" not in answer.text


def test_a_web_page_calls_for_its_own_client_only(secured):
    page = {"origin": "https://ehr.every.example.org"}
    assert secured.fire(FOOT_DROP, EVERY, **page).status_code == 200
    assert secured.fire(FOOT_DROP, MAIN, **page).status_code == 403


def test_a_local_code_means_something_for_its_own_client_only(secured):
    local = call("patient-view", of_local("FD-L"))
    assert "FD-AFO-01" in codes(secured.fire(local, EVERY))
    assert codes(secured.fire(local, MAIN)) == []


def test_a_local_code_of_a_finding_is_asked_for(secured):
    def asked(issuer):
        (service,) = [
            one for one in secured.discover(issuer).json()["services"] if one["id"] == "foot-drop-patient-view"
        ]
        return service["prefetch"]

    assert "ADF" in asked(EVERY)["observations"].partition("code=")[2].split(",")
    assert "ADF" not in asked(MAIN)["observations"].partition("code=")[2].split(",")
    assert "devices" in asked(MAIN)
    assert "devices" not in asked(EVERY)


def orders(answer):
    return [
        action["resource"]
        for card in answer.json()["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if "resource" in action
    ]


def test_an_order_has_the_form_and_the_code_of_its_own_client(secured):
    (theirs,) = [one for one in orders(secured.fire(FOOT_DROP, EVERY)) if "4711" in str(one)]
    assert theirs["resourceType"] == "ServiceRequest"
    assert [coding["code"] for coding in theirs["code"]["coding"]] == ["4711", "ankle-foot-orthosis"]
    ours = [one for one in orders(secured.fire(FOOT_DROP, MAIN)) if one["resourceType"] == "DeviceRequest"]
    assert [coding["code"] for one in ours for coding in one["codeCodeableConcept"]["coding"]] == [
        "ankle-foot-orthosis"
    ]
    assert "4711" not in str(ours)


def test_an_order_that_comes_back_with_the_clients_own_code_is_understood(secured):
    filed = orthosis("order-1", "active")
    filed["codeCodeableConcept"] = {"coding": [{"system": "urn:oid:1.2.3.5", "code": "4711"}]}
    made = call("patient-view", foot_drop(), filed)
    assert "FD-AFO-01" not in codes(secured.fire(made, EVERY))
    assert "FD-AFO-01" in codes(secured.fire(made, MAIN))


def test_what_a_client_cannot_take_is_said_on_the_card(secured):
    cards = {card["source"]["topic"]["code"]: card for card in secured.fire(FOOT_DROP, PINNED).json()["cards"]}
    assert not [card for card in cards.values() if card.get("suggestions")]
    same = {card["source"]["topic"]["code"]: card for card in secured.fire(FOOT_DROP, MAIN).json()["cards"]}
    for code, card in same.items():
        for suggestion in card.get("suggestions", []):
            assert suggestion["label"] in cards[code]["detail"]
    assert "by hand" in cards["FD-AFO-01"]["detail"]


def test_a_recommendation_is_off_or_in_shadow_for_its_own_client_only(secured):
    theirs, ours = codes(secured.fire(FOOT_DROP, EVERY)), codes(secured.fire(FOOT_DROP, MAIN))
    assert set(ours) - set(theirs) == {"FD-ETIO-01", "FD-PT-01"}


def test_a_card_that_one_client_dismissed_is_not_quiet_for_another(secured):
    made = about("pat-dismissed")
    card = next(c for c in secured.fire(made, MAIN).json()["cards"] if c["source"]["topic"]["code"] == "FD-AFO-01")
    entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": secured.clock.at.isoformat()}
    entry["overrideReason"] = {"reason": card["overrideReasons"][1] | {"display": "x"}}
    path = f"{VIEW}/feedback"
    assert secured.send(secured.token(path, MAIN), path, {"feedback": [entry]}).status_code == 200
    assert "FD-AFO-01" in codes(secured.fire(made, PINNED))


# ---- the file changes while the service runs


def test_a_client_that_is_taken_out_is_refused_and_a_new_one_let_in(key_server, tmp_path, monkeypatch):
    monkeypatch.setattr("cds_service.trust.clients_file._LOOK_EVERY", 0.0)
    service = Secured(tmp_path, key_server.base)
    assert service.fire(FOOT_DROP, PINNED).status_code == 200
    pinned = service.clients.pop("pinned")
    service.write()
    assert service.fire(FOOT_DROP, PINNED).status_code == 401
    service.clients["renamed"] = pinned
    service.write()
    assert service.fire(FOOT_DROP, PINNED).status_code == 200
    service.clients = {"open": {}}
    service.write()
    assert service.fire(FOOT_DROP, PINNED).status_code == 200
    assert service.send([], VIEW, FOOT_DROP).status_code == 401
    assert service.http.get("/health/ready").json()["clients"].startswith("cannot be used")
    service.close()


def test_a_token_that_was_used_is_refused(secured):
    token = bearer(secured.maker().token(claims=secured.maker().claims()))
    assert [secured.send(token, VIEW, FOOT_DROP).status_code for _ in range(2)] == [200, 401]


def test_a_registered_fhir_server_is_asked_and_only_for_its_own_client(key_server, tmp_path):
    with FaultServer(a_record()) as server:
        more = {"pinned": {"fhir servers": [server.base], "networks": ["127.0.0.0/8"]}}
        more["every"] = {"fhir servers": [server.base]}  # without its network, an address that is not public
        service = Secured(tmp_path, key_server.base, more)
        made = asking(server.base)
        assert "FD-AFO-01" in codes(service.fire(made, PINNED))
        asked = len(server.asked)
        assert asked
        assert service.fire(made, EVERY).status_code == 412
        assert service.fire(made, MAIN).status_code == 403
        assert len(server.asked) == asked
        service.close()
