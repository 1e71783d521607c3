"""Bytes that are hardly HTTP, against the real process: it stays alive, answers the next one, and repeats nothing."""

import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.world import Server, every_hook, path_of
from tests.fuzz.exchange import JSON, MARK, Asked
from tests.fuzz.oddities import requests, written
from tests.fuzz.test_corpus import CORPUS
from tests.fuzz.wire import assert_no_fault, assert_said_nothing, assert_well, received, statuses, tell

VIEW = path_of("patient-view")
GOOD = Asked("POST", VIEW.encode(), (JSON,), (written(every_hook()["patient-view"]),)).on_the_wire()
ODD_BYTES = [
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\x0b",
    b":",
    b"\xff",
    b"\xc2\xa0",
    MARK.encode(),
]
ODD_HEADERS = [b"Content-Length: 0", b"Content-Length: 7", b"Content-Length: -1", b"Transfer-Encoding: chunked", b":"]
ODD_HEADERS += [b"Transfer-Encoding: gzip, chunked", b"Connection: close", b"Connection: keep-alive, close", b"Host: x"]
ODD_HEADERS += [b"Expect: 100-continue", b"Upgrade: h2c", b"Connection: upgrade", b"X: " + b"y" * 9000, b"Trailer: X"]
known = st.sampled_from([file.read_bytes() for file in sorted(CORPUS.glob("*/*.http"))])


@st.composite
def garbled(draw):
    """A request of any kind with a few bytes put in, taken out, or headers added."""
    message = draw(st.one_of(known, known, requests.map(Asked.on_the_wire), st.just(GOOD)))[:20_000]
    for _ in range(draw(st.integers(0, 4))):
        where = draw(st.integers(0, min(len(message), draw(st.sampled_from([20, 300, 20_000])))))
        width = draw(st.sampled_from([0, 0, 1, 2, 50]))
        message = message[:where] + draw(st.sampled_from(ODD_BYTES) | st.binary(max_size=3)) + message[where + width :]
    headers = draw(st.lists(st.sampled_from(ODD_HEADERS), max_size=2))
    return message.replace(b"\r\n", b"\r\n" + b"".join(header + b"\r\n" for header in headers), 1)


def no_websocket(message):
    """What is known to break a promise stands in the corpus, and is not found again each time."""
    return b"websocket" not in message.lower()


pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # a batch is large, and printed whole
messages = (garbled() | st.binary(max_size=200)).filter(no_websocket)


@pytest.fixture(scope="module")
def server():
    """A process that logs all it can: what it wrote is looked at by the last test here."""
    with Server(CDS_LOG_LEVEL="debug") as running:
        yield running


def assert_batches_are_survived(server, batches, size):
    quiet = [
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ]

    @settings(max_examples=batches, deadline=None, suppress_health_check=quiet)
    @given(st.lists(messages, min_size=size, max_size=size))
    def survived(batch):
        for said in tell(server, batch, quiet=0.1):
            assert_no_fault(said)
        assert_well(server)

    survived()


def test_garbled_requests_leave_the_service_well(server):
    assert_batches_are_survived(server, 6, 12)


@pytest.mark.soak
def test_ten_thousand_garbled_requests_leave_the_service_well(server):
    assert_batches_are_survived(server, 500, 20)


def test_a_request_that_comes_byte_by_byte_is_answered_and_holds_up_nobody(server):
    head = f"GET /cds-services HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: {MARK}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        for number, byte in enumerate(head):
            line.sendall(bytes([byte]))
            time.sleep(0.002)
            if number % 25 == 0:
                assert_well(server)
        said = b""
        while part := received(line):
            said += part
    assert statuses(said) == [200]


def test_clients_that_leave_in_the_middle_of_everything_leave_the_service_well(server):
    for cut in range(0, len(GOOD), max(1, len(GOOD) // 60)):
        with socket.create_connection(("127.0.0.1", server.port), 10) as line:
            line.sendall(GOOD[:cut])
    assert_well(server)
    (said,) = tell(server, [GOOD], wanted=1)
    assert statuses(said) == [200]


def test_the_process_has_written_nothing_of_all_this(server):
    assert_said_nothing(server.stop())
