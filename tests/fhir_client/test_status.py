"""What is made of each status, and how long a busy server is waited for. Mocked below httpcore (respx)."""

import asyncio
import datetime as dt
import email.utils

import httpcore
import httpx
import pytest

from cds_service.domain.facts import GapReason, NeedState
from cds_service.fhir.client.search import read, search
from tests.fhir_client.mocked import BASE, put, told
from tests.fhir_client.world import FHIR_JSON, PATIENT, SEARCH, asked, bundle, condition

# ---- the status


STATUSES = {
    400: GapReason.NOT_OFFERED,
    401: GapReason.DENIED,
    403: GapReason.DENIED,
    404: GapReason.NOT_OFFERED,
    405: GapReason.NOT_OFFERED,
    410: GapReason.NOT_OFFERED,
    422: GapReason.NOT_OFFERED,
    429: GapReason.SERVER_ERROR,
    500: GapReason.SERVER_ERROR,
    501: GapReason.NOT_OFFERED,
    502: GapReason.SERVER_ERROR,
    503: GapReason.SERVER_ERROR,
    201: GapReason.SERVER_ERROR,
    202: GapReason.SERVER_ERROR,
    204: GapReason.SERVER_ERROR,
    304: GapReason.SERVER_ERROR,
    418: GapReason.SERVER_ERROR,
}


@pytest.mark.parametrize(("status", "reason"), STATUSES.items())
@pytest.mark.parametrize(
    ("ask", "arguments"), [(search, (SEARCH, "Condition")), (read, (f"Patient/{PATIENT}", "Patient"))]
)
def test_an_answer_fails_once_and_for_its_reason_when_the_status_is_no_success(mocked, ask, arguments, status, reason):
    route = mocked.route().mock(return_value=httpx.Response(status, json=bundle(condition())))
    answer = put(ask, *arguments)
    state = NeedState.DENIED if reason is GapReason.DENIED else NeedState.FAILED
    assert told(answer) == (state, reason)
    assert answer.items == []
    assert route.call_count == 1, "no other try"


def test_a_search_is_whole_when_the_status_is_a_success(mocked):
    mocked.get(f"{BASE}/Condition").mock(return_value=httpx.Response(200, json=bundle(condition()), headers=FHIR))
    answer = put(search, SEARCH, "Condition")
    assert answer.state("Condition") is NeedState.PRESENT
    assert answer.reason is None


FHIR = {"content-type": FHIR_JSON}
ERRORS = [
    (httpcore.ConnectError("x"), GapReason.SERVER_ERROR),
    (httpcore.ReadError("x"), GapReason.SERVER_ERROR),
    (httpcore.WriteError("x"), GapReason.SERVER_ERROR),
    (httpcore.RemoteProtocolError("x"), GapReason.SERVER_ERROR),
    (httpcore.LocalProtocolError("x"), GapReason.SERVER_ERROR),
    (httpcore.ConnectTimeout("x"), GapReason.LATE),
    (httpcore.ReadTimeout("x"), GapReason.LATE),
    (httpcore.WriteTimeout("x"), GapReason.LATE),
    (httpcore.PoolTimeout("x"), GapReason.LATE),
    (OSError("x"), GapReason.SERVER_ERROR),
    (TimeoutError("x"), GapReason.LATE),
]


@pytest.mark.parametrize(("error", "reason"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
def test_an_answer_fails_and_nothing_is_raised_when_the_connection_does(mocked, error, reason):
    route = mocked.route().mock(side_effect=error)
    assert told(put(search, SEARCH, "Condition")) == (NeedState.FAILED, reason)
    assert route.call_count == 1


# ---- a busy server


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_after_the_seconds_it_names(mocked, naps, status):
    good = httpx.Response(200, json=bundle(condition()), headers=FHIR)
    route = mocked.route().mock(side_effect=[httpx.Response(status, headers={"retry-after": "1"}), good])
    assert put(search, SEARCH, "Condition").state("Condition") is NeedState.PRESENT
    assert naps == [1.0]
    assert [str(one.request.url) for one in route.calls] == [f"{BASE}/{SEARCH}&_count=200"] * 2


def at(seconds):
    return email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(("ahead", "shortest", "longest"), [(3, 1.5, 3.0), (-60, 0.0, 0.0)])
def test_a_busy_server_is_asked_again_at_the_time_it_names(mocked, naps, ahead, shortest, longest):
    good = httpx.Response(200, json=bundle(condition()), headers=FHIR)
    mocked.route().mock(side_effect=[httpx.Response(503, headers={"retry-after": at(ahead)}), good])
    assert put(search, SEARCH, "Condition", seconds=10).state("Condition") is NeedState.PRESENT
    assert len(naps) == 1
    assert shortest <= naps[0] <= longest


@pytest.mark.parametrize("said", ["120", "3", at(3600), "9" * 400])
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_left_alone_when_it_wants_more_time_than_there_is(mocked, naps, status, said):
    route = mocked.route().mock(return_value=httpx.Response(status, headers={"retry-after": said}))
    assert told(put(search, SEARCH, "Condition")) == (NeedState.FAILED, GapReason.SERVER_ERROR)
    assert (route.call_count, naps) == (1, [])


ODD_WAITS = [
    "",
    "soon",
    "-1",
    "1.5",
    "Mon, 99 Xxx 2026",
    "Mon, 01 Jan 99999 00:00:00 GMT",
    f"Mon, 01 Jan {'9' * 30} 00:00 GMT",
]


@pytest.mark.parametrize("said", ODD_WAITS)
def test_a_busy_server_is_left_alone_when_it_does_not_say_how_long(mocked, naps, said):
    route = mocked.route().mock(return_value=httpx.Response(429, headers={"retry-after": said}))
    assert told(put(search, SEARCH, "Condition")) == (NeedState.FAILED, GapReason.SERVER_ERROR)
    assert (route.call_count, naps) == (1, [])


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_server_that_stays_busy_is_asked_no_more_often_than_the_limit(mocked, naps, retries):
    route = mocked.route().mock(return_value=httpx.Response(503, headers={"retry-after": "0"}))
    assert put(search, SEARCH, "Condition", retries=retries).reason is GapReason.SERVER_ERROR
    assert (route.call_count, naps) == (retries + 1, [0.0] * retries)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 425, 500, 502, 504])
def test_a_query_is_not_asked_again_when_the_status_is_another_one(mocked, naps, status):
    route = mocked.route().mock(return_value=httpx.Response(status, headers={"retry-after": "0"}))
    assert put(search, SEARCH, "Condition").failure
    assert (route.call_count, naps) == (1, [])


def test_an_answer_is_late_when_the_deadline_passes():
    answer, seen = asked(lambda _: asyncio.sleep(5), seconds=0.1)
    assert told(answer) == (NeedState.FAILED, GapReason.LATE)
    assert len(seen) == 1
