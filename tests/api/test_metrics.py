"""`/metrics`: each series moves when it should, none is added by a call, and none holds what a client sent."""

import json
import math
import sqlite3
import uuid
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cds_service.app import create_app
from cds_service.decision.decide import OUTCOMES
from cds_service.settings import Settings
from tests.api.test_feedback import accepted, overridden
from tests.api.test_privacy import BROKEN, MARK, marked
from tests.api.world import bundle, call, condition, every_hook, foot_drop, path_of, patient, prefetch, wait_until
from tests.conftest import Client, Clock
from tests.fetching.world import NEEDS, a_record, asking
from tests.fhir_server.fault import FaultServer

VIEW = path_of("patient-view")
SERVICE = "foot-drop-patient-view"
FEEDBACK = f"{VIEW}/feedback"
JSON = {"content-type": "application/json"}
OTHER_SERVICE = {"service": "unknown"}
SORE_HEEL = condition("M79.671", "Pain in right foot")


def scraped(client):
    """(name, labels) → value, for each series."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


class Counts:
    """What was added to the metrics since this was made."""

    def __init__(self, client):
        self.client = client
        self.before = scraped(client)

    def of(self, name, **labels):
        """Label values → how much was added, for the series of a name with these labels."""
        rest = {
            frozenset(found - labels.items()): value - self.before[name_of, found]
            for (name_of, found), value in scraped(self.client).items()
            if name_of == name and found >= labels.items()
        }
        assert rest, f"there is no {name} with {labels}"
        return {tuple(value for _, value in sorted(left)): added for left, added in rest.items() if added}

    def one(self, name, **labels):
        """How much was added to one series."""
        return self.of(name, **labels).get((), 0)


@pytest.fixture(scope="module")
def client():
    """A service of these tests' own: no card of it is dismissed, so that none is quiet."""
    made = Client(create_app(Settings(database_url="sqlite://"), Clock()))
    yield made
    made.close()


@pytest.fixture
def counts(client):
    return Counts(client)


def without(*keys, made=None):
    """A call that leaves out some prefetch keys."""
    made = made or call("patient-view", foot_drop())
    return made | {"prefetch": {key: value for key, value in made["prefetch"].items() if key not in keys}}


def ended(counts, **labels):
    """Outcome → how many hook calls of the open client ended so."""
    return {outcome: number for (outcome,), number in counts.of("cds_calls_total", client="open", **labels).items()}


# ---- the page


def test_the_answer_is_prometheus_text(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert client.request("HEAD", "/metrics").status_code == 200
    assert client.post("/metrics").status_code == 405


@pytest.mark.parametrize("allow_open", [False, True])
def test_only_this_machine_reads_it_whatever_the_service_listens_on(client_with, allow_open):
    client = client_with(allow_open=allow_open)
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"}).status_code == 403
    for remote in (("192.0.2.7", 4711), None):
        client.http._transport.client = remote
        for path in ("/metrics", "/metrics/", "//metrics", "/health/../metrics", "/METRICS"):
            answer = client.get(path)
            assert answer.status_code in (403, 404)
            assert "cds_" not in answer.text
        assert client.get("/metrics").status_code == 403


def test_the_knowledge_that_runs_is_named(client):
    (labels,) = (labels for name, labels in scraped(client) if name == "cds_knowledge_info")
    assert dict(labels) == {"fingerprint": client.get("/health/ready").json()["knowledge"]}


def test_two_services_in_one_process_count_apart(client_with):
    first, second = Counts(client_with()), Counts(client_with())
    first.client.fire(call())
    assert ended(first, service=SERVICE) == {"complete without cards": 1}
    assert ended(second, service=SERVICE) == {}


# ---- calls


@pytest.mark.parametrize(
    ("outcome", "made"),
    [
        ("complete with cards", call("patient-view", foot_drop())),
        ("complete without cards", call("patient-view", SORE_HEEL)),
        ("partial with cards", without("serviceRequests")),
        ("partial without cards", without("observations", made=call("patient-view", SORE_HEEL))),
    ],
)
def test_an_answered_call_is_counted_by_its_outcome(counts, outcome, made):
    assert counts.client.fire(made).status_code == 200
    assert ended(counts, service=SERVICE) == {outcome: 1}
    assert outcome in OUTCOMES


def test_each_service_is_counted_for_itself(counts):
    for made in every_hook().values():
        counts.client.fire(made)
    found = counts.of("cds_calls_total", client="open", outcome="complete with cards")
    assert found == {(path_of(hook).rpartition("/")[2],): 1 for hook in every_hook()}


def break_reader(monkeypatch):
    monkeypatch.setattr("cds_service.fhir.reader.RecordReader.open", lambda *_: 1 / 0)


@pytest.mark.parametrize(
    ("status", "request_of"),
    [
        (400, {"content": b"{", "headers": JSON}),
        (400, {"json": call(hook="order-sign")}),
        (400, {"json": call(prefetch=prefetch(patient=patient(id="another")))}),
        (405, {"method": "PUT"}),
        (412, {"json": call(prefetch=None)}),
        (413, {"content": b" " * 2**21, "headers": JSON}),
        (415, {"content": b"{}"}),
    ],
)
def test_a_refused_call_is_counted_by_its_status(client_with, status, request_of):
    counts = Counts(client_with(max_body_bytes=2**20))
    method = request_of.get("method", "POST")
    options = {name: value for name, value in request_of.items() if name != "method"}
    assert counts.client.request(method, VIEW, **options).status_code == status
    assert ended(counts, service=SERVICE) == {f"refused_{status}": 1}


def test_a_fault_of_ours_is_counted(counts, monkeypatch):
    break_reader(monkeypatch)
    assert counts.client.fire(call()).status_code == 500
    assert ended(counts, service=SERVICE) == {"refused_500": 1}


def test_calls_of_services_that_nobody_has_are_one_series(counts):
    before = scraped(counts.client).keys()
    for number in range(5):
        assert counts.client.post(f"/cds-services/made-up-{number}", json=call()).status_code == 404
        assert counts.client.get(f"/cds-services/made-up-{number}").status_code == 405
    assert ended(counts, **OTHER_SERVICE) == {"refused_404": 5, "refused_405": 5}
    assert scraped(counts.client).keys() == before


def test_a_client_that_left_is_counted_as_that(counts):
    async def leave():
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": VIEW, "headers": headers, "query_string": b""}
        messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

        async def receive():
            return next(messages)

        await counts.client.app(scope, receive, None)

    counts.client.run(leave())
    assert ended(counts, service=SERVICE) == {"client left": 1}


def test_what_is_no_call_is_not_counted_as_one(counts):
    for method, path in (("GET", "/cds-services"), ("PUT", "/cds-services"), ("GET", "/"), ("GET", "/nothing")):
        counts.client.request(method, path)
    assert counts.client.request("OPTIONS", VIEW).status_code == 204
    assert counts.of("cds_calls_total") == {}
    assert counts.of("cds_feedback_calls_total") == {}


# ---- phases


def phases(counts):
    """Phase → how many calls came through it."""
    return {phase: number for (phase,), number in counts.of("cds_call_seconds_count", service=SERVICE).items()}


def test_a_call_that_fetches_nothing_has_the_three_other_phases(counts):
    counts.client.fire(call())
    assert phases(counts) == {"parse": 1, "decide": 1, "record": 1}
    for phase in ("parse", "decide", "record"):
        assert 0 < counts.one("cds_call_seconds_sum", service=SERVICE, phase=phase) < 1


def test_a_call_that_fetches_has_the_time_of_that_apart(counts):
    with FaultServer(a_record(), latency=0.2) as server:
        assert counts.client.fire(asking(server.base)).status_code == 200
    assert phases(counts) == {"parse": 1, "fetch": 1, "decide": 1, "look_up": 1, "record": 1}
    assert counts.one("cds_call_seconds_sum", service=SERVICE, phase="fetch") >= 0.2
    assert counts.one("cds_call_seconds_sum", service=SERVICE, phase="decide") < 0.2


def test_a_refused_call_is_timed_as_far_as_it_came(counts):
    counts.client.post(VIEW, content=b"{", headers=JSON)
    assert phases(counts) == {}
    counts.client.fire(call(prefetch=None))
    assert phases(counts) == {"parse": 1}


def test_the_buckets_reach_from_a_millisecond_to_ten_seconds(client):
    bounds = {dict(labels)["le"] for name, labels in scraped(client) if name == "cds_call_seconds_bucket"}
    assert {"0.001", "10.0", "+Inf"} <= bounds
    assert min(map(float, bounds)) == 0.001


# ---- needs


def met(counts):
    """How → the needs that were met so, each once."""
    found = {}
    for (how, need), number in counts.of("cds_needs_total").items():
        assert number == 1
        found.setdefault(how, set()).add(need)
    return found


def test_what_prefetch_brought_counts_as_that(counts):
    counts.client.fire(call("patient-view", foot_drop()))
    assert met(counts) == {"prefetch": set(NEEDS)}


def test_what_did_not_come_is_not_had_where_an_answer_hangs_on_it(counts):
    counts.client.fire(without("serviceRequests"))
    assert met(counts) == {"prefetch": NEEDS.keys() - {"service requests"}, "not had": {"service requests"}}


def test_what_nobody_missed_counts_as_not_asked(counts):
    made = {"patient": patient(deceasedBoolean=True), "conditions": bundle(foot_drop())}
    assert counts.client.fire(call("patient-view", prefetch=made)).json() == {"cards": []}
    assert met(counts) == {"prefetch": {"patient", "conditions"}, "not asked": NEEDS.keys() - {"patient", "conditions"}}


def test_what_the_ehr_has_not_counts_as_not_asked(client_with):
    counts = Counts(client_with(ehr_profile="oracle-health"))
    counts.client.fire(call("patient-view", foot_drop()))
    assert "device requests" in met(counts)["not asked"]


def test_an_error_under_a_prefetch_key_is_not_had(counts):
    error = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    counts.client.fire(call("patient-view", foot_drop(), prefetch=prefetch(foot_drop(), serviceRequests=error)))
    assert met(counts)["not had"] == {"service requests"}
    assert counts.of("cds_fetch_failures_total") == {}


# ---- fetching


def test_a_call_without_prefetch_has_all_its_needs_fetched(counts):
    with FaultServer(a_record()) as server:
        assert counts.client.fire(asking(server.base)).status_code == 200
        asked = len(server.asked)
    assert met(counts) == {"fetched": set(NEEDS)}
    assert counts.one("cds_fallback_calls_total", client="open") == 1
    assert counts.of("cds_fetch_seconds_count") == {(need,): 1 for need in NEEDS}
    assert sum(counts.of("cds_fetch_seconds_count").values()) == asked
    assert counts.of("cds_fetch_failures_total") == {}


def test_only_what_prefetch_did_not_bring_counts_as_fetched(counts):
    with FaultServer(a_record()) as server:
        made = without("serviceRequests", "devices", made=call("patient-view", foot_drop()))
        counts.client.fire(asking(server.base, prefetch=made["prefetch"]))
    fetched = {"service requests", "devices"}
    assert met(counts) == {"prefetch": NEEDS.keys() - fetched, "fetched": fetched}


def test_what_could_not_be_fetched_is_counted_by_its_reason(counts):
    faults = {
        "Procedure": "403",
        "Device": "500",
        "ServiceRequest": "not HTTP",
        "Observation": "another patient's data",
    }
    with FaultServer(a_record(), faults=faults) as server:
        assert counts.client.fire(asking(server.base)).status_code == 200
    assert counts.of("cds_fetch_failures_total") == {
        ("procedures", "denied"): 1,
        ("devices", "server error"): 1,
        ("service requests", "server error"): 1,
        ("findings", "other patient"): 1,
    }
    assert met(counts)["not had"] == {"procedures", "devices", "service requests", "findings"}


def test_what_came_too_late_is_counted_as_late(client_with):
    counts = Counts(client_with(deadline_ms=1500))
    with FaultServer(a_record(), faults={"Procedure": "slow first byte"}) as server:
        assert counts.client.fire(asking(server.base)).status_code == 200
    assert counts.of("cds_fetch_failures_total") == {("procedures", "late"): 1}


def test_a_server_that_may_not_be_asked_is_a_failure_and_no_fallback(counts):
    assert counts.client.fire(asking("https://ehr.example/fhir")).status_code == 412
    assert counts.one("cds_fetch_failures_total", need="patient", reason="server not allowed") == 1
    assert counts.of("cds_fallback_calls_total") == {}
    assert counts.of("cds_fetch_seconds_count") == {}


def test_a_query_outside_of_the_scopes_is_a_failure(counts):
    with FaultServer(a_record()) as server:
        counts.client.fire(asking(server.base, scope="patient/Patient.rs patient/Condition.rs"))
    assert counts.one("cds_fetch_failures_total", need="findings", reason="out of scope") == 1
    assert met(counts)["fetched"] == {"patient", "conditions"}


def test_a_call_that_fetched_in_vain_counts_as_fallback_and_as_412(counts):
    with FaultServer([], faults={"*": "500"}) as server:
        assert counts.client.fire(asking(server.base)).status_code == 412
    assert counts.one("cds_fallback_calls_total", client="open") == 1
    assert ended(counts, service=SERVICE) == {"refused_412": 1}
    assert counts.one("cds_fetch_failures_total", need="patient", reason="server error") == 1


# ---- recommendations


def states(counts):
    """(recommendation, state) of what was counted."""
    found = counts.of("cds_recommendations_total")
    assert set(found.values()) <= {1}
    assert {version for _, _, version in found} <= {"0.1.0"}
    return {(name, state) for name, state, _ in found}


def test_a_recommendation_is_counted_as_returned_or_folded(client_with):
    counts = Counts(client_with(max_cards=1))
    assert len(counts.client.fire(call("patient-view", foot_drop())).json()["cards"]) == 2
    found = states(counts)
    assert sorted(state for _, state in found) == ["folded", "folded", "folded", "returned"]
    assert ("FD-AFO-01", "folded") in found


def test_a_recommendation_that_is_kept_quiet_is_counted_as_snoozed(client_with):
    served = client_with()
    made = call("patient-view", foot_drop())
    shown = next(c for c in served.fire(made).json()["cards"] if c["source"]["topic"]["code"] == "FD-AFO-01")
    served.post(FEEDBACK, json={"feedback": [overridden(shown)]})
    wait_until(lambda: scraped(served)["cds_journal_waiting", frozenset()] == 0, "the journal to be delivered")
    counts = Counts(served)
    served.fire(made)
    assert {name for name, state in states(counts) if state == "snoozed"} == {"FD-AFO-01"}


def test_a_recommendation_that_is_not_settled_or_withheld_is_counted_as_unknown(counts):
    counts.client.fire(without("observations"))
    assert {state for _, state in states(counts)} == {"returned", "unknown"}
    assert "FD-RF-01" in {name for name, state in states(counts) if state == "unknown"}


def test_a_call_that_cannot_be_answered_leaves_its_recommendations_unknown(counts):
    assert counts.client.fire(call(prefetch=None)).status_code == 412
    assert {state for _, state in states(counts)} == {"unknown"}


# ---- feedback


def test_feedback_is_counted_by_what_was_done(client_with):
    counts = Counts(client_with())
    shown = counts.client.fire(every_hook()["patient-view"]).json()["cards"][0]
    entries = [accepted(shown), overridden(shown), overridden(shown), overridden(shown, card="no card at all")]
    assert counts.client.post(FEEDBACK, json={"feedback": entries}).status_code == 200
    found = counts.of("cds_feedback_total", client="open")
    assert found == {("accepted",): 1, ("overridden",): 2, ("no card",): 1}
    assert counts.of("cds_feedback_calls_total", client="open") == {("kept",): 1}


@pytest.mark.parametrize(
    ("status", "path", "options"),
    [
        (400, FEEDBACK, {"json": {"feedback": []}}),
        (404, "/cds-services/made-up/feedback", {"json": {"feedback": []}}),
        (413, FEEDBACK, {"content": b" " * 2**21, "headers": JSON}),
        (415, FEEDBACK, {"content": b"{}"}),
    ],
)
def test_refused_feedback_is_counted_by_its_status(counts, status, path, options):
    assert counts.client.post(path, **options).status_code == status
    assert counts.of("cds_feedback_calls_total", client="open") == {(f"refused_{status}",): 1}
    assert counts.of("cds_calls_total") == {}


# ---- the ledger


def journal_of(folder):
    return sqlite3.connect(folder / "ledger.journal.sqlite3")


@pytest.mark.parametrize(
    ("choice", "outcome", "not_kept"), [("advise", "complete with cards", 1), ("refuse", "refused_503", 0)]
)
def test_a_call_that_the_ledger_cannot_keep_is_counted(client_with, tmp_path, choice, outcome, not_kept):
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3", when_journal_is_full=choice)
    counts = Counts(served)
    with closing(journal_of(tmp_path)) as journal, journal:
        journal.execute("DROP TABLE entry")
    served.fire(call("patient-view", foot_drop()))
    assert ended(counts, service=SERVICE) == {outcome: 1}
    assert counts.one("cds_calls_not_kept_total", client="open") == not_kept
    assert "record" not in phases(counts)


def test_an_empty_journal_and_a_database_that_is_up(client):
    client.fire(call())
    wait_until(lambda: scraped(client)["cds_journal_waiting", frozenset()] == 0, "the journal to be delivered")
    assert scraped(client)["cds_ledger_database_up", frozenset()] == 1
    assert scraped(client)["cds_journal_set_aside", frozenset()] == 0


def test_a_database_that_is_down_and_what_waits_for_it(client_with, tmp_path, monkeypatch):
    monkeypatch.setattr("cds_service.ledger.database_url._CONNECT_SECONDS", 0.1)
    served = client_with(
        database_url="postgresql://nobody@127.0.0.1:9/none",
        journal_file=tmp_path / "ledger.journal.sqlite3",
        ledger_key_file=tmp_path / "key",
    )
    for _ in range(3):
        assert served.fire(call()).status_code == 200
    wait_until(lambda: scraped(served)["cds_ledger_database_up", frozenset()] == 0, "the database to be missed")
    assert scraped(served)["cds_journal_waiting", frozenset()] == 3


def test_what_was_set_aside_is_counted(client_with, tmp_path):
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3")
    with closing(journal_of(tmp_path)) as journal, journal:
        journal.execute("INSERT INTO set_aside VALUES (7, 'call', '{}')")
    assert scraped(served)["cds_journal_set_aside", frozenset()] == 1


def test_a_journal_that_cannot_be_read_hides_no_other_metric(client_with, tmp_path):
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3")
    with closing(journal_of(tmp_path)) as journal, journal:
        journal.execute("DROP TABLE set_aside")
    found = scraped(served)
    assert math.isnan(found["cds_journal_set_aside", frozenset()])
    assert found["cds_ledger_database_up", frozenset()] == 1


# ---- nothing of the patient, nothing without bound


def hostile_reports():
    """Feedback in which each string that a client can choose carries a marker."""
    entry = {
        "card": MARK,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T12:00:00Z",
        "overrideReason": {"reason": {"system": MARK, "code": MARK, "display": MARK}, "userComment": MARK},
    }
    yield {"feedback": [entry, entry | {"card": str(uuid.uuid4())}]}
    yield {"feedback": [entry | {"outcome": MARK}]}
    yield {"feedback": MARK}


def fire_hostile(client):
    """Calls of each kind, with a marker wherever a client can put one."""
    headers = {"authorization": f"Bearer {MARK}", "x-request-id": MARK, "user-agent": MARK, "accept": f"text/{MARK}"}
    for made in BROKEN.values():
        client.post(f"{VIEW}?{MARK}={MARK}", json=made, headers=headers)
    client.post(VIEW, content=json.dumps(marked()), headers={"content-type": MARK})
    client.request(MARK, VIEW, headers=headers)
    client.request(MARK, f"/cds-services/{MARK}", headers=headers)
    for report in hostile_reports():
        client.post(f"{FEEDBACK}?{MARK}", json=report, headers=headers)
        client.post(f"/cds-services/{MARK}/feedback", json=report, headers=headers)
    for path in (f"/{MARK}", f"/cds-services/{MARK}", f"/cds-services/{MARK}/{MARK}", f"/metrics?{MARK}"):
        client.get(path, headers=headers)
        client.post(path, json=marked(), headers=headers)


def fire_hostile_at_a_server(client):
    """Calls whose FHIR server answers with markers, well and badly."""
    made = marked()
    found = [made["prefetch"]["patient"], made["prefetch"]["conditions"]["entry"][0]["resource"]]
    for fault in (None, "403", "500 HTML", "another patient's data", "reset"):
        with FaultServer(found, faults={"Condition": fault} if fault else {}) as server:
            client.fire(made | {"fhirServer": server.base, "prefetch": {}})


def test_no_metric_holds_what_a_client_or_its_server_sent(client):
    series = scraped(client).keys()
    fire_hostile(client)
    fire_hostile_at_a_server(client)
    answer = client.get("/metrics", headers={"accept": f"{MARK}/{MARK}; escaping={MARK}"})
    assert MARK.lower() not in (answer.text + str(answer.headers)).lower()
    assert scraped(client).keys() == series


def test_every_label_value_is_one_of_ours(client):
    """Each comes from the knowledge, or from a list that stands here once more."""
    knowledge = client.get("/cds-services").json()["services"]
    fixed = {
        "client": {"open"},
        "service": {"unknown", *(service["id"] for service in knowledge)},
        "need": set(NEEDS),
        "how": {"prefetch", "fetched", "not had", "not asked"},
        "phase": {"parse", "fetch", "decide", "look_up", "record"},
        "state": {"returned", "folded", "snoozed", "shadow", "unknown"},
    }
    found = {}
    for _, labels in scraped(client):
        for name, value in labels:
            found.setdefault(name, set()).add(value)
    assert {name: found[name] for name in fixed} == fixed
    assert found.keys() - fixed.keys() == {"outcome", "reason", "recommendation", "version", "fingerprint", "le"}
    assert len(scraped(client)) < 2000
