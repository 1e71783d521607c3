"""Tokens are good once: in this process's memory, and in the one that it shares as long as that can be had.

The memory in the database is tested beside the ledger, in `tests/ledger/test_seen_tokens.py`.
"""

import asyncio
import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cds_service.errors import LedgerError, OverloadedError
from cds_service.trust.replay import MemoryReplayStore, SharedOrLocal
from tests.conftest import NOON, Clock

LATER = NOON + dt.timedelta(minutes=5)


def remember(store, jti, client="ehr", until=LATER):
    return asyncio.run(store.remember(client, jti, until))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory(clock):
    return MemoryReplayStore(clock=clock)


def test_a_token_is_new_once(memory):
    assert [remember(memory, "a") for _ in range(3)] == [True, False, False]
    assert remember(memory, "b")


def test_clients_do_not_share_their_tokens(memory):
    assert remember(memory, "a", "ehr")
    assert remember(memory, "a", "other")
    assert remember(memory, "ra", "eh")  # no confusion of where one name ends


def test_a_token_is_forgotten_when_it_has_lapsed_and_not_before(memory, clock):
    assert remember(memory, "a")
    assert remember(memory, "b", until=LATER + dt.timedelta(minutes=5))
    clock.at = LATER - dt.timedelta(seconds=1)
    assert not remember(memory, "a")
    clock.at = LATER
    assert remember(memory, "c", until=LATER + dt.timedelta(minutes=5))
    assert memory.size == 2
    assert not remember(memory, "b")


def test_of_threads_that_bring_the_same_token_one_is_the_first(memory):
    with ThreadPoolExecutor(8) as threads:
        firsts = list(threads.map(lambda number: remember(memory, f"token {number % 50}"), range(400)))
    assert sum(firsts) == 50


def test_a_client_with_too_many_tokens_is_told_to_wait_until_some_have_lapsed(clock):
    memory = MemoryReplayStore(most_per_client=2, clock=clock)
    assert remember(memory, "a")
    assert remember(memory, "b")
    with pytest.raises(OverloadedError):
        remember(memory, "c")
    assert not remember(memory, "a")
    assert remember(memory, "c", "other")
    clock.at = LATER
    assert remember(memory, "c", until=LATER + dt.timedelta(minutes=5))


def test_no_name_of_a_token_stands_in_the_memory(memory):
    remember(memory, "planted-name-of-a-token")
    (seen,) = memory._seen.values()
    assert "planted" not in repr(seen)


# ---- both memories


class Shared:
    """A shared memory that is there, fails, or hangs, as a test says."""

    def __init__(self, clock):
        self.memory = MemoryReplayStore(clock=clock)
        self.fault = None
        self.asked = 0

    async def remember(self, client, jti, until):
        self.asked += 1
        if self.fault == "hangs":
            await asyncio.sleep(30)
        if self.fault == "fails":
            raise LedgerError("the database cannot be had")
        return await self.memory.remember(client, jti, until)


@pytest.fixture
def shared(clock):
    return Shared(clock)


class Ticks:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def process(shared, clock, ticks):
    """Makes what a process has: a memory of its own beside the shared one."""
    return lambda: SharedOrLocal(shared, MemoryReplayStore(clock=clock), patience=0.02, pause=1.0, clock=ticks)


def test_what_one_process_has_seen_another_refuses(process):
    one, other = process(), process()
    assert remember(one, "a")
    assert not remember(other, "a")
    assert one.is_shared
    assert other.is_shared


@pytest.mark.parametrize("fault", ["fails", "hangs"])
def test_while_the_shared_memory_is_away_each_process_goes_by_its_own_and_says_so(process, shared, fault):
    one = process()
    assert remember(one, "before")
    shared.fault = fault
    assert remember(one, "during")
    assert not one.is_shared
    assert not remember(one, "during")
    assert not remember(one, "before")


@pytest.mark.parametrize("fault", ["fails", "hangs"])
def test_what_was_seen_meanwhile_is_refused_when_the_shared_memory_is_back(process, shared, ticks, fault):
    one = process()
    shared.fault = fault
    assert remember(one, "during")
    shared.fault = None
    ticks.now += 1
    assert not remember(one, "during")
    assert remember(one, "after")
    assert one.is_shared
    assert not remember(process(), "after")


def test_a_shared_memory_that_is_away_is_asked_again_after_a_pause_only(process, shared, ticks):
    one = process()
    shared.fault = "fails"
    assert all(remember(one, f"token {number}") for number in range(20))
    assert shared.asked == 1
    ticks.now += 0.9
    assert remember(one, "a")
    assert shared.asked == 1
    ticks.now += 0.1
    assert remember(one, "b")
    assert shared.asked == 2


def test_the_log_says_once_that_it_is_away_and_once_that_it_is_back(process, shared, ticks, caplog):
    one = process()
    for fault in (None, "fails", "fails", "hangs", None, None):
        shared.fault = fault
        remember(one, f"token at {ticks.now}")
        ticks.now += 1
    said = [record.getMessage() for record in caplog.records if record.name == "cds_service.tokens"]
    assert ["not shared" in line for line in said] == [True, False]


def test_nobody_waits_long_for_a_shared_memory_that_hangs(process, shared):
    shared.fault = "hangs"
    one, begun = process(), time.monotonic()
    assert remember(one, "a")
    assert time.monotonic() - begun < 1


def test_a_token_that_comes_twice_at_once_is_good_once_while_the_shared_memory_hangs(process, shared):
    shared.fault = "hangs"
    one = process()

    async def at_once():
        return await asyncio.gather(*(one.remember("ehr", "a", LATER) for _ in range(10)))

    assert sorted(asyncio.run(at_once())) == [False] * 9 + [True]


def test_a_flood_is_held_back_before_the_shared_memory_is_asked(shared, clock, ticks):
    one = SharedOrLocal(shared, MemoryReplayStore(1, clock), clock=ticks)
    assert remember(one, "a")
    with pytest.raises(OverloadedError):
        remember(one, "b")
    assert shared.asked == 1
