"""How much may come, how fast, how many at once: what is too much is refused at once and leaves nothing behind."""

import contextlib
import http.client
import json
import socket
import time

import pytest

from cds_service.api.limits import CallLimits, ClientLimits
from cds_service.errors import OverloadedError, TooManyCallsError
from tests.api.world import Server, call, every_hook, path_of, problem, send, wait_until

VIEW = path_of("patient-view")
SECONDS = 0.6
AT_ONCE = 2
CONNECTIONS = 12
CLOSED = (ConnectionResetError, BrokenPipeError)


# ---- the pace and the places of a client


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(clock):
    return CallLimits(0, clock)


def admitted(limits, client="ehr", agreed=ClientLimits(), times=1):  # noqa: B008  # a NamedTuple does not change
    """How many of some calls, one after the other, are admitted; and what the last refusal asks to wait."""
    wait, count = 0, 0
    for _ in range(times):
        try:
            with limits.admit(client, agreed):
                count += 1
        except TooManyCallsError as error:
            wait = error.retry_after
    return count, wait


def test_ten_seconds_worth_of_calls_may_come_at_once_and_then_they_come_evenly(limits, clock):
    sixty = ClientLimits(calls_a_minute=60)
    assert admitted(limits, agreed=sixty, times=30) == (10, 1)
    clock.now += 3
    assert admitted(limits, agreed=sixty, times=30) == (3, 1)
    clock.now += 3600
    assert admitted(limits, agreed=sixty, times=30) == (10, 1)


@pytest.mark.parametrize(("calls_a_minute", "wait"), [(1, 60), (2, 30), (7, 9), (6000, 1)])
def test_a_client_that_waits_as_long_as_it_is_told_is_admitted(limits, clock, calls_a_minute, wait):
    agreed = ClientLimits(calls_a_minute)
    clock.now += 0.25
    assert admitted(limits, agreed=agreed, times=calls_a_minute + 1)[1] == wait
    clock.now += wait
    assert admitted(limits, agreed=agreed) == (1, 0)


def test_a_refused_call_costs_nothing(limits, clock):
    agreed = ClientLimits(calls_a_minute=6)
    admitted(limits, agreed=agreed, times=1000)
    clock.now += 10
    assert admitted(limits, agreed=agreed, times=2) == (1, 10)


def test_one_client_does_not_spend_what_is_another_ones(limits):
    agreed = ClientLimits(calls_a_minute=6, calls_at_once=1)
    with limits.admit("one", agreed):
        assert admitted(limits, "one", agreed) == (0, 1)
        assert admitted(limits, "other", agreed) == (1, 0)
        assert admitted(limits, "third", times=20) == (20, 0)


def test_a_new_agreement_holds_from_the_next_call_on(limits):
    admitted(limits, agreed=ClientLimits(calls_a_minute=1), times=2)
    assert admitted(limits, agreed=ClientLimits(), times=5) == (5, 0)


def test_a_place_is_free_again_when_a_call_fails(limits):
    agreed = ClientLimits(calls_at_once=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limits.admit("ehr", agreed):
            raise ZeroDivisionError
    assert limits.running == 0


def test_all_clients_share_the_places_of_the_service(clock):
    limits = CallLimits(2, clock)
    with limits.admit("one"), limits.admit("two"):
        with pytest.raises(OverloadedError), limits.admit("three"):
            pass
        assert limits.running == 2
    assert admitted(limits, "three") == (1, 0)


def test_little_is_remembered_whatever_clients_come(limits, clock):
    for number in range(5000):
        admitted(limits, f"client-{number}", ClientLimits(calls_a_minute=600))
        clock.now += 0.2
    assert limits.remembered <= 1000


def test_a_client_that_waits_is_not_forgotten_for_the_sake_of_others(limits, clock):
    slow = ClientLimits(calls_a_minute=1)
    assert admitted(limits, "slow", slow) == (1, 0)
    for number in range(5000):
        admitted(limits, f"client-{number}")
    clock.now += 30
    assert admitted(limits, "slow", slow) == (0, 30)


# ---- over HTTP


def counted(served, outcome, service="foot-drop-patient-view"):
    """How many calls came to this, by the metrics."""
    line = f'cds_calls_total{{client="open",outcome="{outcome}",service="{service}"}}'
    (found,) = [one for one in served.get("/metrics").text.splitlines() if one.startswith(line)]
    return float(found.rpartition(" ")[2])


def test_calls_and_reports_beyond_the_pace_are_told_when_to_come_back(client_with):
    served = client_with(calls_a_minute=12)
    answers = [served.fire(call()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    issue = problem(answers[-1], 429)
    assert issue["code"] == "throttled"
    assert answers[-1].headers["retry-after"] == "5"
    assert problem(served.post(f"{VIEW}/feedback", json={}), 429)
    assert counted(served, "refused_429") == 1


def test_discovery_health_and_metrics_are_not_counted(client_with):
    served = client_with(calls_a_minute=1, calls_at_once=1)
    assert served.fire(call()).status_code == 200
    for path in ("/cds-services", "/health/live", "/health/ready", "/metrics"):
        assert [served.get(path).status_code for _ in range(3)] == [200] * 3
    assert served.fire(call()).status_code == 429


# ---- the real process


@pytest.fixture(scope="module")
def server():
    limited = {
        "CDS_BODY_SECONDS": str(SECONDS),
        "CDS_HEADER_SECONDS": str(SECONDS),
        "CDS_MAX_HEADER_BYTES": "4096",
        "CDS_MAX_HEADERS": "20",
        "CDS_MAX_BODY_BYTES": "100000",
        "CDS_CALLS_AT_ONCE": str(AT_ONCE),
        "CDS_MAX_CONNECTIONS": str(CONNECTIONS),
    }
    with Server(**limited) as running:
        yield running


@pytest.fixture
def line(server):
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), 10)) as opened:
        yield opened


def head(path=VIEW, *headers, method="POST", length=1000):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def answer_on(line):
    """Status and OperationOutcome of the last answer before the connection is closed; None without an answer."""
    came = b""
    with contextlib.suppress(*CLOSED):
        while part := line.recv(65536):
            came += part
    if not came:
        return None, None
    whole, _, body = came.partition(b"\r\n\r\n")
    return int(whole.split()[1]), json.loads(body)


def drip(line, data, pause=0.05):
    """Send byte after byte until the other side has had enough; how long it took."""
    start = time.perf_counter()
    line.setblocking(False)
    for at in range(len(data)):
        try:
            line.send(data[at : at + 1])
            if line.recv(1, socket.MSG_PEEK) == b"":
                break
        except BlockingIOError:
            pass
        except CLOSED:
            break
        else:
            break
        time.sleep(pause)
    line.setblocking(True)
    return time.perf_counter() - start


def is_well(server):
    connection = server.connect()
    try:
        return send(connection, "POST", VIEW, call())[0]
    finally:
        connection.close()


@pytest.mark.parametrize("sent", [b"", b'{"hook": "patient-view"'])
def test_a_body_that_does_not_come_is_refused_and_the_connection_closed(server, line, sent):
    start = time.perf_counter()
    line.sendall(head() + sent)
    status, outcome = answer_on(line)
    assert SECONDS <= time.perf_counter() - start < SECONDS + 2
    assert status == 408
    assert outcome["issue"][0]["code"] == "timeout"
    assert is_well(server) == 200


def test_a_body_that_comes_drop_by_drop_is_refused_all_the_same(line):
    line.sendall(head())
    assert drip(line, b" " * 200) < SECONDS + 2
    assert answer_on(line)[0] == 408


def test_a_body_in_chunks_that_never_ends_is_refused(line):
    whole = head().replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked")
    line.sendall(whole + b"1\r\n{\r\n")
    assert answer_on(line)[0] == 408


def test_a_report_that_does_not_come_is_refused_too(line):
    line.sendall(head(f"{VIEW}/feedback"))
    assert answer_on(line)[0] == 408


@pytest.mark.parametrize("sent", [b"P", b"POST /cds-services", head()[:-2], b"GET /health/live HTTP/1.1\r\nHost: loc"])
def test_a_head_that_does_not_come_is_refused_and_the_connection_closed(server, line, sent):
    line.sendall(sent)
    status, outcome = answer_on(line)
    assert status == 408
    assert "head" in outcome["issue"][0]["diagnostics"]
    assert is_well(server) == 200


def test_a_head_that_comes_drop_by_drop_is_refused_all_the_same(line):
    assert drip(line, head()) < SECONDS + 2
    assert answer_on(line)[0] == 408


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_a_connection_on_which_nothing_begins_is_closed_without_a_word(line, sent):
    assert drip(line, sent * 100) < SECONDS + 2
    start = time.perf_counter()
    assert answer_on(line) == (None, None)
    assert time.perf_counter() - start < SECONDS + 2


def test_a_body_that_nobody_waits_for_does_not_keep_the_connection_open(line):
    line.sendall(head("/cds-services/unknown"))
    assert drip(line, b" " * 200) < 1  # answered at once
    start = time.perf_counter()
    assert answer_on(line)[0] == 404
    assert time.perf_counter() - start < SECONDS + 4


@pytest.mark.parametrize(
    "sent",
    [
        head(VIEW, f"X-Long: {'a' * 5000}"),
        head(f"{VIEW}?{'a' * 5000}"),
        head(VIEW, *(f"X-{number}: a" for number in range(20))),
        head(VIEW, *(f"X-{number}: {'a' * 1000}" for number in range(5))),
        b"GET /" + b"a" * 300_000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000,
        b"GET / HTTP/1.1\r\n" + b"a" * 300_000,
    ],
    ids=["long header", "long address", "many headers", "much in all", "endless address", "endless header", "no colon"],
)
def test_a_head_that_is_too_large_is_refused_and_the_connection_closed(server, line, sent):
    with contextlib.suppress(*CLOSED):
        line.sendall(sent)
    status, outcome = answer_on(line)
    assert status == 431
    assert outcome["issue"][0]["code"] == "too-long"
    assert is_well(server) == 200


def test_headers_within_the_limits_are_read(server):
    connection = server.connect()
    connection.request("GET", "/cds-services", headers={f"X-{number}": "a" * 200 for number in range(15)})
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_gets_an_answer_with_the_safe_headers(line, sent):
    line.sendall(sent)
    came = line.recv(4096)
    assert came.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-content-type-options: nosniff" in came
    assert b"cache-control: no-store" in came
    assert b"uvicorn" not in came


@pytest.mark.parametrize(
    "headers",
    [
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 5",),
        ("Content-Length : 5",),
        ("Transfer-Encoding: chunked, identity",),
        ("X-Folded: a", " b"),
        ("X-Null: a\0b",),
    ],
)
def test_a_head_that_two_readers_could_read_in_two_ways_is_refused(server, line, headers):
    """So that no proxy in front sees another request in it."""
    body = json.dumps(call()).encode()
    line.sendall(head(VIEW, *headers, length=len(body)) + body)
    assert answer_on(line)[0] == 400
    assert is_well(server) == 200


@pytest.mark.parametrize("length", ["-1", "99999999999999999999999", "0x10", "1e3", "\u00b2"])
def test_a_length_that_is_none_is_refused(line, length):
    line.sendall(head().decode().replace("1000", length).encode("latin-1"))
    assert answer_on(line)[0] == 400


@pytest.mark.soak
def test_a_client_that_does_not_read_its_answers_is_let_go():
    with Server() as running, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(10)
        deaf.connect(("127.0.0.1", running.port))
        deaf.sendall(b"GET /cds-services HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
        time.sleep(30)
        came = 0
        with contextlib.suppress(*CLOSED):
            while part := deaf.recv(65536):
                came += part.count(b"HTTP/1.1 200 OK")
        assert 0 < came < 1000


def test_a_client_learns_that_its_body_is_too_large_though_it_is_still_sending(server):
    connection = server.connect()
    connection.request("POST", VIEW, b" " * 3_000_000, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["issue"][0]["code"]) == (413, "too-long")
    connection.close()


def test_one_call_too_many_is_refused_at_once_while_the_rest_of_the_service_answers(server):
    holding = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(AT_ONCE)]
    try:
        for one in holding:
            one.sendall(head())
        wait_until(lambda: is_well(server) == 503, "the places to be taken")
        connection = server.connect()
        start = time.perf_counter()
        connection.request("POST", VIEW, json.dumps(call()), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert json.load(answer)["issue"][0]["code"] == "throttled"
        for path in ("/cds-services", "/health/live", "/health/ready", "/metrics"):
            assert send(connection, "GET", path)[0] == 200
        assert time.perf_counter() - start < SECONDS
        connection.close()
        assert [answer_on(one)[0] for one in holding] == [408] * AT_ONCE
    finally:
        for one in holding:
            one.close()
    assert is_well(server) == 200


def test_clients_that_leave_in_the_middle_of_a_call_take_no_place_with_them(server):
    for _ in range(3 * AT_ONCE):
        with socket.create_connection(("127.0.0.1", server.port), 10) as leaving:
            leaving.sendall(head() + b'{"hook":')
            time.sleep(0.02)
    wait_until(lambda: is_well(server) == 200, "the places to be free", SECONDS)


def test_one_connection_too_many_is_refused_and_those_that_are_there_go_on(server):
    kept = server.connect()
    assert send(kept, "GET", "/health/live")[0] == 200
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS + 3):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
        late = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
        status, outcome = answer_on(late)
        assert (status, outcome["issue"][0]["code"]) == (503, "throttled")
        assert send(kept, "GET", "/health/live")[0] == 200
    kept.close()
    wait_until(lambda: is_well_again(server), "the connections to be let go")


def is_well_again(server):
    try:
        return is_well(server) == 200
    except (*CLOSED, http.client.HTTPException):
        return False


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
def test_a_call_that_would_rather_speak_another_protocol_is_answered_in_this_one(server, upgrade):
    wish = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
    connection = server.connect()
    for headers in (wish, {}):
        body = json.dumps(every_hook()["patient-view"])
        connection.request("POST", VIEW, body, {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.load(answer)["cards"]
    connection.close()


def test_the_metrics_count_what_was_refused_for_its_slowness(server, line):
    line.sendall(head())
    assert answer_on(line)[0] == 408
    connection = server.connect()
    text = send(connection, "GET", "/metrics")[2].decode()
    connection.close()
    found = [one for one in text.splitlines() if 'outcome="refused_408",service="foot-drop-patient-view"' in one]
    assert float(found[0].rpartition(" ")[2]) > 0
