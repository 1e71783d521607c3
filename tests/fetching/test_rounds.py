"""What is asked of the FHIR server, and in which order: no more than what could settle something."""

import json
from pathlib import Path

import pytest

from tests.api.world import (
    HCPCS,
    HOOKS,
    LATERALITY,
    PATIENT,
    RIGHT,
    SUBJECT,
    bundle,
    call,
    condition,
    every_hook,
    foot_drop,
    orthosis,
    patient,
    prefetch,
)
from tests.fetching.world import (
    FIRST_ROUND,
    KEYS,
    NEEDS,
    TOKEN,
    WORDS,
    a_record,
    about,
    asking,
    authorization,
    cards,
    codes,
    gaps,
    said,
    service,
    types,
    weak_ankle,
)
from tests.fhir_server import fault, real
from tests.fhir_server.fault import FaultServer
from tests.fhir_server.real import RealServer

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "patients"
LOW_BACK_PAIN = condition("M54.50", "Low back pain", "c-9")
STRANGER = {"reference": "Patient/pat-78"}


@pytest.fixture(scope="module")
def client():
    made = service(deadline_ms=5000)  # so that a busy machine changes no answer
    yield made
    made.close()


@pytest.fixture(scope="module")
def running():
    with FaultServer([]) as made:
        yield made


@pytest.fixture
def server(running):
    """Holds a patient with foot drop, and makes no fault."""
    running.resources = [patient(), foot_drop()]
    running.faults = {}
    running.page_size = None
    running.latency = 0.0
    running.reset()
    return running


# ---- nothing too much


@pytest.mark.parametrize("hook", HOOKS)
def test_nothing_is_asked_when_prefetch_settles_all(client, server, hook):
    made = every_hook()[hook]
    answer = client.fire(made | {"fhirServer": server.base, "fhirAuthorization": authorization()})
    assert server.asked == []
    assert said(answer) == said(client.fire(made))


@pytest.mark.parametrize("key", ["patient", "conditions", "observations", "deviceRequests", "serviceRequests"])
def test_only_the_key_that_is_missing_is_asked(client, server, key):
    sent = prefetch(foot_drop())
    del sent[key]
    answer = client.fire(asking(server.base, prefetch=sent))
    assert types(server) == [kind for kind, name in KEYS.items() if name == key]
    assert said(answer) == said(client.fire(call("patient-view", foot_drop())))


@pytest.mark.parametrize("key", ["conditions", "deviceRequests"])
@pytest.mark.norm("PFD-2")
def test_a_null_in_prefetch_is_an_answer_and_not_asked_again(client, server, key):
    client.fire(asking(server.base, prefetch=prefetch(foot_drop(), **{key: None})))
    assert server.asked == []


@pytest.mark.norm("PFD-4")
def test_an_error_in_prefetch_is_an_answer_and_not_asked_again(client, server):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    answer = client.fire(asking(server.base, prefetch=prefetch(foot_drop(), deviceRequests=outcome)))
    assert server.asked == []
    assert gaps(answer)["deviceRequests"][0] == "failed"


@pytest.mark.parametrize(
    ("key", "broken"), [("deviceRequests", [1]), ("conditions", 7), ("patient", {"id": "no type"})]
)
def test_what_cannot_be_read_in_prefetch_is_asked(client, server, key, broken):
    answer = client.fire(asking(server.base, prefetch=prefetch(foot_drop(), **{key: broken})))
    assert [KEYS[kind] for kind in types(server)] == [key]
    assert gaps(answer) == {}
    assert codes(answer)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_first_round_is_patient_problems_and_findings_and_the_second_what_hangs(client, server, hook):
    made = every_hook()[hook]
    drafts = [one["resource"] for one in made["context"].get("draftOrders", {}).get("entry", [])]
    server.resources = [patient(), foot_drop(), orthosis("order-1", "active")]
    answer = client.fire(asking(server.base, hook, *[foot_drop()] * (hook == HOOKS[-1]), drafts=drafts))
    asked = types(server)
    first = FIRST_ROUND & set(asked)
    assert set(asked[: len(first)]) == first
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    assert codes(answer)
    assert gaps(answer) == {}


def test_three_queries_suffice_for_a_patient_with_nothing_of_ours(client, server):
    server.resources = [patient(), LOW_BACK_PAIN]
    answer = client.fire(asking(server.base))
    assert answer.json() == {"cards": []}
    assert sorted(types(server)) == sorted(FIRST_ROUND)


def test_medicines_are_asked_for_only_when_something_hangs_on_them(client, server):
    client.fire(asking(server.base))
    assert not {one for one in types(server) if one.startswith("Medication")}
    server.resources = a_record()
    client.fire(asking(server.base))
    assert {"MedicationRequest", "MedicationAdministration"} <= set(types(server))


# ---- how it is asked


@pytest.mark.norm("REQ-13", "FHA-1", "FHA-2", "PFD-1", "PFD-7")
def test_searches_want_strict_handling_and_every_request_carries_the_token(client, server):
    client.fire(asking(server.base))
    for one in server.asked:
        assert one.headers["authorization"] == f"Bearer {TOKEN}"
        assert one.headers.get("prefer") == (None if one.id else "handling=strict")
        assert one.headers["accept"].startswith("application/fhir+json")
        assert one.patient == ("" if one.id else PATIENT)


def test_no_token_is_sent_when_the_call_brings_none(client, server):
    client.fire(asking(server.base, scope=None))
    assert server.asked
    assert not any("authorization" in one.headers for one in server.asked)


def test_at_most_eight_are_asked_at_once(client, server):
    server.resources = a_record()
    server.latency = 0.05
    client.fire(asking(server.base))
    assert len(server.asked) == len(NEEDS)
    assert 6 <= server.most_at_once <= 8


def test_a_search_is_posted_when_its_address_would_be_too_long(client, server):
    long = "p" * 1900
    made = about(long, asking(server.base))
    server.resources = [patient(id=long), foot_drop(subject={"reference": f"Patient/{long}"})]
    answer = client.fire(made)
    searches = [one for one in server.asked if one.id != long]
    posted = {one.resource_type for one in searches if one.method == "POST"}
    assert "Observation" in posted
    assert all(one.id == "_search" for one in searches if one.method == "POST")
    assert all(one.headers["prefer"] == "handling=strict" for one in searches)
    assert codes(answer)
    assert gaps(answer) == {}


# ---- pages


@pytest.mark.parametrize("size", [1, 2])
def test_pages_give_the_same_answer_as_one(client, server, size):
    problems = [condition("E11.9", "Type 2 diabetes", "c-2"), foot_drop(), LOW_BACK_PAIN]
    server.resources = [patient(), *problems, weak_ankle(), weak_ankle(3, "o-2", effectiveDateTime="2026-10-20")]
    server.page_size = size
    answer = client.fire(asking(server.base))
    assert said(answer) == said(client.fire(call("patient-view", *problems, *server.resources[4:])))
    assert len(types(server)) > len(set(types(server)))


@pytest.mark.norm("PFD-6")
def test_the_pages_behind_a_prefetched_one_are_followed_with_the_token(client, server):
    server.resources = [patient(), LOW_BACK_PAIN, foot_drop()]
    server.page_size = 1
    first = bundle(LOW_BACK_PAIN) | {
        "total": 2,
        "link": [{"relation": "next", "url": f"{server.base}/Condition?patient={PATIENT}&_page=2"}],
    }
    answer = client.fire(asking(server.base, prefetch=prefetch(conditions=first)))
    assert types(server) == ["Condition"]
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert said(answer) == said(client.fire(call("patient-view", LOW_BACK_PAIN, foot_drop())))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/fhir/Condition?_page=2", "http://[broken", "../admin?_page=2"])
def test_a_next_link_of_prefetch_that_leads_elsewhere_is_not_followed_but_a_gap(client, server, url):
    first = bundle(foot_drop()) | {"link": [{"relation": "next", "url": url}]}
    answer = client.fire(asking(server.base, prefetch=prefetch(conditions=first)))
    assert server.asked == server.strayed == []
    assert gaps(answer)["conditions"][0] == "truncated"


# ---- scopes


@pytest.mark.parametrize(
    "scope",
    [
        "patient/Patient.read patient/Condition.read patient/Observation.read",
        "patient/Patient.r patient/Condition.rs patient/Observation.rs",
        "launch openid patient/Patient.cruds patient/Condition.s user/Observation.*",
    ],
)
def test_what_the_scopes_do_not_allow_is_not_asked_and_named(client, server, scope):
    answer = client.fire(asking(server.base, scope=scope))
    assert set(types(server)) == FIRST_ROUND
    assert gaps(answer)["deviceRequests"] == ("denied", "out of scope")
    assert WORDS["deviceRequests"] in json.dumps(cards(answer))


def test_a_scope_that_is_narrowed_by_a_query_proves_no_absence(client, server):
    narrow = "patient/Patient.r patient/Condition.rs patient/Observation.rs?category=laboratory"
    assert gaps(client.fire(asking(server.base))) == {}
    assert gaps(client.fire(asking(server.base, scope=narrow)))["observations"] == ("truncated", "out of scope")


@pytest.mark.parametrize("scope", ["patient/Condition.rs", "patient/Patient.s patient/Condition.rs"])
def test_the_call_is_refused_when_the_scopes_leave_out_the_patient(client, server, scope):
    answer = client.fire(asking(server.base, scope=scope))
    assert answer.status_code == 412
    assert gaps(answer)["patient"][1] == "out of scope"
    assert "Patient" not in types(server)


@pytest.mark.parametrize("scope", ["launch", "launch/patient online_access openid fhirUser"])
def test_everything_is_asked_when_the_scopes_speak_of_no_data(client, server, scope):
    answer = client.fire(asking(server.base, scope=scope))
    assert gaps(answer) == {}
    assert set(types(server)) > FIRST_ROUND


def test_the_call_is_refused_when_the_token_is_another_patients(client, server):
    granted = authorization(patient="pat-78")
    answer = client.fire(asking(server.base, fhirAuthorization=granted))
    assert answer.status_code == 400
    assert server.asked == []


# ---- odd answers that are none the worse for it


def dress(monkeypatch, change):
    """Make the server change the entries of all its answers, as some servers do."""
    good = fault.answer

    def changed(*arguments):
        given = good(*arguments)
        entries = given.value.get("entry")
        return given.having(value=given.value | {"entry": change(entries)}) if entries else given

    monkeypatch.setattr(fault, "answer", changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda entries: entries + entries,
        lambda entries: [{"resource": one["resource"]} for one in entries],
        lambda entries: [{"fullUrl": "urn:uuid:8d1f6f6c-6d3f-4a52-9d3c-0d2a30ff0000", **one} for one in entries],
        lambda entries: [one | {"search": {}} for one in entries],
    ],
    ids=["twice", "no fullUrl", "another fullUrl", "no mode"],
)
def test_the_answer_is_the_same_however_the_entries_are_dressed(client, server, monkeypatch, change):
    server.resources = a_record(weak_ankle())
    good = said(client.fire(asking(server.base)))
    dress(monkeypatch, change)
    assert said(client.fire(asking(server.base))) == good


# ---- devices that stand elsewhere

BRACE = {"resourceType": "Device", "id": "dev-1", "status": "active"} | {
    "type": {"coding": [{"system": HCPCS, "code": "L1960", "display": "Ankle-foot orthosis"}]}
}


def use(**members):
    made = {"resourceType": "DeviceUseStatement", "id": "use-1", "status": "active", "subject": SUBJECT}
    return made | {"bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": "24028007"}]}} | members


def test_a_contained_device_counts_as_one_that_is_referred_to(client, server):
    server.resources += [use(contained=[BRACE | {"id": "in"}], device={"reference": "#in"})]
    answer = client.fire(asking(server.base))
    assert "FD-AFO-01" not in codes(answer)
    assert "Device/dev-1" not in [one.path for one in server.asked]


@pytest.mark.parametrize("how", ["Device/dev-1", "{base}/Device/dev-1", "Device/dev-1/_history/1"])
def test_a_device_that_a_statement_only_points_to_is_read_by_its_id(client, server, how):
    server.resources += [BRACE, use(device={"reference": how.format(base=server.base)})]
    answer = client.fire(asking(server.base))
    reads = [one for one in server.asked if one.resource_type == "Device" and one.id]
    assert [one.path for one in reads] == ["/fhir/Device/dev-1"]
    assert reads[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "FD-AFO-01" not in codes(answer)
    assert gaps(answer) == {}


@pytest.mark.parametrize("reference", ["Device/gone", "http://127.0.0.1:1/fhir/Device/dev-1", "urn:uuid:dev-1"])
def test_nothing_is_concluded_when_a_device_in_use_cannot_be_read(client, server, reference):
    server.resources += [use(device={"reference": reference})]
    answer = client.fire(asking(server.base))
    assert gaps(answer)["deviceUse"][0] == "partial"
    assert server.strayed == []
    for card in cards(answer):
        if card["source"]["topic"]["code"] == "FD-AFO-01":
            assert WORDS["deviceUse"] in card["detail"]


def test_a_device_of_another_patient_is_not_used_when_a_statement_points_to_it(client, server):
    server.resources += [BRACE | {"patient": STRANGER}, use(device={"reference": "Device/dev-1"})]
    answer = client.fire(asking(server.base))
    assert gaps(answer)["deviceUse"][0] == "partial"


def test_no_more_than_twenty_devices_are_read_one_by_one(client, server):
    server.resources += [use(id=f"use-{n}", device={"reference": f"Device/d-{n}"}) for n in range(30)]
    server.resources += [BRACE | {"id": f"d-{n}", "type": {"text": "hearing aid"}} for n in range(30)]
    answer = client.fire(asking(server.base))
    assert len([one for one in server.asked if one.resource_type == "Device" and one.id]) == 20
    assert gaps(answer)["deviceUse"][0] == "partial"


# ---- a server that others have written

needs_sekmet = pytest.mark.skipif(
    real.python() is None, reason="sekmet-fhir is not installed, and SEKMET_PYTHON names no Python that has it"
)
RIGHT_ORTHOSIS = orthosis("order-1", "active", parameter=[{"code": LATERALITY, "valueCodeableConcept": RIGHT}])


@needs_sekmet
def test_the_orders_of_another_patient_are_not_used_when_the_server_ignores_the_parameter(client):
    strange = RIGHT_ORTHOSIS | {"id": "order-2", "subject": STRANGER}
    with RealServer() as sekmet:
        sekmet.load([patient(), foot_drop(), patient(id="pat-78"), strange, use(id="use-2", subject=STRANGER)])
        answer = client.fire(asking(sekmet.base))
    found = gaps(answer)
    assert found["deviceRequests"][0] == found["deviceUse"][0] == "failed"
    assert found["deviceRequests"][1] in ("other patient", "not offered")  # it refuses what we ask strictly
    assert "FD-AFO-01" in codes(answer), "somebody else's orthosis silences nothing"
    assert "order-2" not in answer.text


@needs_sekmet
def test_a_token_decides_what_a_real_server_gives(client):
    wide, narrow = "patient/*.read", "patient/Patient.read patient/Condition.read"
    with RealServer(auth=True) as sekmet:
        sekmet.load([patient(), foot_drop()])
        good = client.fire(asking(sekmet.base, scope=wide, token=sekmet.token(wide)))
        without = client.fire(asking(sekmet.base, scope=None))
        less = client.fire(asking(sekmet.base, scope=wide, token=sekmet.token(narrow)))  # says more than it may
    assert codes(good)[:1] != ["data-gap"]
    assert (without.status_code, gaps(without)["patient"]) == (412, (None, "denied"))
    assert gaps(less)["observations"] == ("denied", "denied")
    assert codes(less)


# ---- the records that others have published


def published():
    """The resources of all records that a need is about, the first of each id, by type and id."""
    found = {}
    records = [json.loads(file.read_text()) for file in sorted(FIXTURES.rglob("*/*.json"))]
    for one in real._storable(records)[0]:
        if one["resourceType"] in KEYS:
            found.setdefault((one["resourceType"], one["id"]), one)
    return found


def owner(resource):
    reference = resource.get("subject") or resource.get("patient") or {}
    return str(reference.get("reference", "")).rpartition("/")[2]


class Recorder:
    """What a client's FHIR client asked, call by call."""

    def __init__(self, monkeypatch):
        from cds_service.fhir.client.session import Session

        self.asked = []
        good = Session.answer

        async def answer(session, question):
            self.asked.append(question.query.resource)
            return await good(session, question)

        monkeypatch.setattr(Session, "answer", answer)


@needs_sekmet
@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the published records are not on this machine")
def test_a_published_patient_costs_three_queries_and_gets_the_same_answer_as_by_prefetch(client, monkeypatch):
    records = published()
    patients = [name for kind, name in records if kind == "Patient"]
    recorder = Recorder(monkeypatch)
    with RealServer() as sekmet:
        sekmet.load_what_fits(records.values())
        for name in patients:
            recorder.asked.clear()
            answer = client.fire(about(name, asking(sekmet.base)))
            assert answer.json() == {"cards": []}, name
            assert sorted(recorder.asked) == sorted(FIRST_ROUND), name
            mine = [one for one in records.values() if owner(one) == name]
            sent = {key: bundle(*[r for r in mine if r["resourceType"] == kind]) for kind, key in KEYS.items()}
            by_prefetch = client.fire(about(name, call(prefetch=sent | {"patient": records["Patient", name]})))
            assert said(answer) == said(by_prefetch), name
    assert len(patients) > 40


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a b", "é", "x\r\ny", "."])
def test_a_reference_that_is_no_id_never_becomes_a_path(client, name):
    use = {
        "resourceType": "DeviceUseStatement",
        "id": "du-1",
        "status": "active",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "device": {"reference": f"Device/{name}"},
    }
    with FaultServer(a_record(use)) as server:
        answer = client.fire(asking(server.base))
        assert [one.path for one in server.asked if "/Device/" in one.path] == []
    assert gaps(answer)["deviceUse"] == ("partial", "incomplete")
