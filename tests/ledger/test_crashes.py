"""Kill -9 under load: what was acknowledged is in the database once, none twice."""

import collections
import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
from uuid import uuid4

import pytest

from tests.api.world import PATIENT, Server, call, foot_drop, path_of, send, wait_until

VIEW = path_of("patient-view")
GONE = (OSError, http.client.HTTPException, json.JSONDecodeError)


class Load:
    """Users who call and report as fast as they are answered, and remember what was acknowledged."""

    def __init__(self):
        self.cards = []  # what was shown and is in the hands of a user
        self.instances = []  # the calls that were answered
        self.reports = []  # the reports that were acknowledged
        self._end = threading.Event()

    def run(self, server, users=4):
        """Put a server under load for the time of a `with`."""

        @contextlib.contextmanager
        def loaded():
            self._end.clear()
            threads = [threading.Thread(target=self._use, args=(server,)) for _ in range(users)]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                self._end.set()
                for thread in threads:
                    thread.join()

        return loaded()

    def _use(self, server):
        connection = server.connect()
        with contextlib.suppress(*GONE):
            while not self._end.is_set():
                self._call(connection)
                self._report(connection)
        connection.close()

    def _call(self, connection):
        instance = str(uuid4())
        made = json.dumps(call("patient-view", foot_drop(), hookInstance=instance))
        made = json.loads(made.replace(PATIENT, f"pat-{instance}"))  # a card that was dismissed is quiet for a while
        status, _, body = send(connection, "POST", VIEW, made)
        assert status == 200
        self.cards.append([card["uuid"] for card in json.loads(body)["cards"]])
        self.instances.append(instance)

    def _report(self, connection):
        shown = random.choice(self.cards)
        moment = f"2026-11-22T12:{random.randrange(60):02}:{random.randrange(60):02}.{uuid4().int % 1000000:06}Z"
        entry = {"card": shown[0], "outcome": "overridden", "outcomeTimestamp": moment}
        status, _, body = send(connection, "POST", f"{VIEW}/feedback", {"feedback": [entry]})
        assert status == 200
        assert json.loads(body)["feedback"][0]["status"].startswith("kept")
        self.reports.append((shown[0], moment))


def drain(server):
    """Wait until the service has brought all to the database."""
    connection = server.connect()

    def is_drained():
        status, _, body = send(connection, "GET", "/health/ready")
        assert status == 200
        return json.loads(body)["ledger"]["journal"]["waiting"] == 0

    wait_until(is_drained, "the journal to drain", 60)
    connection.close()


def holds_all_once(store, load):
    """All that was acknowledged is in the database, nothing twice, and the latest report stands for each card."""
    instances = collections.Counter(found for (found,) in store.rows("call", "hook_instance"))
    assert not set(load.instances) - set(instances), "an answered call is not in the ledger"
    assert set(instances.values()) == {1}, "a call is in the ledger twice"
    cards = collections.Counter(found for (found,) in store.rows("card", "uuid"))
    assert not {uuid for shown in load.cards for uuid in shown} - set(cards), "a card is not in the ledger"
    reports = collections.Counter(
        (uuid, f"{at:%Y-%m-%dT%H:%M:%S.%f}Z") for uuid, at in store.rows("feedback", "card_uuid", "outcome_at")
    )
    assert not set(load.reports) - set(reports), "an acknowledged report is not in the ledger"
    assert set(reports.values()) <= {1}, "a report is in the ledger twice"
    latest = {}
    for uuid, moment in reports:
        latest[uuid] = max(moment, latest.get(uuid, ""))
    standing = {uuid: f"{found[1]:%Y-%m-%dT%H:%M:%S.%f}Z" for (uuid, _), found in store.standing().items() if found[1]}
    assert standing == {uuid: moment for uuid, moment in latest.items() if uuid in cards}


def start(store, **settings):
    files = {"CDS_JOURNAL_FILE": store.folder / "journal.sqlite3", "CDS_LEDGER_KEY_FILE": store.folder / "ledger.key"}
    return Server(CDS_DATABASE_URL=store.url, **{name: str(value) for name, value in files.items()}, **settings)


def kill(server):
    os.kill(server.process.pid, signal.SIGKILL)
    server.stop()


def service_dies(store, times, longest):
    load = Load()
    for _ in range(times):
        server = start(store).__enter__()
        before = len(load.reports)
        with load.run(server):
            wait_until(lambda: len(load.reports) > before, "the first report", 20)  # noqa: B023  # of this round
            time.sleep(random.uniform(0, longest))
            kill(server)
    with start(store) as server:
        drain(server)
        assert "Traceback" not in server.stop()
    assert len(load.instances) > times
    holds_all_once(store, load)
    return load


def postgresql_dies(store, times, longest):
    load = Load()
    with start(store) as server:
        with load.run(server):
            for _ in range(times):
                before = len(load.reports)
                wait_until(lambda: len(load.reports) > before, "a report", 20)  # noqa: B023  # of this round
                time.sleep(random.uniform(0, longest))
                store.server.kill()
                time.sleep(random.uniform(0, longest))
                assert server.process.poll() is None
                store.server.start()
            kept = len(load.reports)
            wait_until(lambda: len(load.reports) > kept + 4, "reports after the last death", 20)
        drain(server)
        assert "Traceback" not in server.stop()
    holds_all_once(store, load)
    return load


def test_what_was_acknowledged_is_there_once_when_the_service_is_killed_under_load(sqlite_store):
    service_dies(sqlite_store, times=3, longest=0.2)


def test_what_was_acknowledged_is_there_once_when_postgresql_is_killed_under_load(postgresql_store):
    postgresql_dies(postgresql_store, times=3, longest=0.2)


@pytest.mark.soak
def test_what_was_acknowledged_is_there_once_when_the_service_is_killed_twenty_times(store):
    load = service_dies(store, times=20, longest=1.5)
    print(f"service killed 20 times: {len(load.instances)} calls and {len(load.reports)} reports, each there once")


@pytest.mark.soak
def test_what_was_acknowledged_is_there_once_when_postgresql_is_killed_twenty_times(postgresql_store):
    load = postgresql_dies(postgresql_store, times=20, longest=1.5)
    print(f"PostgreSQL killed 20 times: {len(load.instances)} calls and {len(load.reports)} reports, each there once")
