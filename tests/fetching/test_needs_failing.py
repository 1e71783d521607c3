"""Each kind of data failing in turn, over the cases of the knowledge: nothing is taken for absent that was not seen.

What the service says while a kind of data fails is held against what it says of the complete record, and of the record
without any data of that kind: it may claim only what holds for both, or must name the data that it did not see.
"""

import copy

import pytest

from cds_service.authoring.case_runner import DEFAULT_TIME
from cds_service.domain.evaluation import Standing
from cds_service.errors import RequestError
from tests.decision.world import answer, cases, request_of
from tests.fetching.world import GAPS, NEEDS, WORDS, asking, cards, gaps, service
from tests.fhir_server.fault import FaultServer

OTHERS = [name for name, need in NEEDS.items() if need.resource != "Patient"]
EVERY = 97  # a sample of the cases, none of them the neighbour of another
EMPTY = {"resourceType": "Bundle", "type": "searchset"}


@pytest.fixture(scope="module")
def clients():
    made = {"500": service(lambda: DEFAULT_TIME, deadline_ms=5000)}
    made["slow first byte"] = service(lambda: DEFAULT_TIME, deadline_ms=150)
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def server():
    with FaultServer([]) as made:
        yield made


def played(step, start=0):
    """Complete cases, each with its request."""
    for case in cases()[start::step]:
        if not (case.entry.not_read or case.entry.refused):
            yield case, request_of(case)


def resources_in(request):
    for value in request["prefetch"].values():
        if value and value["resourceType"] == "Bundle":
            yield from (one["resource"] for one in value.get("entry", []))
        elif value:
            yield value


def over_http(client, server, request, faults):
    """The answer to a case whose record stands on the server alone."""
    server.resources = list(resources_in(request))
    server.faults = faults
    server.reset()
    bare = asking(server.base, request["hook"])
    return client.fire(request | {name: bare[name] for name in ("fhirServer", "fhirAuthorization")} | {"prefetch": {}})


def without(request, key):
    """The same call about a record that holds no such data."""
    made = copy.deepcopy(request)
    made["prefetch"][key] = EMPTY
    return made


def standing(request):
    """The recommendations that stand, silenced ones too; the codes of the cards; whether something is unclear."""
    answered = answer(request)
    found = {e.recommendation.id for e in answered.decision.evaluations if e.standing is Standing.STANDS}
    shown = [code for code in answered.codes if code.startswith("FD-")]
    return found, shown, GAPS in (answered.wire.get("extension") or {})


def check(client, server, case, request, need, fault):
    """What may be said while a need fails. Whether it was asked at all."""
    key = NEEDS[need].key
    given = over_http(client, server, request, {NEEDS[need].resource: fault})
    was_asked = any(one.resource_type == NEEDS[need].resource for one in server.asked)
    try:
        full, bare = standing(request), standing(without(request, key))
    except RequestError:
        return was_asked
    about = (case.name, need)
    if given.status_code == 412:
        assert need == "conditions", about
        return was_asked
    shown = {card["source"]["topic"]["code"]: card["detail"] for card in cards(given)}
    recommended = {code: detail for code, detail in shown.items() if code.startswith("FD-")}
    for code, detail in recommended.items():
        if code not in full[0] & bare[0]:
            unseen = {WORDS[one] for one in {key, *gaps(given)}}  # time that is up is up for others too
            assert any(words in detail for words in unseen), (*about, code, "hangs on what was not seen: says nothing")
    if key not in gaps(given):
        assert list(recommended) == full[1] == bare[1], (*about, "claims to be complete")
    elif full[1] != list(recommended) and shown:
        assert any(WORDS[key] in detail for detail in shown.values()), (*about, "says nowhere what was not seen")
    if fault == "500" and not full[2]:
        assert set(gaps(given)) <= {key}, about
    return was_asked


@pytest.mark.parametrize("need", OTHERS)
def test_no_card_takes_for_absent_what_could_not_be_read(clients, server, need):
    for case, request in played(EVERY):
        check(clients["500"], server, case, request, need, "500")


def test_a_study_that_stands_among_the_findings_is_not_taken_for_absent_when_they_cannot_be_read(clients, server):
    for case, request in played(1):
        if case.document.name == "cases/cidp/prognosis.yaml":
            check(clients["500"], server, case, request, "findings", "500")


def test_no_card_takes_for_absent_what_came_too_late(clients, server):
    for number, (case, request) in enumerate(played(EVERY * 2, 7)):
        check(clients["slow first byte"], server, case, request, OTHERS[number % len(OTHERS)], "slow first byte")


@pytest.mark.soak
@pytest.mark.parametrize(("fault", "step"), [("500", 1), ("slow first byte", 7)])
@pytest.mark.parametrize("need", OTHERS)
def test_no_card_of_any_case_takes_for_absent_what_could_not_be_read(clients, server, need, fault, step):
    asked = sum(check(clients[fault], server, case, request, need, fault) for case, request in played(step))
    print(f"{need}, {fault}: asked in {asked} cases")
    assert asked


@pytest.mark.parametrize("fault", ["500", "404", "403"])
def test_the_call_is_refused_when_the_patient_cannot_be_read_and_something_hangs_on_it(clients, server, fault):
    for case, request in played(EVERY):
        given = over_http(clients["500"], server, request, {"Patient": fault})
        if given.status_code == 412:
            assert set(gaps(given)) == {"patient"}, case.name
        else:
            assert cards(given) == [], case.name
            assert answer(request).cards == [], case.name


def test_a_case_is_answered_as_by_prefetch_when_its_record_stands_on_a_server(clients, server):
    for case, request in played(EVERY // 4, 3):
        given = over_http(clients["500"], server, request, {})
        try:
            expected = answer(request)
        except RequestError:
            assert given.status_code != 200, case.name
            continue
        codes = [(card["source"]["topic"]["code"], card["indicator"], card["detail"]) for card in cards(given)]
        wanted = [(card["source"]["topic"]["code"], card["indicator"], card["detail"]) for card in expected.cards]
        assert codes == wanted, case.name
