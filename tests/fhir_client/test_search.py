"""One query over HTTP: what is sent, what is followed, and what is made of each kind of answer.

The table of statuses is mocked below httpcore (respx); whatever is about the wire is asked of a scripted server.
"""

import asyncio
import datetime as dt
import email.utils
import gzip
import json
import logging
import threading
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpcore
import httpx
import pytest
import respx

from cds_service.domain.facts import GapReason, NeedState
from cds_service.errors import FetchError
from cds_service.fhir.client import search as search_module
from cds_service.fhir.client.search import Connection, Limits, Origin, read, search
from cds_service.hooks.request import AccessToken
from tests.fhir_client.world import FHIR_JSON, PATIENT, SEARCH, TOKEN, asked, bundle, condition, gzipped, reply, world

BASE = "http://ehr.test/fhir"
PATIENT_RESOURCE = {"resourceType": "Patient", "id": PATIENT}


@pytest.fixture
def naps(monkeypatch):
    """The waits between retries, which take no time here."""
    taken = []
    sleep = asyncio.sleep

    async def nap(seconds, result=None):
        taken.append(seconds)
        return await sleep(0, result)

    monkeypatch.setattr("cds_service.fhir.client.search.asyncio.sleep", nap)
    return taken


@pytest.fixture
def mocked():
    with respx.mock(using="httpcore", assert_all_called=False) as router:
        yield router


def put(ask, *arguments, seconds=2.0, **limits):
    """A query over a connection whose pool is mocked."""

    async def go():
        with ThreadPoolExecutor(1) as large:
            until = asyncio.get_running_loop().time() + seconds
            async with httpcore.AsyncConnectionPool() as pool:
                connection = Connection(Origin(BASE), pool, AccessToken(TOKEN), PATIENT, until, Limits(**limits), large)
                return await ask(connection, *arguments)

    return asyncio.run(go())


def told(answer):
    return answer.failure, answer.reason


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


# ---- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_when_it_stays_inside(status):
    answer, seen = asked(reply(status=status, location="/fhir/moved/Condition?x=1"), bundle(condition()))
    assert answer.state("Condition") is NeedState.PRESENT
    assert [one.target for one in seen] == [f"/fhir/{SEARCH}&_count=200", "/fhir/moved/Condition?x=1"]
    assert [one.header("authorization") for one in seen] == [f"Bearer {TOKEN}"] * 2
    assert [one.header("prefer") for one in seen] == ["handling=strict"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/fhir/Condition",
        "http://10.0.0.1/fhir/Condition",
        "http://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1/fhir/Condition",
        "//evil.test/fhir/Condition",
        "/admin",
        "../admin",
        "/fhir-evil/Condition",
        "http://[broken",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_is_not_followed_when_it_leads_away(location):
    answer, seen = asked(reply(status=302, location=location))
    assert told(answer) == (NeedState.FAILED, GapReason.UNSAFE)
    assert len(seen) == 1


def test_a_redirect_is_not_followed_when_there_were_too_many():
    answer, seen = asked(lambda one: reply(status=302, location=f"/fhir/moved{len(one.target)}"), redirects=3)
    assert told(answer) == (NeedState.FAILED, GapReason.SERVER_ERROR)
    assert len(seen) == 4


@pytest.mark.parametrize("headers", [{}, {"location": ""}])
def test_a_redirect_is_a_failure_when_it_does_not_say_where(headers):
    answer, seen = asked(reply(status=302, **headers))
    assert told(answer) == (NeedState.FAILED, GapReason.SERVER_ERROR)
    assert len(seen) == 1


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_a_posted_search_becomes_a_get_after_a_redirect_that_says_so(status, method):
    answer, seen = asked(reply(status=status, location="/fhir/found/9f0c"), bundle(condition()), url=10)
    assert answer.state("Condition") is NeedState.PRESENT
    assert [(one.method, one.path) for one in seen] == [
        ("POST", "/fhir/Condition/_search"),
        (method, "/fhir/found/9f0c"),
    ]
    assert seen[1].body == (seen[0].body if method == "POST" else b"")
    assert seen[1].header("content-type") == (seen[0].header("content-type") if method == "POST" else None)


# ---- what is sent


def test_a_search_is_sent_with_its_headers_and_nothing_else():
    _, (seen,) = asked(bundle(condition()))
    assert (seen.method, seen.target) == ("GET", f"/fhir/{SEARCH}&_count=200")
    names = sorted(name for name, _ in seen.headers)
    assert names == ["accept", "accept-encoding", "authorization", "host", "prefer", "user-agent"]
    assert seen.header("accept") == "application/fhir+json, application/json;q=0.9"
    assert seen.header("accept-encoding") == "gzip"
    assert seen.header("authorization") == f"Bearer {TOKEN}"
    assert seen.header("prefer") == "handling=strict"
    assert seen.header("user-agent").startswith("foot-drop-cds/")
    assert seen.body == b""


def test_a_read_is_no_search_and_asks_for_no_strictness():
    answer, (seen,) = asked(PATIENT_RESOURCE, text=f"Patient/{PATIENT}")
    assert answer.state("Patient") is NeedState.PRESENT
    assert (seen.method, seen.target) == ("GET", f"/fhir/Patient/{PATIENT}")
    assert seen.all("prefer") == []


def test_no_authorization_is_sent_when_no_token_was_given():
    _, (seen,) = asked(bundle(condition()), token=None)
    assert seen.all("authorization") == []


def test_the_authorization_is_on_every_request_to_the_base_and_nowhere_else():
    def serve(one):
        if "_page" not in one.target:
            return reply(bundle(condition("c-1"), next=f"http://{one.header('host')}/fhir/Condition?_page=2"))
        if "_page=2" in one.target:
            return reply(status=307, location="Condition?_page=3")
        return reply(bundle(condition("c-2"), next="http://localhost:1/fhir/Condition?_page=4"))

    answer, seen = asked(serve)
    assert [one.header("authorization") for one in seen] == [f"Bearer {TOKEN}"] * 3
    assert answer.reason is GapReason.UNSAFE
    assert len(answer.items) == 2


@pytest.mark.parametrize(
    ("text", "count"), [(SEARCH, "200"), (f"{SEARCH}&_count=100", "100"), (f"{SEARCH}&_count=7", "7")]
)
def test_a_page_size_is_asked_for_when_the_query_names_none(text, count):
    _, (seen,) = asked(bundle(condition()), text=text)
    assert seen.query == {"patient": PATIENT, "_count": count}


LONG = f"Observation?patient={PATIENT}&code={','.join(f'code-{number}' for number in range(400))}"


def test_a_search_is_posted_as_a_form_when_its_url_would_be_too_long():
    found = {"resourceType": "Observation", "id": "o-1", "subject": {"reference": f"Patient/{PATIENT}"}}
    answer, (seen,) = asked(bundle(found), text=LONG)
    assert answer.state("Observation") is NeedState.PRESENT
    assert (seen.method, seen.target) == ("POST", "/fhir/Observation/_search")
    assert seen.header("content-type") == "application/x-www-form-urlencoded"
    assert seen.header("content-length") == str(len(seen.body))
    assert seen.header("prefer") == "handling=strict"
    assert seen.header("authorization") == f"Bearer {TOKEN}"
    codes = ",".join(f"code-{number}" for number in range(400))
    assert seen.form == {"patient": PATIENT, "code": codes, "_count": "200"}


def test_a_search_is_a_get_just_as_long_as_its_url_may_be():
    async def lengths():
        async with world(bundle(condition())) as here:
            await here.ask()
            return len(here.seen[0].target) + len(here.seen[0].header("host"))

    needed = asyncio.run(lengths())
    for room, method in ((needed + 12, "GET"), (needed - 1, "POST")):
        assert asked(bundle(condition()), url=room)[1][0].method == method


def test_no_cookie_is_kept_between_requests_and_calls():
    async def ask():
        cookie = reply(bundle(condition()), set_cookie="session=9f0c; Path=/")
        async with world(reply(status=302, location="/fhir/a", set_cookie="s=1; Path=/"), cookie) as here:
            await here.ask()
            await here.ask()
            await (await here.other_call(TOKEN)).ask()
            return here.seen

    seen = asyncio.run(ask())
    assert len(seen) == 4
    assert all(one.all("cookie") == [] for one in seen)


def test_connections_are_kept_and_tokens_are_not_when_calls_follow_each_other():
    async def ask():
        async with world(bundle(condition())) as here:
            await here.ask()
            await here.ask(f"Procedure?patient={PATIENT}")
            await (await here.other_call("another-token")).ask()
            await (await here.other_call(None)).ask()
            return here.seen, here.client.open_connections

    seen, kept = asyncio.run(ask())
    assert [one.connection for one in seen] == [1, 1, 1, 1]
    assert kept == 1
    assert [one.header("authorization") for one in seen] == [f"Bearer {TOKEN}"] * 2 + ["Bearer another-token", None]


@pytest.mark.parametrize("status", [404, 500, 302])
def test_a_connection_is_used_again_after_a_failure_with_a_short_body(status):
    async def ask():
        failure = reply({"resourceType": "OperationOutcome"}, status=status)
        async with world(failure, bundle(condition())) as here:
            await here.ask()
            await here.ask()
            return here.seen

    assert [one.connection for one in asyncio.run(ask())] == [1, 1]


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


# ---- bytes


def padded(size):
    body = json.dumps(bundle(condition())).encode()
    return body[:-1] + b" " * (size - len(body)) + b"}"


@pytest.mark.parametrize("size", [999, 1000])
@pytest.mark.parametrize("how", [reply, gzipped], ids=["plain", "gzip"])
def test_an_answer_is_read_when_it_is_as_large_as_a_page_may_be(how, size):
    assert asked(how(padded(size)), page_bytes=1000)[0].state("Condition") is NeedState.PRESENT


def chunked(body, step):
    parts = [body[start : start + step] for start in range(0, len(body), step)]
    return reply(content_length=None, transfer_encoding="chunked") + b"".join(
        [*(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]
    )


TOO_LARGE = {
    "announced": reply(padded(1001)),
    "in chunks": chunked(padded(5000), 100),
    "decompressed": gzipped(padded(1001)),
    "a bomb": gzipped(padded(50_000_000)),
    "in many chunks": chunked(padded(5000), 1),
}


@pytest.mark.parametrize("how", TOO_LARGE)
def test_an_answer_is_too_much_when_it_is_larger_than_a_page_may_be(how):
    answer, _ = asked(TOO_LARGE[how], page_bytes=1000, seconds=10)
    assert told(answer) == (NeedState.FAILED, GapReason.TOO_MUCH)
    assert answer.items == []


def test_a_bomb_is_not_unpacked_when_its_packed_bytes_are_few(monkeypatch):
    """A step of decompression stays small, whatever the stream would grow to."""
    grown = []
    original = zlib.decompressobj

    class Watched:
        def __init__(self, *arguments):
            self._inner = original(*arguments)

        def decompress(self, *arguments):
            made = self._inner.decompress(*arguments)
            grown.append(len(made))
            return made

        def __getattr__(self, name):
            return getattr(self._inner, name)

    monkeypatch.setattr("cds_service.fhir.client.transfer.zlib.decompressobj", Watched)
    bomb = gzip.compress(b" " * 50_000_000)
    answer, _ = asked(reply(bomb, content_encoding="gzip"), page_bytes=1_000_000, seconds=10)
    assert answer.reason is GapReason.TOO_MUCH
    assert sum(grown) < 2_000_000


@pytest.mark.parametrize(
    "packed",
    [
        gzipped(b"")[:-4],
        reply(gzip.compress(padded(500))[:-9], content_encoding="gzip"),
        reply(b"\x1f\x8b" + b"\xff" * 200, content_encoding="gzip"),
        reply(b"no gzip at all", content_encoding="gzip"),
        reply(padded(500), content_encoding="br"),
        reply(padded(500), content_encoding="gzip, gzip"),
    ],
    ids=["cut off", "without its end", "garbage", "plain", "br", "twice"],
)
def test_an_answer_fails_when_it_cannot_be_unpacked(packed):
    answer, _ = asked(packed, seconds=0.5)
    assert answer.failure is NeedState.FAILED
    assert answer.reason in (GapReason.UNREADABLE, GapReason.LATE)


def test_an_answer_is_too_much_at_once_when_it_is_announced_as_too_large():
    answer, _ = asked(reply(b"{", content_length="1001"), page_bytes=1000)
    assert told(answer) == (NeedState.FAILED, GapReason.TOO_MUCH), "not waited for"


def test_an_answer_is_too_much_when_bytes_without_end_follow_the_packed_ones():
    endless_tail = chunked(gzip.compress(padded(500)) + b"x" * 5000, 100).replace(b"\r\n\r\n", GZIP_HEAD, 1)
    answer, _ = asked(endless_tail, page_bytes=1000)
    assert told(answer) == (NeedState.FAILED, GapReason.TOO_MUCH)


GZIP_HEAD = b"\r\ncontent-encoding: gzip\r\n\r\n"


@pytest.mark.parametrize(("size", "is_beside"), [(1_000, False), (300_000, True), (2_000_000, True)])
def test_an_answer_is_read_beside_the_loop_only_when_it_is_long(monkeypatch, size, is_beside):
    threads = []
    decode = search_module._decode
    monkeypatch.setattr(
        search_module, "_decode", lambda body: threads.append(threading.current_thread()) or decode(body)
    )
    answer, _ = asked(reply(padded(size)), seconds=10)
    assert answer.state("Condition") is NeedState.PRESENT
    assert answer.size == size
    assert [one is not threading.main_thread() for one in threads] == [is_beside]


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


# ---- what may not be asked


@pytest.mark.parametrize("server", ["http://10.0.0.1/fhir", "http://169.254.169.254/fhir", "http://[fe80::1]/fhir"])
def test_a_server_is_unsafe_when_its_address_may_not_be_connected_to(server):
    async def ask():
        async with world(bundle()) as here:
            here.script.base = server
            return await (await here.other_call(TOKEN)).ask()

    assert told(asyncio.run(ask())) == (NeedState.FAILED, GapReason.UNSAFE)


def test_nothing_is_sent_when_the_registration_does_not_know_the_server():
    answer, seen = asked(bundle(condition()), rules=None)
    assert told(answer) == (NeedState.FAILED, GapReason.SERVER_NOT_ALLOWED)
    assert seen == []


def test_nothing_is_sent_when_the_token_does_not_reach_so_far():
    answer, seen = asked(bundle(condition()), scope="patient/Observation.read")
    assert told(answer) == (NeedState.DENIED, GapReason.OUT_OF_SCOPE)
    assert seen == []


def test_an_answer_proves_no_absence_when_the_token_narrows_it():
    answer, seen = asked(bundle(condition()), scope="patient/Condition.rs?category=problem-list-item")
    assert (answer.state("Condition"), answer.reason) == (NeedState.TRUNCATED, GapReason.OUT_OF_SCOPE)
    assert len(answer.items) == len(seen) == 1


# ---- the token shows itself nowhere


def test_the_token_is_nowhere_but_in_its_header_when_all_is_printed_and_logged(caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpcore")  # more than the service ever lets it write
    away = reply(status=302, location="http://evil.test/")

    async def ask():
        async with world(bundle(condition()), reply(status=500), away) as here:
            answers = [await here.ask() for _ in range(3)]
            connection = here.session.connection
            with pytest.raises(FetchError) as caught:
                await connection.send("GET", "/fhir/x", is_search=True)
            assert [one.header("authorization") for one in here.seen] == [f"Bearer {TOKEN}"] * 4
            request = connection.request("GET", "/fhir/x", is_search=True)
            shown = (here.session, connection, connection.origin, connection.token, here.client, request, *answers)
            return [f"{one!r} {one!s}" for one in shown], caught.value

    shown, error = asyncio.run(ask())
    chain = [repr(error), str(error), repr(error.__cause__), repr(error.__context__)]
    assert "send_request_headers" in caplog.text
    assert TOKEN not in "\n".join([*shown, *chain, caplog.text])
    assert TOKEN not in "".join(traceback.format_exception(error))


def test_nothing_that_a_server_says_is_logged_when_the_service_logs_all_it_can(client_with, caplog):
    client_with(log_level="debug")
    caplog.set_level(logging.DEBUG)
    asked(reply(status=302, location=f"/fhir/moved?patient={PATIENT}"), reply(status=404))
    assert PATIENT not in caplog.text
