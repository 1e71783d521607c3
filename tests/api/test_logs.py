"""The log: one line for each call, for people or for machines, and nothing in it that somebody sent."""

import json
import logging
import re
import socket
import subprocess
import sys

import pytest

from cds_service.log_lines import ConsoleLines, JSONLines
from tests.api.world import (
    ROOT,
    Server,
    bundle,
    call,
    call_lines,
    condition,
    every_hook,
    foot_drop,
    path_of,
    prefetch,
    problem,
    send,
)
from tests.docs.pages import read

VIEW = path_of("patient-view")
MARK = "ZZMARK"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


# ---- what the line of a call says


@pytest.fixture
def lines(caplog):
    """What the log says of each call so far."""
    caplog.set_level("INFO")
    return lambda: call_lines(caplog)


def test_a_call_has_one_line_with_what_came_of_it(client, lines):
    answer = client.fire(every_hook()["patient-view"])
    (line,) = lines()
    assert line["client"] == "open"
    assert (line["service"], line["hook"]) == ("foot-drop-patient-view", "patient-view")
    assert (line["status"], line["outcome"]) == (200, "complete with cards")
    assert line["returned"] == [card["source"]["topic"]["code"] for card in answer.json()["cards"]]
    assert line["knowledge"] == client.get("/health/ready").json()["knowledge"]
    assert line["resources"] == 2
    phases = [line[f"{phase}_ms"] for phase in ("receive", "parse", "decide", "look_up", "record")]
    assert sum(phases) <= line["total_ms"] + 1


def test_what_could_not_be_read_is_named(client, lines):
    made = every_hook()["patient-view"]
    del made["prefetch"]["serviceRequests"]
    client.fire(made)
    assert lines()[0]["not_read"] == ["service requests not sent"]


@pytest.mark.parametrize(
    ("body", "status", "reason", "member"),
    [
        ({}, 400, "invalid-request", "hook"),
        (call("order-sign"), 400, "wrong-hook", "hook"),
        (call(prefetch={}), 412, "precondition", "patient, conditions"),
        (
            call(prefetch=prefetch(conditions=bundle(condition("I10", subject={"reference": "Patient/other"})))),
            400,
            "foreign-patient",
            "prefetch.conditions",
        ),
    ],
)
def test_a_refused_call_has_one_line_with_the_reason(client, lines, body, status, reason, member):
    assert problem(client.post(VIEW, json=body), status)
    (line,) = lines()
    assert (line["status"], line["reason"], line["member"]) == (status, reason, member)
    assert line["service"] == "foot-drop-patient-view"


def test_a_service_that_there_is_not_has_no_name_in_the_log(client, lines):
    client.post(f"/cds-services/{MARK}", json=call())
    (line,) = lines()
    assert (line["service"], line["status"], line["reason"]) == ("unknown", 404, "unknown-service")


def test_a_report_has_one_line_with_how_much_was_kept(client, lines):
    entry = {"card": MARK, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T12:00:00Z"}
    known = entry | {"card": "4d1577c6-dfbe-44ad-ba6d-3e05e953b2ea"}
    client.post(f"{VIEW}/feedback", json={"feedback": [entry, known]})
    (line,) = lines()
    assert (line["status"], line["entries"], line["kept"]) == (200, 2, 1)


def test_a_fault_has_its_place_and_the_calls_line_its_reason(client, lines, monkeypatch, caplog):
    monkeypatch.setattr("cds_service.fhir.reader.RecordReader.open", lambda *_: 1 / 0)
    client.fire(call())
    (line,) = lines()
    assert (line["status"], line["reason"]) == (500, "fault")
    (fault,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert fault.startswith(f"fault in call {line['call']}: ZeroDivisionError at test_logs.py:")


def test_the_page_names_every_field_of_the_line(client_with, lines, tmp_path):
    """docs/operations.md says what each field means."""
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3", max_cards=1)
    served.fire(every_hook()["patient-view"] | {"fhirServer": "http://127.0.0.1:1/fhir"})
    partial = every_hook()["patient-view"]
    del partial["prefetch"]["serviceRequests"]
    served.fire(partial | {"fhirServer": "http://127.0.0.1:1/fhir"})
    served.fire(call(prefetch={}))
    served.post(f"{VIEW}/feedback", json={"feedback": []})
    page = read("docs/operations.md")
    named = set(re.findall(r"`(\w+)`", page))
    found = {field for line in lines() for field in line}
    assert {"folded", "not_read", "fetch_ms", "queries"} <= found
    assert found <= named


# ---- the two forms


def record_of(message="call answered", fields=None, name="cds_service.calls", args=(), error=None):
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(name, logging.INFO, "/somewhere/file.py", 7, message, args, info)
    if fields is not None:
        made.fields = fields
    return made


def test_on_the_console_a_line_can_be_read():
    fields = {"status": 200, "outcome": "complete with cards", "returned": ["A", "B"], "total_ms": 1.5, "odd": 'a"=b'}
    line = ConsoleLines().format(record_of(fields=fields))
    time, rest = line.split(" ", 1)
    assert re.fullmatch(TIME, time)
    expected = 'call answered status=200 outcome="complete with cards" returned=A,B total_ms=1.5 odd="a\\"=b"'
    assert rest == f"INFO {expected}"


def test_for_a_machine_a_line_is_an_object():
    line = json.loads(JSONLines().format(record_of(fields={"status": 200, "returned": ["A"]})))
    assert re.fullmatch(TIME, line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "cds_service.calls",
        "message": "call answered",
        "status": 200,
        "returned": ["A"],
    }


def break_something():
    try:
        {}[MARK]
    except KeyError as inner:
        raise ValueError(MARK) from inner


def an_error():
    try:
        break_something()
    except ValueError as error:
        return error


@pytest.mark.parametrize("form", [ConsoleLines(), JSONLines()], ids=["console", "json"])
@pytest.mark.parametrize("name", ["cds_service", "uvicorn.error", "asyncio", "sqlalchemy.pool", "root"])
def test_of_an_error_only_its_type_and_place_are_shown(form, name):
    line = form.format(record_of("something broke", name=name, error=an_error()))
    assert "ValueError" in line
    assert "test_logs.py:" in line
    assert "break_something" in line
    assert MARK not in line


@pytest.mark.parametrize("form", [ConsoleLines(), JSONLines()], ids=["console", "json"])
@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("Running upgrade %s -> %s", (MARK, MARK), "Running upgrade … -> …"),
        ("%(first)s lost", ({"first": MARK},), "… lost"),
        ("took %.2f ms, %-5d rows", (1.5, 7), "took … ms, … rows"),
        ("%s", (MARK,), "a message that may hold data, from file.py:7"),
        (f"Task exception was never retrieved {MARK}", (), "a message that may hold data, from file.py:7"),
        (MARK, (), "a message that may hold data, from file.py:7"),
        (ValueError(MARK), (), "ValueError"),
        (OSError(98, "Address already in use"), (), "OSError: Address already in use"),
    ],
)
def test_of_a_librarys_message_only_its_own_words_are_shown(form, message, args, shown):
    line = form.format(record_of(message, name="asyncio", args=args, fields={"field": MARK}))
    assert MARK not in line
    assert shown in (json.loads(line)["message"] if line.startswith("{") else line)


def test_our_own_words_are_shown_whole():
    line = ConsoleLines().format(
        record_of("the clients file cannot be used: %s", args=("clients.yaml:3\nclients.yaml:4",))
    )
    assert line.endswith("clients.yaml:3\nclients.yaml:4")


# ---- a process of its own

LOUD = """
import asyncio, gc, logging, sys, threading, warnings
from cds_service.log_lines import set_up_logging
MARK = "ZZ" + "MARK"
set_up_logging("debug", sys.argv[1])

class Broken:
    def __str__(self):
        raise ValueError(MARK)
    __repr__ = __str__
    def __del__(self):
        raise RuntimeError(MARK)

async def crash():
    raise LookupError(MARK)

async def leave():
    asyncio.get_running_loop().call_soon(lambda: {}[MARK])
    asyncio.create_task(crash())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()

asyncio.run(leave())
thread = threading.Thread(target=lambda: [][7], name=MARK)
thread.start()
thread.join()
warnings.warn(MARK)
logging.getLogger("cds_service").info("of %d and %s", MARK, MARK)
logging.getLogger("cds_service").info("broken: %s", Broken())
logging.getLogger("httpcore").debug(MARK)
logging.getLogger("sqlalchemy.engine").warning("[parameters: %s]", MARK)
logging.getLogger("cds_service.calls").info("call answered", extra={"fields": {"status": 200}})
logging.getLogger("cds_service.audit").info("%s", '{"event":"start"}')
raise OverflowError(MARK)
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_whatever_python_and_its_libraries_have_to_say_names_no_data(form):
    done = subprocess.run([sys.executable, "-c", LOUD, form], cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert MARK not in said
    for kind in ("LookupError", "KeyError", "IndexError", "RuntimeError", "OverflowError"):
        assert kind in said
    assert said.count("a log line is missing: cds_service, <string>:") == 2
    assert "Traceback" not in said
    assert done.returncode == 1
    if form == "json":
        found = [json.loads(line) for line in said.splitlines() if not line.startswith("a log line is missing")]
        assert {"event": "start"} in found
        assert [one["status"] for one in found if "status" in one] == [200]


@pytest.fixture(scope="module", params=["console", "json"])
def said(request):
    """What a service wrote that was called in every way, and sent what is no HTTP, at its most talkative."""
    with Server(CDS_LOG_FORMAT=request.param, CDS_LOG_LEVEL="debug") as running:
        connection = running.connect()
        record = foot_drop(note=[{"text": MARK}], id=MARK)
        send(connection, "POST", f"{VIEW}?name={MARK}", call("patient-view", record))
        send(connection, "POST", f"{VIEW}?name={MARK}", {"hook": MARK})
        send(connection, "POST", f"/cds-services/{MARK}", call())
        send(connection, "GET", f"/{MARK}?{MARK}={MARK}")
        connection.close()
        for sent in (
            f"GET /{MARK}\r\n\r\n",
            f"{MARK} / HTTP/1.1\r\nHost: {MARK}\r\n\r\n",
            f"GET / HTTP/1.1\r\n{MARK}\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", running.port), 10) as line:
                line.sendall(sent.encode())
                line.recv(4096)
        return request.param, running.stop()


def test_a_running_service_repeats_nothing_of_what_it_was_sent(said):
    assert MARK not in said[1]
    assert "pat-77" not in said[1]


def test_each_line_has_the_form_that_was_asked_for(said):
    form, text = said
    start, lines = text.splitlines()[:4], text.splitlines()[4:]
    assert [line.partition(":")[0] for line in start if ":" in line] == ["Start page", "Discovery", "Mode", "Knowledge"]
    logged = [line for line in lines if not line.startswith('{"at":')]
    if form == "json":
        assert {json.loads(line)["level"] for line in logged} >= {"info", "warning"}
    else:
        assert all(re.match(rf"{TIME} (DEBUG|INFO|WARNING) \S", line) for line in logged)


def test_open_mode_is_told_at_the_start(said):
    assert said[1].count("open: no client is authenticated; loopback only") == 3  # to people, the log and the audit


def test_a_port_that_is_taken_is_told_in_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = Server(CDS_PORT=str(taken.getsockname()[1]))
        assert running.process.wait(20) == 3
    assert "address already in use" in running.stop()
