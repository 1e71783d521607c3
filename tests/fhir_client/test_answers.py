"""What is made of the content of an answer: the self link, pages, bytes, resources."""

import asyncio
import json

import pytest

from cds_service.domain.facts import GapReason, NeedState
from tests.fhir_client.mocked import BASE, PATIENT_RESOURCE, told
from tests.fhir_client.world import PATIENT, SEARCH, TOKEN, asked, bundle, condition, reply, world

# ---- what the self link says of the search


def with_self(url):
    return asked(bundle(condition(), self=url))[0]


@pytest.mark.parametrize(
    "url",
    [
        "{base}/Condition?patient=pat-77&_count=200",
        "{base}/Condition?patient=pat%2D77",
        "{base}/Condition?patient=%70%61%74-77",
        "{base}/Condition?patient=Patient/pat-77",
        "{base}/Condition?patient=Patient%2Fpat-77",
        "{base}/Condition?subject=Patient/pat-77",
        "{base}/Condition?subject:Patient=pat-77",
        "{base}/Condition?patient=http%3A%2F%2Fehr.test%2Ffhir%2FPatient%2Fpat-77",
        "{base}/Condition?patient=https://ehr.test/fhir/Patient/pat-77",
        "{base}/Condition?patient=pat-77&subject=Patient/pat-77",
        "Condition?patient=pat-77",
        "/fhir/Condition?patient=pat-77#x",
        "?patient=pat-77",
        "{base}/Condition",
        "Condition",
        "",
    ],
)
def test_an_answer_counts_when_its_self_link_names_the_patient_or_shows_no_search(url):
    answer = with_self(url.format(base=BASE))
    assert answer.state("Condition") is NeedState.PRESENT
    assert answer.reason is None


@pytest.mark.parametrize(
    "url",
    [
        "{base}/Condition?_count=200",
        "{base}/Condition?patient=",
        "{base}/Condition?patient=pat-78",
        "{base}/Condition?patient=Patient/pat-78",
        "{base}/Condition?patient=pat-77,pat-78",
        "{base}/Condition?patient=pat-77&patient=pat-78",
        "{base}/Condition?patient=PAT-77",
        "{base}/Condition?patient:missing=false",
        "{base}/Condition?patient:not=pat-77",
        "{base}/Condition?subject:Group=pat-77",
        "{base}/Condition?note=patient=pat-77",
        "{base}/Condition?code=1#patient=pat-77",
        "Condition?code=M21.37",
    ],
)
def test_an_answer_is_another_patients_when_its_self_link_shows_a_search_without_the_patient(url):
    answer = with_self(url.format(base=BASE))
    assert told(answer) == (NeedState.FAILED, GapReason.OTHER_PATIENT)
    assert answer.items == []


# ---- pages


def endless(one):
    page = int(one.query.get("_page", 1))
    return reply(bundle(condition(f"c-{page}"), next=f"Condition?_page={page + 1}"))


def test_pages_are_followed_to_the_last_when_there_are_more():
    def serve(one):
        page = int(one.query.get("_page", 1))
        following = {"next": f"Condition?_page={page + 1}"} if page < 4 else {}
        return reply(bundle(condition(f"c-{page}"), total=4, **following))

    answer, seen = asked(serve)
    assert answer.state("Condition") is NeedState.PRESENT
    assert [item.resource.id for item in answer.items] == ["c-1", "c-2", "c-3", "c-4"]
    assert [one.query.get("_page") for one in seen] == [None, "2", "3", "4"]


def test_what_came_counts_when_there_are_more_pages_than_the_limit():
    answer, seen = asked(endless, pages=5)
    assert (answer.state("Condition"), answer.reason) == (NeedState.TRUNCATED, GapReason.TOO_MUCH)
    assert len(answer.items) == len(seen) == 5


def test_what_came_counts_when_there_are_more_resources_than_the_limit():
    page = [condition(f"c-{number}") for number in range(10)]
    answer, seen = asked(bundle(*page, next="Condition?_page=2"), resources=7)
    assert (answer.state("Condition"), answer.reason) == (NeedState.TRUNCATED, GapReason.TOO_MUCH)
    assert len(answer.items) == 7
    assert len(seen) == 1


def test_nothing_is_cut_when_there_are_as_many_resources_as_the_limit():
    answer, _ = asked(bundle(*[condition(f"c-{number}") for number in range(7)]), resources=7)
    assert (answer.state("Condition"), answer.reason, len(answer.items)) == (NeedState.PRESENT, None, 7)


def test_what_came_counts_when_a_whole_call_brings_more_than_its_limit():
    async def ask():
        page = bundle(*[condition(f"c-{number}") for number in range(4)])
        async with world(page, resources_of_call=6) as here:
            first = [await here.ask() for _ in range(3)]
            return [*first, await (await here.other_call(TOKEN)).ask()]

    answers = asyncio.run(ask())
    assert [len(one.items) for one in answers] == [4, 2, 0, 4], "the next call begins anew"
    states = [NeedState.PRESENT, NeedState.TRUNCATED, NeedState.TRUNCATED, NeedState.PRESENT]
    assert [one.state("Condition") for one in answers] == states
    assert [one.reason for one in answers] == [None, GapReason.TOO_MUCH, GapReason.TOO_MUCH, None]


@pytest.mark.parametrize("next_url", [f"{SEARCH}&_count=200", "Condition?_page=2"])
def test_a_page_is_not_fetched_twice_when_the_next_links_go_in_circles(next_url):
    answer, seen = asked(bundle(condition(), next=next_url))
    assert (answer.state("Condition"), answer.reason) == (NeedState.TRUNCATED, GapReason.INCOMPLETE)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (reply(status=500), GapReason.SERVER_ERROR),
        (reply(status=403), GapReason.DENIED),
        (reply(status=410), GapReason.NOT_OFFERED),
        (reply(b"<html>", content_type="text/html"), GapReason.UNREADABLE),
        (reply(b"{"), GapReason.UNREADABLE),
        (reply(condition("c-2")), GapReason.INCOMPLETE),
        (lambda _: asyncio.sleep(5), GapReason.LATE),
    ],
    ids=["500", "403", "410", "HTML", "half JSON", "no Bundle", "late"],
)
def test_the_first_page_counts_when_the_second_cannot_be_had(second, reason):
    answer, seen = asked(bundle(condition("c-1"), next="Condition?_page=2"), second, seconds=0.3)
    assert (answer.state("Condition"), answer.reason) == (NeedState.TRUNCATED, reason)
    assert [item.resource.id for item in answer.items] == ["c-1"]
    assert len(seen) == 2


# ---- what an answer is


@pytest.mark.parametrize(
    "media_type",
    [
        "application/fhir+json",
        "application/json",
        "application/fhir+json; charset=utf-8",
        "Application/FHIR+JSON;fhirVersion=4.0",
        "application/json+fhir",
    ],
)
def test_an_answer_is_read_when_it_is_some_json(media_type):
    assert asked(reply(bundle(condition()), content_type=media_type))[0].state("Condition") is NeedState.PRESENT


@pytest.mark.parametrize(
    "media_type", ["text/html", "text/plain", "application/fhir+xml", "application/octet-stream", "", None]
)
def test_an_answer_is_unreadable_when_it_is_declared_as_something_else(media_type):
    answer, _ = asked(reply(bundle(condition()), content_type=media_type))
    assert told(answer) == (NeedState.FAILED, GapReason.UNREADABLE)


BODIES = {
    "null": b"null",
    "nothing": b"",
    "half": json.dumps(bundle(condition())).encode()[:-20],
    "a list": json.dumps([condition()]).encode(),
    "a text": b'"Condition"',
    "a number": b"7",
    "an empty object": b"{}",
    "one resource": json.dumps(condition()).encode(),
    "another type alone": json.dumps(bundle({"resourceType": "Practitioner", "id": "d-1"})).encode(),
    "a history": json.dumps(bundle(condition()) | {"type": "history"}).encode(),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_search_is_unreadable_when_its_answer_is_no_searchset_of_its_type(body):
    answer, _ = asked(reply(BODIES[body]))
    assert answer.state("Condition") is NeedState.FAILED
    assert answer.reason is GapReason.UNREADABLE
    assert answer.items == []


READS = {
    "another type": {"resourceType": "Practitioner", "id": PATIENT},
    "a Bundle": bundle(PATIENT_RESOURCE),
    "an empty Bundle": bundle(),
    "null": None,
    "no type": {"id": PATIENT},
    "a list": [PATIENT_RESOURCE],
}


@pytest.mark.parametrize("body", READS)
def test_a_read_is_unreadable_when_its_answer_is_not_one_resource_of_its_type(body):
    answer, _ = asked(reply(json.dumps(READS[body]).encode()), text=f"Patient/{PATIENT}")
    assert told(answer) == (NeedState.FAILED, GapReason.UNREADABLE)
    assert answer.items == []


@pytest.mark.parametrize(
    ("code", "state"), [("exception", NeedState.FAILED), ("forbidden", NeedState.DENIED), ("login", NeedState.DENIED)]
)
@pytest.mark.parametrize("text", [SEARCH, f"Patient/{PATIENT}"])
def test_a_servers_own_word_counts_when_it_answers_an_error_with_200(text, code, state):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}
    answer, _ = asked(outcome, text=text)
    assert answer.state("Condition") is state


def test_an_answer_is_too_much_and_nothing_is_raised_when_it_is_nested_too_deep():
    deep = b'{"resourceType": "Bundle", "entry": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer, _ = asked(reply(deep), seconds=10)
    assert told(answer) == (NeedState.FAILED, GapReason.TOO_MUCH)
