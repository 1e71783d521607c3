"""After many calls to a server that misbehaves at random: nothing left open, nothing left running, no call too long."""

import asyncio
import gc
import json
import logging
import random
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from cds_service.agreements import open_mode
from cds_service.domain.queries import Query
from cds_service.fhir.client import fhir_client
from cds_service.fhir.questions import Question
from cds_service.hooks.request import parse_request
from tests.api.world import PATIENT
from tests.fetching.world import KEYS, a_record, asking, gaps, service, timed, weak_ankle
from tests.fhir_server.fault import FAULTS, FaultServer

DEADLINE = 0.15
NOISE = 1.0  # of a busy machine; a fault that is not cut off lasts longer by far
HEAVY = {
    "huge page",
    "gzip bomb",
    "gzip bomb in JSON",
    "10,000 entries",
}  # megabytes, made by the same process: time tells nothing
KEPT = 32


class Service:
    """A service whose FHIR client can be looked at."""

    def __init__(self, monkeypatch, **settings):
        made = []
        kind = fhir_client.FHIRClient

        def keep(*arguments, **options):
            made.append(kind(*arguments, **options))
            return made[-1]

        monkeypatch.setattr("cds_service.app.FHIRClient", keep)
        self.client = service(**settings)
        (self.fhir_client,) = made

    def tasks(self):
        """What still runs on the loop, this look at it apart."""

        async def look():
            await asyncio.sleep(0.05)
            return asyncio.all_tasks() - {asyncio.current_task()}

        return self.client.run(look())


@pytest.fixture
def served(monkeypatch, tmp_path):
    """With the ledger in a file of the test."""
    made = Service(monkeypatch, deadline_ms=int(DEADLINE * 1000), database_url=f"sqlite:///{tmp_path}/ledger.sqlite3")
    yield made
    made.client.close()


def until(statement, seconds=2):
    end = time.monotonic() + seconds
    while not statement():
        assert time.monotonic() < end
        time.sleep(0.01)


def a_mishap(dice, names):
    """A fault for some of the resource types, or for all."""
    kinds = dice.sample(sorted(KEYS), dice.randint(1, 4)) if dice.random() < 0.9 else ["*"]
    return {kind: dice.choice(names) for kind in kinds}


def fire_many(served, server, calls, seed=7):
    """The slowest calls with a fault of no size, and the slowest with a huge one."""
    dice = random.Random(seed)
    light = sorted(FAULTS.keys() - HEAVY)
    slowest = {False: [], True: []}
    for number in range(calls):
        is_heavy = number % 50 == 49
        faults = a_mishap(dice, sorted(HEAVY) if is_heavy else light)
        answer, seconds = met(served, server, faults)
        slowest[is_heavy] = sorted([*slowest[is_heavy], (seconds, number, faults)])[-5:]
        assert answer.status_code in (200, 412), (faults, answer.text)
        assert answer.status_code == 412 or answer.json()["cards"] or not gaps(answer), faults
        assert server.strayed == [], faults
    return slowest[False], slowest[True]


def met(served, server, faults):
    server.faults = faults
    server.reset()
    return timed(served.client, asking(server.base))


def check(served, calls):
    with FaultServer(a_record(weak_ankle())) as server:
        slowest, heaviest = fire_many(served, server, calls)
        print(f"{calls} calls: slowest {slowest[-1]}, with a huge answer {heaviest[-1]}")
        for seconds, _, faults in slowest:
            if seconds >= DEADLINE + NOISE:  # the machine may have been busy elsewhere: the middle of three counts
                again = sorted(met(served, server, faults)[1] for _ in range(3))
                assert again[1] < DEADLINE + NOISE, faults
        assert served.tasks() == set()
        until(lambda: server.at_work == 0)
        assert served.fhir_client.open_connections <= KEPT
        until(lambda: server.open_connections <= served.fhir_client.open_connections)
        served.client.run(served.fhir_client.close())
        assert served.fhir_client.open_connections == 0
        until(lambda: server.open_connections == 0)


def growth(served, calls):
    """Bytes of Python memory more after some calls than before them; those of the fault server count too."""
    dice = random.Random(11)
    quick = sorted(FAULTS.keys() - HEAVY - {"slow first byte", "slow body"})
    with FaultServer(a_record(weak_ankle())) as server:
        for _ in range(20):
            met(served, server, a_mishap(dice, quick))
        tracemalloc.start()
        try:
            for number in range(calls + 10):
                if number == 10:
                    gc.collect()
                    before = tracemalloc.get_traced_memory()[0]
                met(served, server, a_mishap(dice, quick))
            server.reset()
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()


def test_a_hundred_calls_leave_nothing_behind_when_the_server_misbehaves(served):
    check(served, 100)


@pytest.mark.soak
def test_ten_thousand_calls_leave_nothing_behind_when_the_server_misbehaves(served):
    check(served, 10_000)


@pytest.fixture
def _no_logs():
    """What pytest keeps of the log is no leak of ours."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_no_logs")
def test_a_few_calls_leave_no_memory_behind_when_the_server_misbehaves(served):
    assert growth(served, 15) < 200_000


@pytest.mark.soak
@pytest.mark.usefixtures("_no_logs")
def test_two_thousand_calls_leave_no_memory_behind_when_the_server_misbehaves(served):
    grown = growth(served, 2_000)
    print(f"2,000 calls: {grown} bytes more")
    assert grown < 400_000


def test_connections_are_kept_for_the_next_call(served):
    with FaultServer(a_record()) as server:
        served.client.fire(asking(server.base))
        kept = server.open_connections
        for _ in range(20):
            served.client.fire(asking(server.base))
        assert 0 < server.open_connections == served.fhir_client.open_connections <= max(kept, 11)


def test_the_app_closes_its_connections_when_it_stops(monkeypatch):
    made = Service(monkeypatch)
    with FaultServer(a_record()) as server:
        made.client.fire(asking(server.base))
        assert server.open_connections > 0
        made.client.close()
        until(lambda: server.open_connections == 0)


SEARCHES = [
    Question(Query("any", kind, kind, f"{kind}?patient="), f"{kind}?patient={PATIENT}")
    for kind in KEYS
    if kind != "Patient"
]


@pytest.mark.parametrize("late", [1.0, 0.0, -0.0005])
def test_no_connection_is_lost_when_time_is_up_while_old_ones_are_closed(monkeypatch, late):
    """A cancelled query must not lose the connections that the pool was about to close."""
    monkeypatch.setattr(fhir_client, "_KEEP_SECONDS", 0.05)

    async def ask(client, base, time_left, questions):
        call = parse_request(json.dumps(asking(base)).encode())
        session = await client.session(call, PATIENT, asyncio.get_running_loop().time() + time_left)
        return await asyncio.gather(*(session.answer(question) for question in questions))

    async def play(server, pool):
        client = fhir_client.FHIRClient(open_mode, pool)
        for _ in range(3):
            answers = await ask(client, server.base, 2, SEARCHES[:8])
            assert all(one.reason is None for one in answers)
            await asyncio.sleep(0.1)
            (answer,) = await ask(client, server.base, -late, SEARCHES[:1])
            assert answer.reason == "late"
        await asyncio.sleep(0.1)
        left = server.open_connections - client.open_connections, client.open_connections
        await client.close()
        await asyncio.sleep(0.1)
        return left, server.open_connections

    with FaultServer(a_record(), latency=0.02) as server, ThreadPoolExecutor(1) as pool:
        (lost, kept), after = asyncio.run(play(server, pool))
    assert (max(lost, 0), after) == (0, 0)
    assert kept <= 8
