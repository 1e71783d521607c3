"""How one kind of EHR is asked: the profiles we ship, the mistakes in one, and what a profile changes in a call."""

import asyncio
import datetime as dt
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from cds_service.agreements import make_decider
from cds_service.app import create_app
from cds_service.domain.facts import GapReason, NeedState
from cds_service.domain.times import Now
from cds_service.errors import InvalidKnowledgeError, SettingsError
from cds_service.fhir.client.fhir_client import FHIRClient
from cds_service.fhir.client.network import OPEN_MODE
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.prefetch import check_template
from cds_service.hooks.request import parse_request
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings, read_settings
from tests.api.world import HOOKS, SEARCHES, bundle, call, codes, condition, foot_drop, orthosis, patient, prefetch
from tests.fhir_client.world import Script, reply
from tests.knowledge.carpal_tunnel import write

CARDS = Path(__file__).resolve().parents[2] / "cards"
SHIPPED = sorted(path.stem for path in (CARDS / "ehr_profiles").glob("*.yaml"))
PATIENT = "{{context.patientId}}"
NOW = Now.of(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), dt.UTC)


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge(CARDS)


# ---- the profiles we ship


def test_two_profiles_are_shipped():
    assert SHIPPED == ["epic", "oracle-health"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_need_is_named_once_when_a_profile_is_shipped(knowledge, name):
    assert list(knowledge.ehr_profiles[name].needs) == list(knowledge.names.needs)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_line_says_what_it_rests_on_when_a_profile_is_shipped(knowledge, name):
    profile = knowledge.ehr_profiles[name]
    assert profile.title
    for need, entry in profile.needs.items():
        assert len(entry.rests_on.split()) >= 8, need
        assert bool(entry.queries) is not entry.unavailable, need


@pytest.mark.parametrize("name", SHIPPED)
def test_nobody_takes_a_profile_for_proven_when_it_never_met_a_live_system(knowledge, name):
    status = knowledge.ehr_profiles[name].status
    assert status.startswith("Not tried against a live system.")
    assert re.search(r"\d{4}-\d\d-\d\d", status), "since when"


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("hook", HOOKS)
def test_every_client_can_honour_the_templates_of_a_profile(knowledge, name, hook):
    templates = knowledge.queries(name).prefetch(hook)
    assert templates
    assert [wrong for template in templates.values() for wrong in check_template(hook, template)] == []


# ---- mistakes in a profile


GOOD = f"""\
title: Some EHR
status: Not tried.
needs:
  conditions:
    queries:
      - "Condition?patient={PATIENT}&category=problem-list-item"
      - "Condition?subject={PATIENT}&category=encounter-diagnosis"
    rests on: Its manual.
  device requests:
    unavailable: true
    rests on: Its manual.
"""
QUERY = f"Condition?patient={PATIENT}&category=problem-list-item"
NO_QUERY = "no query for this patient's data"
REMEDY = f"write Condition?patient={PATIENT}&… without modifiers"
MISTAKES = {
    "an unknown need": ("  conditions:", "  condition:", "no need is called 'condition'", "'conditions'"),
    "an unknown key": ("    rests on: Its", "    rest on: Its", "not known here: 'rest on'", "'rests on'"),
    "an unknown key of the file": (
        "title: Some EHR",
        "title: Some EHR\nvendor: X",
        "not known here: 'vendor'",
        "README",
    ),
    "no grounds": ("    rests on: Its manual.\n", "", "this key is missing: 'rests on'", "add it"),
    "no status": ("status: Not tried.\n", "", "this key is missing: 'status'", "add it"),
    "a query without the patient": (QUERY, "Condition?category=problem-list-item", NO_QUERY, REMEDY),
    "a query for another patient": (QUERY, "Condition?patient=pat-77", NO_QUERY, REMEDY),
    "a patient among others": (QUERY, f"Condition?patient={PATIENT},pat-78", NO_QUERY, REMEDY),
    "a patient behind a modifier": (QUERY, f"Condition?patient:not={PATIENT}", NO_QUERY, REMEDY),
    "a patient in a chain": (QUERY, f"Condition?encounter.patient={PATIENT}", NO_QUERY, REMEDY),
    "a patient elsewhere": (QUERY, f"Condition?asserter={PATIENT}", NO_QUERY, REMEDY),
    "another type": (QUERY, f"Observation?patient={PATIENT}", NO_QUERY, REMEDY),
    "a read of a condition": (QUERY, f"Condition/{PATIENT}", NO_QUERY, REMEDY),
    "another token": (QUERY, "Condition?patient={{context.userId}}", NO_QUERY, REMEDY),
    "another token beside": (QUERY, f"{QUERY}&encounter={{{{context.encounterId}}}}", NO_QUERY, REMEDY),
    "an absolute address": (QUERY, f"https://ehr.example/Condition?patient={PATIENT}", NO_QUERY, REMEDY),
    "codes of no findings": (
        QUERY,
        f"Condition?patient={PATIENT}&code={{codes}}",
        "{codes} is for findings only",
        "take it out",
    ),
    "queries that there are not": (
        "    unavailable: true\n",
        f'    unavailable: true\n    queries: ["DeviceRequest?patient={PATIENT}"]\n',
        "it is unavailable and has queries",
        "one of the two",
    ),
    "YAML that does not parse": ("title: Some EHR", "title: [Some EHR", "", "mend the YAML"),
    "a list": (GOOD, "- title\n- status\n", "", ""),
}


def put(folder, text, name="some-ehr"):
    (folder / "ehr_profiles").mkdir(exist_ok=True)
    path = folder / f"ehr_profiles/{name}.yaml"
    path.write_text(text)
    return path


def test_a_profile_is_read_when_nothing_is_wrong_with_it(tmp_path):
    put(write(tmp_path), GOOD)
    found = load_knowledge(tmp_path).queries("some-ehr")
    assert found.unavailable == {"device requests"}
    assert found.prefetch("patient-view") == {
        "patient": f"Patient/{PATIENT}",
        "problems": QUERY,
        "problems-2": f"Condition?subject={PATIENT}&category=encounter-diagnosis",
    }


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_profile_is_told_with_file_line_and_remedy(mistake, tmp_path):
    right, wrong, problem, remedy = MISTAKES[mistake]
    assert right in GOOD, "the test's own mistake"
    text = GOOD.replace(right, wrong, 1)
    put(write(tmp_path), text)
    with pytest.raises(InvalidKnowledgeError) as caught:
        load_knowledge(tmp_path)
    told = [one for one in caught.value.problems if problem in one.problem and remedy in (one.remedy or "")]
    assert told, str(caught.value)
    assert told[0].file == "ehr_profiles/some-ehr.yaml"
    changed = next(
        (n for n, pair in enumerate(zip(text.split("\n"), GOOD.split("\n"), strict=False), 1) if len(set(pair)) > 1), 1
    )
    assert abs(told[0].line - changed) <= 4, "the line is near the mistake"


def test_every_mistake_of_every_profile_is_told_at_once(tmp_path):
    folder = write(tmp_path)
    put(folder, GOOD.replace("  conditions:", "  condition:"), "one")
    put(folder, GOOD.replace(QUERY, "Condition?x=1"), "two")
    with pytest.raises(InvalidKnowledgeError) as caught:
        load_knowledge(folder)
    assert {one.file for one in caught.value.problems} == {"ehr_profiles/one.yaml", "ehr_profiles/two.yaml"}


# ---- choosing one


def test_the_profiles_there_are_are_named_when_another_is_asked_for(knowledge):
    with pytest.raises(SettingsError, match=r"no EHR profile 'epik'.* epic, oracle-health"):
        knowledge.queries("epik")


def test_no_service_starts_when_its_profile_is_unknown(monkeypatch):
    monkeypatch.setenv("CDS_EHR_PROFILE", "epik")
    monkeypatch.setenv("CDS_DATABASE_URL", "sqlite://")
    with pytest.raises(SettingsError, match=r"'epik'.* epic, oracle-health"):
        create_app(read_settings())


def test_it_is_said_that_there_are_none_when_the_knowledge_has_no_profile(tmp_path):
    with pytest.raises(SettingsError, match="there are: none"):
        load_knowledge(write(tmp_path)).queries("epic")


@pytest.mark.parametrize("name", [*SHIPPED, ""])
def test_the_fingerprint_is_the_same_whichever_profile_is_chosen(knowledge, name, client_with):
    ready = client_with(ehr_profile=name).get("/health/ready").json()
    assert ready["knowledge"] == knowledge.fingerprint


# ---- what a profile changes


def discovered(client):
    """Hook → the templates of discovery."""
    return {service["hook"]: service["prefetch"] for service in client.get("/cds-services").json()["services"]}


def test_discovery_has_the_queries_of_the_needs_when_there_is_no_profile(client, knowledge):
    found = discovered(client)
    assert found == {hook: dict(knowledge.prefetch[hook]) for hook in HOOKS}
    assert found["patient-view"]["conditions"] == f"Condition?patient={PATIENT}"
    assert not [key for keys in found.values() for key in keys if "-" in key]


def test_discovery_has_a_key_for_each_query_when_a_profile_asks_in_parts(client_with):
    for keys in discovered(client_with(ehr_profile="epic")).values():
        assert keys["conditions"] == f"Condition?patient={PATIENT}&category=problem-list-item"
        assert keys["conditions-2"] == f"Condition?patient={PATIENT}&category=encounter-diagnosis"


def test_discovery_asks_for_nothing_that_the_ehr_does_not_have(client, client_with):
    plain, narrowed = discovered(client), discovered(client_with(ehr_profile="oracle-health"))
    assert any("deviceUse" in keys for keys in plain.values())
    for hook, keys in narrowed.items():
        assert set(keys) == set(plain[hook]) - {"deviceRequests", "deviceUse"}
        assert all("{codes}" not in template for template in keys.values())
    assert narrowed["patient-view"]["diagnosticReports"] == f"DiagnosticReport?patient={PATIENT}&_count=100"


UNAVAILABLE = ("deviceRequests", "deviceUse")
SIGNED = call("order-sign", drafts=[orthosis()])


def without(made, *keys):
    """A call whose prefetch lacks some keys."""
    return made | {"prefetch": {key: value for key, value in made["prefetch"].items() if key not in keys}}


def test_no_gap_is_shown_when_the_ehr_does_not_have_what_was_not_sent(client, client_with):
    lacking = without(SIGNED, *UNAVAILABLE)
    assert codes(client.fire(lacking)) == ["data-gap"]
    answer = client_with(ehr_profile="oracle-health").fire(lacking).json()
    assert answer == {"cards": []}


def test_a_gap_names_what_the_ehr_has_and_only_that_when_it_was_not_sent(client_with):
    answer = client_with(ehr_profile="oracle-health").fire(without(SIGNED, *UNAVAILABLE, "devices", "serviceRequests"))
    (gaps,) = answer.json()["extension"].values()
    assert {gap["key"] for gap in gaps} <= {"devices", "serviceRequests"}
    assert gaps
    assert "device orders" not in answer.text
    assert "devices in use" not in answer.text


def test_the_card_that_hangs_on_it_says_so_when_the_ehr_does_not_have_it(client_with):
    made = without(call("patient-view", foot_drop()), *UNAVAILABLE)
    answer = client_with(ehr_profile="oracle-health").fire(made).json()
    details = {card["source"]["topic"]["code"]: card["detail"] for card in answer["cards"]}
    assert "data-gap" not in details
    assert "device orders" in details["FD-AFO-01"]
    assert "devices in use" in details["FD-AFO-01"]


def needs_of(knowledge, profile, sent):
    """What came of each need of a call."""
    _, reader = make_decider(Settings(ehr_profile=profile, database_url="sqlite://"), knowledge)
    request = parse_request(msgspec.json.encode(call("patient-view") | {"prefetch": sent}))
    return reader.read(request, parse_context(request.hook, request.context), NOW).needs


def test_a_need_is_not_asked_when_the_ehr_does_not_have_it(knowledge):
    needs = needs_of(knowledge, "oracle-health", {"patient": patient()})
    assert needs["device use"] is needs["device requests"] is NeedState.NOT_ASKED
    assert needs["devices"] is NeedState.ABSENT
    assert needs_of(knowledge, "", {"patient": patient()})["device use"] is NeedState.ABSENT


def test_what_is_sent_under_a_key_that_was_not_asked_for_is_not_the_need(knowledge):
    needs = needs_of(knowledge, "oracle-health", prefetch())
    assert needs["device use"] is NeedState.NOT_ASKED


SOMETHING, NOTHING = bundle(foot_drop()), bundle()
DENIED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (SOMETHING, NOTHING, NeedState.PRESENT),
        (NOTHING, SOMETHING, NeedState.PRESENT),
        (SOMETHING, bundle(condition("I10", name="c-2")), NeedState.PRESENT),
        (NOTHING, NOTHING, NeedState.EMPTY),
        (SOMETHING, "left out", NeedState.ABSENT),
        ("left out", SOMETHING, NeedState.ABSENT),
        ("left out", NOTHING, NeedState.ABSENT),
        (SOMETHING, DENIED, NeedState.DENIED),
        (DENIED, NOTHING, NeedState.DENIED),
        (SOMETHING, bundle() | {"link": [{"relation": "next", "url": "x"}]}, NeedState.TRUNCATED),
        (SOMETHING, [], NeedState.FAILED),
    ],
)
def test_a_need_in_parts_is_whole_only_when_each_part_is(knowledge, first, second, state):
    parts = {"conditions": first, "conditions-2": second}
    sent = {"patient": patient(), **{key: value for key, value in parts.items() if value != "left out"}}
    assert needs_of(knowledge, "epic", sent)["conditions"] is state


def fetched(knowledge, answers, sent):
    """What came of the conditions where the FHIR server is asked for them: state, reason, facts, queries."""

    async def go():
        with ThreadPoolExecutor(1) as large:
            client = FHIRClient(lambda _: OPEN_MODE, large)
            _, reader = make_decider(Settings(ehr_profile="epic", database_url="sqlite://"), knowledge, client)
            async with Script(lambda seen: reply(*answers[seen.query["category"]])) as server:
                made = call("patient-view") | {"prefetch": sent, "fhirServer": server.base}
                request = parse_request(msgspec.json.encode(made))
                until = asyncio.get_running_loop().time() + 2
                record = reader.open(request, parse_context(request.hook, request.context), NOW, until)
                record.facts()
                await record.fetch(frozenset({"conditions"}))
                facts = record.facts()
                await client.close()
                asked = sorted(one.query["category"] for one in server.seen)
                return facts.needs["conditions"], facts.reason("conditions"), len(facts.facts), asked

    return asyncio.run(go())


PROBLEMS, DIAGNOSES = "problem-list-item", "encounter-diagnosis"


def test_every_part_is_fetched_when_none_was_sent(knowledge):
    answers = {PROBLEMS: (SOMETHING,), DIAGNOSES: (NOTHING,)}
    assert fetched(knowledge, answers, {"patient": patient()}) == (NeedState.PRESENT, None, 1, [DIAGNOSES, PROBLEMS])


def test_only_the_part_that_was_not_sent_is_fetched(knowledge):
    answers = {DIAGNOSES: (bundle(condition("I10", name="c-2")),)}
    sent = {"patient": patient(), "conditions": SOMETHING}
    state, reason, _, asked = fetched(knowledge, answers, sent)
    assert (state, reason, asked) == (NeedState.PRESENT, None, [DIAGNOSES])


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [(403, NeedState.DENIED, GapReason.DENIED), (500, NeedState.FAILED, GapReason.SERVER_ERROR)],
)
@pytest.mark.parametrize("broken", [PROBLEMS, DIAGNOSES])
def test_a_need_in_parts_is_not_whole_when_one_part_cannot_be_fetched(knowledge, broken, status, state, reason):
    answers = {PROBLEMS: (SOMETHING,), DIAGNOSES: (SOMETHING,)} | {broken: (None, status)}
    found = fetched(knowledge, answers, {"patient": patient()})
    assert found == (state, reason, 1, [DIAGNOSES, PROBLEMS]), "what came counts, its absence proves nothing"


def test_every_search_has_a_key_that_the_other_tests_know(knowledge):
    assert set(SEARCHES) == {need.key for name, need in knowledge.names.needs.items() if name != "patient"}
