"""The real service in a process of its own: connections, stopping, refusing to start."""

import json
import shutil
import signal
import socket
import threading
import time

import pytest

from cds_service.settings import Settings
from tests.api.world import Server, bundle, call, condition, every_hook, foot_drop, path_of, prefetch, send

VIEW = path_of("patient-view")
ENDED = (0, -signal.SIGTERM)  # uvicorn finishes its work, then dies of the signal it was sent


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture
def connection(server):
    opened = server.connect()
    yield opened
    opened.close()


def test_the_service_says_where_it_is_and_that_it_is_open_and_not_approved():
    with Server(CDS_LOG_LEVEL="debug") as running:
        connection = running.connect()
        assert send(connection, "POST", VIEW, every_hook()["patient-view"])[0] == 200
        connection.close()
        said = running.stop()
    assert f"http://127.0.0.1:{running.port}/cds-services" in said
    assert "open: no client is authenticated; loopback only" in said
    assert "not been clinically approved" in said
    assert "pat-77" not in said
    assert "Foot drop, right" not in said
    assert running.process.returncode in ENDED


def test_calls_refusals_and_discovery_share_one_connection(connection):
    for _ in range(3):
        for method, path, made, status in (
            ("GET", "/cds-services", None, 200),
            ("HEAD", "/cds-services", None, 200),
            ("POST", VIEW, call(), 200),
            ("POST", VIEW, {}, 400),
            ("OPTIONS", VIEW, None, 204),
            ("GET", VIEW, None, 405),
            ("POST", "/cds-services/unknown", call(), 404),
        ):
            assert send(connection, method, path, made)[0] == status
            mine = connection.sock
            assert mine is not None
    assert mine is connection.sock


def test_head_has_the_headers_and_no_body(connection):
    status, headers, body = send(connection, "HEAD", "/cds-services")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 1000


def test_two_requests_may_wait_on_one_connection(server):
    body = json.dumps(call()).encode()
    head = (
        f"POST {VIEW} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    last = f"{head}Connection: close\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall(f"{head}\r\n".encode() + body + last)
        answer = b""
        while part := line.recv(65536):
            answer += part
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_a_body_in_chunks_is_read(server):
    connection = server.connect()
    data = json.dumps(every_hook()["patient-view"]).encode()
    parts = (data[at : at + 500] for at in range(0, len(data), 500))
    connection.request("POST", VIEW, parts, {"Content-Type": "application/json"}, encode_chunked=True)
    assert json.load(connection.getresponse())["cards"]
    connection.close()


def test_what_is_no_http_is_refused_and_the_service_lives_on(server, connection):
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall(b"hello\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 400")
    assert send(connection, "GET", "/health/live")[0] == 200


def a_large_call(resources=20_000):
    many = bundle(*(condition("I10", "Essential hypertension", name=f"c-{number}") for number in range(resources)))
    many["entry"].append({"resource": foot_drop()})
    return call("patient-view", prefetch=prefetch(conditions=many))


def test_a_small_call_does_not_wait_for_a_large_one_beside_it(server, connection):
    body = json.dumps(a_large_call()).encode()
    took = {}

    def send_large():
        beside = server.connect()
        start = time.perf_counter()
        beside.request("POST", VIEW, body, {"Content-Type": "application/json"})
        took["status"] = beside.getresponse().status
        took["large"] = time.perf_counter() - start
        beside.close()

    send(connection, "POST", VIEW, call())
    thread = threading.Thread(target=send_large)
    thread.start()
    waits = []
    while thread.is_alive():
        start = time.perf_counter()
        assert send(connection, "POST", VIEW, call())[0] == 200
        waits.append(time.perf_counter() - start)
    thread.join()
    assert took["status"] == 200
    assert len(waits) > 3
    assert max(waits) < max(0.8 * took["large"], 0.1)


# ---- stopping


def test_a_call_that_has_begun_is_answered_when_the_service_is_asked_to_stop():
    data = json.dumps(every_hook()["patient-view"]).encode()
    with Server() as running:
        connection = running.connect()
        connection.putrequest("POST", VIEW)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders()
        connection.send(data[:100])
        time.sleep(0.2)
        running.ask_to_stop()
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), 1)
        connection.send(data[100:])
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.load(answer)["cards"]
        connection.close()
        assert running.process.wait(10) in ENDED
        assert "Traceback" not in running.stop()


def test_the_service_stops_at_once_when_connections_are_idle(tmp_path):
    with Server(CDS_DATABASE_URL=f"sqlite:///{tmp_path}/ledger.sqlite3") as running:
        connection = running.connect()
        send(connection, "POST", VIEW, call())
        start = time.perf_counter()
        running.ask_to_stop()
        assert running.process.wait(10) in ENDED
        assert time.perf_counter() - start < 3
        connection.close()
    assert not (tmp_path / "ledger.sqlite3-wal").exists()  # the ledger was closed


# ---- refusing to start


def said_on_refusal(**environment):
    running = Server(**environment)
    assert running.process.wait(20) == 1
    said = running.stop()
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("CDS_HOST", "0.0.0.0", "set CDS_HOST to 127.0.0.1, register the clients"),
        ("CDS_MAX_CARD", "3", "CDS_MAX_CARD is no setting: did you mean CDS_MAX_CARDS?"),
        ("CDS_ZEBRA", "3", "CDS_ZEBRA is no setting; see docs/configuration.md"),
        ("CDS_PUBLIC_URL", "cds.example.org", "CDS_PUBLIC_URL: is not an absolute URL such as https://"),
        ("CDS_CORS_ORIGINS", "*", "CDS_CORS_ORIGINS: holds something else than origins such as https://"),
        ("CDS_TIMEZONE", "Mars/Olympus", "CDS_TIMEZONE: is not an IANA time zone such as Europe/Berlin"),
        ("CDS_PORT", "http", "CDS_PORT: Input should be a valid integer"),
        ("CDS_CARDS_DIR", "/nowhere", "set CDS_CARDS_DIR"),
        ("CDS_DATABASE_URL", "mysql://u:secret@h/d", "Use sqlite:///relative/path"),
    ],
)
def test_a_setting_that_cannot_be_used_stops_the_start_and_the_message_says_what_to_mend(name, value, remedy):
    said = said_on_refusal(**{name: value})
    assert remedy in said
    assert "secret" not in said


def test_broken_knowledge_stops_the_start_and_the_message_names_file_line_and_remedy(tmp_path):
    cards = tmp_path / "cards"
    shutil.copytree(Settings().cards_dir, cards)
    services = cards / "services.yaml"
    text = services.read_text().replace("concerns us:", "concern us:")
    services.write_text(text)
    line = next(number for number, found in enumerate(text.splitlines(), 1) if found.startswith("concern us:"))
    said = said_on_refusal(CDS_CARDS_DIR=str(cards))
    assert f"services.yaml:{line}: concern us" in said
    assert "did you mean 'concerns us'" in said
