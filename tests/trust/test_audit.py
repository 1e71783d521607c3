"""The audit: who called what and when, what was returned or why it was refused, and what was loaded."""

import datetime as dt
import json
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from cds_service.app import create_app
from cds_service.decision.audit import AuditEvent
from cds_service.errors import SettingsError
from cds_service.settings import Settings
from cds_service.trust import audit as audit_module
from cds_service.trust.audit import AuditFile
from tests.api.world import (
    ROOT,
    Server,
    call,
    call_lines,
    every_hook,
    foot_drop,
    ledger_rows,
    path_of,
    prefetch,
    send,
    wait_until,
)
from tests.conftest import NOON, Client, Clock

VIEW = path_of("patient-view")


def event(**details):
    return AuditEvent("call", NOON, details)


def entries(file):
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def audit(file):
    made = AuditFile(file)
    yield made
    made.close()


# ---- the file


def test_an_entry_says_when_what_and_by_which_process(file, audit):
    audit.write(
        AuditEvent("call", dt.datetime(2026, 11, 22, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))), {"a": [1]})
    )
    audit.close()
    assert entries(file) == [{"at": "2026-11-22T12:00:00.000Z", "event": "call", "process": os.getpid(), "a": [1]}]
    assert audit.health == "written"


def test_entries_are_in_their_order_and_what_was_there_stays(file):
    for turn in range(2):
        audit = AuditFile(file)
        for number in range(500):
            audit.write(event(turn=turn, number=number))
        audit.close()
    assert [(one["turn"], one["number"]) for one in entries(file)] == [(t, n) for t in range(2) for n in range(500)]


def test_only_its_owner_may_read_it(file, audit):  # noqa: ARG001
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_text_cannot_end_a_line(file, audit):
    audit.write(event(text="a\nb\r\u2028c"))
    audit.close()
    assert [one["text"] for one in entries(file)] == ["a\nb\r\u2028c"]


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(file, audit):
    audit.write(event(number=1))
    wait_until(file.read_text, "the first entry")
    moved = file.rename(file.with_suffix(".1"))
    audit.write(event(number=2))
    wait_until(file.exists, "a new file")
    audit.write(event(number=3))
    audit.close()
    assert [one["number"] for one in entries(moved)] == [1]
    assert [one["number"] for one in entries(file)] == [2, 3]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_was_made_in_its_place_is_taken(file, audit):
    """As logrotate does with `create`."""
    file.rename(file.with_suffix(".1"))
    file.touch(0o640)
    audit.write(event(number=2))
    audit.close()
    assert [one["number"] for one in entries(file)] == [2]


def test_a_file_that_was_copied_and_emptied_is_written_from_its_beginning(file, audit):
    """As logrotate does with `copytruncate`."""
    audit.write(event(number=1))
    wait_until(file.read_text, "the first entry")
    os.truncate(file, 0)
    audit.write(event(number=2))
    audit.close()
    assert [one["number"] for one in entries(file)] == [2]


def test_what_a_process_left_unfinished_does_not_spoil_the_next_entry(file):
    file.write_text('{"at":"2026-11-22T11:59:59.000Z","ev')
    audit = AuditFile(file)
    audit.write(event(number=1))
    audit.close()
    torn, whole = file.read_text().splitlines()
    assert torn == '{"at":"2026-11-22T11:59:59.000Z","ev'
    assert json.loads(whole)["number"] == 1


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cds_service.decision.audit import AuditEvent
from cds_service.trust.audit import AuditFile
NOON = datetime.now(UTC)
audit = AuditFile(Path(sys.argv[1]))
for number in range(2000):
    audit.write(AuditEvent("call", NOON, {"writer": sys.argv[2], "number": number, "filling": "x" * (number % 300)}))
audit.close()
"""


def test_several_processes_share_a_file_and_no_line_is_torn(file):
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(file), name], cwd=ROOT) for name in "abc"]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    found = entries(file)
    for name in "abc":
        assert [one["number"] for one in found if one["writer"] == name] == list(range(2000))


@pytest.fixture
def disk(monkeypatch):
    """A disk that can be full: it then takes as many bytes as are left, and no more."""

    class Disk:
        left = None

    def write(file, data, real=os.write):
        if Disk.left is None:
            return real(file, data)
        if not Disk.left:
            raise OSError(28, "No space left on device")
        taken = real(file, data[: Disk.left])
        Disk.left -= taken
        return taken

    monkeypatch.setattr(audit_module.os, "write", write)
    return Disk


def test_what_cannot_be_written_is_counted_told_and_noted_once_it_can_be(file, disk, caplog):
    lost = []
    audit = AuditFile(file, lambda: lost.append(1))
    disk.left = 0
    for number in range(3):
        audit.write(event(number=number))
    wait_until(lambda: len(lost) == 3, "three entries to be lost")
    assert audit.health == "cannot be written: 3 entries are lost"
    assert [one.getMessage() for one in caplog.records] == ["the audit file cannot be written: No space left on device"]
    disk.left = None
    audit.write(event(number=3))
    audit.close()
    assert [(one["event"], one.get("entries"), one.get("number")) for one in entries(file)] == [
        ("lost", 3, None),
        ("call", None, 3),
    ]
    assert audit.health == "written"


def test_an_entry_of_which_only_a_part_was_written_is_a_line_of_its_own(file, disk):
    audit = AuditFile(file)
    disk.left = 20
    audit.write(event(number=1))
    wait_until(lambda: audit.health != "written", "the entry to be lost")
    disk.left = None
    audit.write(event(number=2))
    audit.close()
    torn, lost, whole = file.read_text().splitlines()
    assert len(torn) == 20
    assert (json.loads(lost)["entries"], json.loads(whole)["number"]) == (1, 2)


def test_a_disk_that_hangs_holds_up_nobody(file, monkeypatch):
    monkeypatch.setattr(audit_module, "_MOST_WAITING", 5)
    monkeypatch.setattr(audit_module, "_LAST_WRITING", 0.1)
    goes_on = threading.Event()
    monkeypatch.setattr(audit_module.os, "write", lambda *_: goes_on.wait(20) or 0)
    lost = []
    audit = AuditFile(file, lambda: lost.append(1))
    for _ in range(50):
        audit.write(event())
    assert len(lost) >= 44
    assert "cannot be written" in audit.health
    audit.close()
    goes_on.set()


@pytest.mark.parametrize("kind", ["folder missing", "a folder", "a pipe"])
def test_a_file_that_cannot_be_written_stops_the_start(tmp_path, kind):
    path = {"folder missing": tmp_path / "no" / "audit", "a folder": tmp_path}.get(kind, tmp_path / "pipe")
    if kind == "a pipe":
        os.mkfifo(path)
    with pytest.raises(SettingsError, match=r"CDS_AUDIT_FILE: .* cannot be written"):
        AuditFile(path)


def test_what_is_no_json_does_not_end_the_writing(file, audit):
    audit.write(event(odd=object()))
    audit.write(event(number=2))
    audit.close()
    assert [one.get("odd", one.get("number")) for one in entries(file)] == ["object", 2]


# ---- what the service tells it


@pytest.fixture
def serve(file):
    """Makes services that write to the file. They are stopped where a test did not do so."""
    running = []

    def make(**settings):
        app = create_app(Settings(**{"database_url": "sqlite://", "audit_file": file, **settings}), Clock())
        running.append(Service(app))
        return running[-1]

    yield make
    for one in running:
        one.close()


class Service(Client):
    is_running = True

    def close(self):
        if self.is_running:
            self.is_running = False
            super().close()


@pytest.fixture
def service(serve):
    return serve()


def told(service, file, *names):
    """The entries of a service, of some kinds or all, once it was stopped."""
    service.close()
    return [one for one in entries(file) if not names or one["event"] in names]


def test_a_call_is_told_with_what_was_returned(service, file):
    answer = service.fire(call("patient-view", foot_drop(), prefetch=prefetch(foot_drop()) | {"serviceRequests": "?"}))
    (entry,) = told(service, file, "call")
    assert entry["client"] == "open"
    assert (entry["service"], entry["hook"]) == ("foot-drop-patient-view", "patient-view")
    assert (entry["status"], entry["outcome"]) == (200, "partial with cards")
    assert len(entry["call"]) == 36
    shown = {(card["source"]["topic"]["code"], card["uuid"]) for card in answer.json()["cards"]}
    returned = {(one["recommendation"], one["card"]) for one in entry["cards"] if one["state"] == "returned"}
    assert returned
    assert returned <= shown
    assert {"need": "service requests", "state": "failed", "reason": "unreadable"} in entry["gaps"]


def test_an_entry_names_the_same_call_as_the_ledger_and_the_log(serve, file, tmp_path, caplog):
    caplog.set_level("INFO")
    served = serve(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3")
    served.fire(call())
    (line,) = call_lines(caplog)
    (row,) = ledger_rows(tmp_path / "ledger.sqlite3", "SELECT call_id FROM call")
    (entry,) = told(served, file, "call")
    assert entry["call"] == line["call"] == row[0]


REFUSALS = {
    "not-json": lambda s: s.post(VIEW, content=b"{", headers={"content-type": "application/json"}),
    "invalid-request": lambda s: s.post(VIEW, json={}),
    "wrong-hook": lambda s: s.post(VIEW, json=call("order-sign")),
    "foreign-patient": lambda s: s.fire(call(prefetch=prefetch(foot_drop(subject={"reference": "Patient/other"})))),
    "unknown-service": lambda s: s.post("/cds-services/ZZMARK", json=call()),
    "method-not-allowed": lambda s: s.get(VIEW),
    "precondition": lambda s: s.fire(call(prefetch={})),
    "too-large": lambda s: s.post(VIEW, content=b" " * 2000, headers={"content-type": "application/json"}),
    "unsupported-media-type": lambda s: s.post(VIEW, content=b"{}"),
    "forbidden": lambda s: s.get("/cds-services", headers={"host": "evil.example"}),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_is_told_with_its_reason(serve, file, reason):
    served = serve(**({"max_body_bytes": 1024} if reason == "too-large" else {}))
    status = REFUSALS[reason](served).status_code
    (entry,) = told(served, file, "call", "request")
    assert (entry["reason"], entry["status"]) == (reason, status)
    assert "ZZMARK" not in file.read_text()


def test_a_fault_of_ours_is_told(service, file, monkeypatch):
    monkeypatch.setattr("cds_service.fhir.reader.RecordReader.open", lambda *_: 1 / 0)
    service.fire(call())
    (entry,) = told(service, file, "call")
    assert (entry["status"], entry["reason"]) == (500, "fault")


def test_discovery_feedback_and_pages_that_are_refused_are_told(serve, file):
    served = serve()
    served.get("/cds-services")
    served.post(f"{VIEW}/feedback", json={"feedback": []})
    served.get("/", headers={"x-forwarded-for": "10.0.0.1"})
    served.get("/metrics", headers={"origin": "http://localhost:3000"})
    served.get("/")
    found = [(one["event"], one["status"]) for one in told(served, file, "discovery", "feedback", "page", "request")]
    assert found == [("discovery", 200), ("feedback", 400), ("request", 403), ("page", 403)]


def test_a_start_is_told_with_what_was_loaded_and_a_stop(serve, file, tmp_path):
    clients = tmp_path / "clients.yaml"
    clients.write_text("clients:\n  open: {}\n")
    served = serve(clients_file=clients, max_cards=3)
    ready = served.get("/health/ready").json()
    configuration, start, stop = told(served, file)
    assert (configuration["event"], configuration["file"], configuration["usable"]) == (
        "configuration",
        "clients.yaml",
        True,
    )
    assert len(configuration["sha256"]) == 64
    assert (start["event"], start["knowledge"]) == ("start", ready["knowledge"])
    assert start["mode"] == "open: no client is authenticated; loopback only"
    assert start["settings"]["CDS_MAX_CARDS"] == 3
    assert stop["event"] == "stop"


def test_a_clients_file_is_told_when_it_is_read_again_and_when_it_cannot_be_used(serve, file, tmp_path):
    clients = tmp_path / "clients.yaml"
    clients.write_text("clients:\n  open: {}\n")
    served = serve(clients_file=clients)
    for text in ("clients:\n  open: {switched off: [FD-AFO-01]}\n", "clients: 7\n"):
        clients.write_text(text)
        served.run(_hang_up(served))
        served.fire(call())
    found = told(served, file, "configuration")
    assert [one["usable"] for one in found] == [True, True, False]
    assert len({one["sha256"] for one in found}) == 3


async def _hang_up(served):
    for look in served.app.state.on_hangup:
        look()


def test_health_and_metrics_say_so_when_the_audit_cannot_be_written(service, disk):
    assert service.get("/health/ready").json()["audit"] == "written"
    disk.left = 0
    assert service.fire(every_hook()["patient-view"]).json()["cards"]  # the patient is not to wait for a full disk
    wait_until(lambda: service.get("/health/ready").json()["audit"].startswith("cannot be written"), "health to say so")
    lost = [
        line for line in service.get("/metrics").text.splitlines() if line.startswith("cds_audit_not_written_total")
    ]
    assert float(lost[0].rpartition(" ")[2]) >= 1


# ---- settings are told without secrets

SECRET = "ZZMARK-secret"  # not of this project


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://user:{SECRET}@db.example:5432/ledger", "postgresql://db.example:5432/ledger"),
        (f"postgresql://{SECRET}@db.example/ledger", "postgresql://db.example/ledger"),
        (f"postgresql://db.example/ledger?password={SECRET}", "postgresql://db.example/ledger"),
        (f"postgresql://user:a/{SECRET}@db.example/ledger", "postgresql://…"),
        (f"postgresql://user:a?{SECRET}@db.example/ledger", "postgresql://…"),
        (f"postgresql://user:a@{SECRET}@db.example/ledger", "postgresql://…"),
        (f"postgresql://db.example/ledger?password=a@{SECRET}", "postgresql://db.example/ledger"),
        ("sqlite:////var/lib/cds/ledger.sqlite3", "sqlite:////var/lib/cds/ledger.sqlite3"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_a_database_is_told_without_user_and_password(url, shown):
    settings = Settings(database_url=url)
    assert settings.shown()["CDS_DATABASE_URL"] == shown
    assert SECRET not in json.dumps(settings.shown())


def test_every_setting_is_told_and_of_a_file_only_where_it_is(tmp_path):
    token = tmp_path / "token"
    token.write_text(SECRET * 3)
    shown = Settings(admin_token_file=token).shown()
    assert set(shown) == {f"CDS_{name.upper()}" for name in Settings.model_fields}
    assert shown["CDS_ADMIN_TOKEN_FILE"] == str(token)
    assert SECRET not in json.dumps(shown)


# ---- the real process


def test_without_a_file_the_audit_is_in_the_log_as_lines_of_json():
    with Server(CDS_LOG_LEVEL="error") as running:
        connection = running.connect()
        send(connection, "POST", VIEW, call())
        connection.close()
        said = running.stop()
    found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [one["event"] for one in found] == ["start", "call", "stop"]


def test_two_services_share_a_file_through_its_rotation(file):
    with Server(CDS_AUDIT_FILE=str(file)) as one, Server(CDS_AUDIT_FILE=str(file)) as two:
        for turn in range(3):
            for running in (one, two):
                connection = running.connect()
                for _ in range(10):
                    assert send(connection, "POST", VIEW, call())[0] == 200
                connection.close()
            if turn == 1:
                file.rename(file.with_suffix(".1"))
                one.process.send_signal(signal.SIGHUP)
    whole = [*entries(file.with_suffix(".1")), *entries(file)]
    calls = [entry for entry in whole if entry["event"] == "call"]
    assert len(calls) == len({entry["call"] for entry in calls}) == 60
    assert len({entry["process"] for entry in calls}) == 2
    assert [entry["event"] for entry in whole].count("stop") == 2
