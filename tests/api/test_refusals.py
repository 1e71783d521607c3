"""Every line of the design's table of what can go wrong: the status, and words that help to mend it."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.api.world import (
    HOOKS,
    bundle,
    call,
    condition,
    every_hook,
    foot_drop,
    orthosis,
    path_of,
    patient,
    prefetch,
    problem,
    with_context,
)

VIEW = path_of("patient-view")
JSON = {"content-type": "application/json"}


def naming(answer, status=400):
    """The members that a refusal names."""
    return problem(answer, status).get("expression", [])


# ---- 400


@pytest.mark.norm("RSP-6", "JSN-1", "JSN-7")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'hook': 1}",
        b'{"hook": "patient-view",}',
        json.dumps(call()).encode() + b"// why",
        b"\xff\xfe{}",
        b"NaN",
    ],
)
def test_a_body_that_is_not_json_is_refused(client, body):
    issue = problem(client.post(VIEW, content=body, headers=JSON), 400)
    assert issue["code"] == "structure"
    assert "JSON" in issue["diagnostics"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"call"'])
def test_a_body_that_is_no_object_is_refused(client, body):
    assert "object" in problem(client.post(VIEW, content=body, headers=JSON), 400)["diagnostics"]


@pytest.mark.norm("REQ-2", "REQ-3", "REQ-6", "JSN-5")
@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("value", [..., None, 7, ["x"], "", "  "])
def test_a_required_member_that_is_missing_or_wrong_is_named(client, member, value):
    made = call()
    if value is ...:
        del made[member]
    else:
        made[member] = value
    assert naming(client.post(VIEW, json=made)) == [member]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("member", ["userId", "patientId"])
@pytest.mark.parametrize("value", [None, 7, "", "Patient/../x", "Encounter/1"])
def test_a_context_without_its_ids_is_refused_at_every_hook(client, hook, member, value):
    assert naming(client.fire(with_context(call(hook), **{member: value}))) == [f"context.{member}"]


@pytest.mark.parametrize(
    ("hook", "member"), [("encounter-discharge", "encounterId"), ("problem-list-item-create", "conditions")]
)
def test_a_hook_insists_on_its_own_required_member(client, hook, member):
    assert naming(client.fire(with_context(call(hook), **{member: None}))) == [f"context.{member}"]


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "patient-view"])
def test_a_user_of_a_type_that_the_hook_does_not_allow_is_refused(client, hook):
    assert naming(client.fire(with_context(call(hook), userId="Patient/pat-77"))) == ["context.userId"]


@pytest.mark.norm("REQ-4", "REQ-5")
def test_a_token_without_a_server_to_use_it_on_is_refused(client):
    granted = {"access_token": "t", "token_type": "Bearer", "expires_in": 1, "scope": "s", "subject": "u"}
    assert naming(client.fire(call(fhirAuthorization=granted))) == ["fhirServer"]


@pytest.mark.norm("FHA-3", "FHA-4", "FHA-5", "FHA-6", "FHA-7")
@pytest.mark.parametrize("member", ["access_token", "token_type", "expires_in", "scope", "subject"])
def test_an_authorization_without_one_of_its_members_is_refused(client, member):
    granted = {"access_token": "t", "token_type": "Bearer", "expires_in": 1, "scope": "s", "subject": "u"}
    del granted[member]
    made = call(fhirServer="https://ehr.example/fhir", fhirAuthorization=granted)
    assert naming(client.fire(made)) == [f"fhirAuthorization.{member}"]


@pytest.mark.norm("DIS-13")
@pytest.mark.parametrize("hook", ["order-sign", "appointment-book", "org.example.own-hook"])
def test_a_hook_that_is_not_the_services_own_is_refused_and_the_right_one_named(client, hook):
    issue = problem(client.post(VIEW, json=call(hook=hook)), 400)
    assert issue["expression"] == ["hook"]
    assert "patient-view" in issue["diagnostics"]


FOREIGN = {"reference": "Patient/somebody-else"}


@pytest.mark.norm("PRE-3")
@pytest.mark.parametrize(
    ("member", "made"),
    [
        ("prefetch.patient", call(prefetch=prefetch(patient=patient(id="somebody-else")))),
        ("prefetch.conditions", call("patient-view", foot_drop(subject=FOREIGN))),
        ("prefetch", call(prefetch=prefetch(extra=bundle(condition("I10", subject=FOREIGN))))),
        ("context.draftOrders", call("order-sign", drafts=[orthosis(subject=FOREIGN)])),
        ("context.conditions", call("problem-list-item-create", foot_drop(subject=FOREIGN), prefetch=prefetch())),
    ],
)
def test_a_resource_of_another_patient_refuses_the_call(client, member, made):
    answer = client.fire(made)
    assert naming(answer) == [member]
    assert "somebody-else" not in answer.text


# ---- 404, 405, 415


@pytest.mark.norm("RSP-5", "RSP-6")
@pytest.mark.parametrize("path", ["/cds-services/unknown", "/cds-services/unknown/feedback", "/cds-services/FOOT-DROP"])
def test_an_unknown_service_is_not_found(client, path):
    assert "/cds-services" in problem(client.post(path, json=call()), 404)["diagnostics"]


@pytest.mark.parametrize("path", ["/nothing", f"{VIEW}/other", f"{VIEW}/feedback/more", "/cards/FD-NONE-99"])
def test_an_unknown_path_is_not_found(client, path):
    assert problem(client.get(path), 404)["code"] == "not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", VIEW, "POST"),
        ("PUT", VIEW, "POST"),
        ("DELETE", f"{VIEW}/feedback", "POST"),
        ("POST", "/cds-services", "GET, HEAD"),
        ("PATCH", "/cds-services", "GET, HEAD"),
    ],
)
def test_another_method_is_refused_and_the_right_one_named(client, method, path, allowed):
    answer = client.request(method, path)
    assert problem(answer, 405)["code"] == "not-supported"
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/health/live", "/cards/FD-AFO-01"])
def test_pages_are_only_read(client, path):
    answer = client.post(path)
    assert problem(answer, 405)
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(("path", "allowed"), [(VIEW, "POST, OPTIONS"), ("/cds-services", "GET, HEAD, OPTIONS")])
def test_options_tells_what_a_path_allows(client, path, allowed):
    answer = client.request("OPTIONS", path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")


@pytest.mark.norm("JSN-1")
@pytest.mark.parametrize("path", [VIEW, f"{VIEW}/feedback"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_a_body_that_is_not_declared_as_json_is_refused(client, path, headers):
    issue = problem(client.post(path, content=json.dumps(call()).encode(), headers=headers), 415)
    assert "application/json" in issue["diagnostics"]


@pytest.mark.parametrize("declared", ["application/json; charset=utf-8", "Application/JSON", "application/fhir+json"])
def test_json_is_known_by_its_other_spellings(client, declared):
    answer = client.post(VIEW, content=json.dumps(call()).encode(), headers={"content-type": declared})
    assert answer.status_code == 200


# ---- 412


@pytest.mark.norm("PFD-8", "RSP-5", "RSP-6")
@pytest.mark.parametrize("hook", HOOKS)
def test_a_call_without_the_patient_is_not_answered_and_the_missing_keys_are_named(client, hook):
    issue = problem(client.fire(call(hook, foot_drop(), prefetch=None)), 412)
    assert issue["code"] == "incomplete"
    assert "patient, conditions" in issue["diagnostics"] or "patient" in issue["diagnostics"]


@pytest.mark.norm("PFD-8")
def test_a_call_without_the_conditions_is_not_answered_when_nothing_known_concerns_us(client):
    made = call()
    del made["prefetch"]["conditions"]
    issue = problem(client.fire(made), 412)
    assert "conditions" in issue["diagnostics"]
    assert "patient" not in issue["diagnostics"]


# ---- 413


def test_too_many_bytes_are_refused_by_their_declared_length(client_with):
    answer = client_with(max_body_bytes=1024).post(VIEW, content=b" " * 1025, headers=JSON)
    assert "bytes (limit 1024)" in problem(answer, 413)["diagnostics"]


def test_too_many_bytes_are_refused_when_no_length_is_declared(client_with):
    async def parts():
        for _ in range(20):
            yield b" " * 100

    answer = client_with(max_body_bytes=1024).post(VIEW, content=parts(), headers=JSON)
    assert "bytes (limit 1024)" in problem(answer, 413)["diagnostics"]


@pytest.mark.parametrize(
    "place",
    [
        '{{"prefetch":{{"x":{deep}}},{rest}',
        '{{"extension":{deep},{rest}',
        '{{"prefetch":{{"conditions":{deep}}},{rest}',
    ],
)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"entry":[', "]}")])
def test_a_body_nested_too_deep_is_refused(client, place, opening, closing):
    rest = json.dumps({name: value for name, value in call().items() if name != "prefetch"})[1:]
    depth = 200_000
    body = place.format(deep=opening * depth + closing * depth, rest=rest).encode()
    assert "nesting" in problem(client.post(VIEW, content=body, headers=JSON), 413)["diagnostics"]


def test_too_many_resources_are_refused(client_with):
    many = bundle(*(condition("I10", name=f"c-{number}") for number in range(6)))
    answer = client_with(max_resources=5).fire(call(prefetch=prefetch(conditions=many)))
    assert "resources (limit 5)" in problem(answer, 413)["diagnostics"]


# ---- 500


def test_a_fault_of_ours_says_the_call_id_and_nothing_of_the_patient(client, monkeypatch, caplog):
    def fail(*_):
        raise ValueError("Erika Mustermann, born 1971-05-04")

    monkeypatch.setattr("cds_service.fhir.reader.RecordReader.open", fail)
    answer = client.fire(call(), headers={"origin": "https://sandbox.cds-hooks.org"})
    issue = problem(answer, 500)
    assert issue["code"] == "exception"
    call_id = issue["diagnostics"].rpartition(" ")[2]
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith(f"fault in call {call_id}: ValueError at test_refusals.py:")
    assert "Mustermann" not in answer.text + caplog.text
    assert answer.headers["access-control-allow-origin"] == "https://sandbox.cds-hooks.org"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_fault_in_a_page_is_answered_in_the_same_way(client, monkeypatch):
    monkeypatch.setattr("cds_service.web.playground.routes.playground_page", lambda *_: 1 / 0)
    assert problem(client.get("/"), 500)


def test_advice_is_given_even_if_the_journal_cannot_be_written(client_with, tmp_path, caplog):
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3")
    with closing(sqlite3.connect(tmp_path / "ledger.journal.sqlite3")) as journal, journal:
        journal.execute("DROP TABLE entry")
    assert served.fire(every_hook()["patient-view"]).json()["cards"]
    assert "is not in the ledger: LedgerError" in caplog.text


def test_a_client_that_leaves_before_its_body_is_complete_is_no_fault(client, caplog):
    caplog.set_level("INFO")

    async def leave():
        scope = {
            "type": "http",
            "method": "POST",
            "path": VIEW,
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
            "query_string": b"",
        }
        sent = []
        messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

        async def receive():
            return next(messages)

        async def send(message):
            sent.append(message)

        await client.app(scope, receive, send)
        return sent

    assert client.run(leave()) == []
    assert "the client left" in caplog.text
    assert "fault" not in caplog.text
