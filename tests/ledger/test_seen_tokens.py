"""Tokens that were seen, in the database that processes share: SQLite and PostgreSQL."""

import asyncio
import collections
import datetime as dt
import json
import subprocess
import sys

import pytest

from cds_service.errors import LedgerError
from cds_service.ledger import seen_tokens
from cds_service.ledger.seen_tokens import SeenTokens
from cds_service.trust.replay import MemoryReplayStore, SharedOrLocal
from tests.api.world import ROOT
from tests.conftest import NOON, Clock
from tests.ledger.seen_tokens_process import AT_ONCE, TOKENS

LATER = NOON + dt.timedelta(minutes=5)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def process(clock):
    """Makes what one process has of a store's memory, let go after the test."""
    made = []

    def make(store):
        made.append(SeenTokens(store.database(), clock))
        return made[-1]

    yield make
    for one in made:
        one.close()


def remember(seen, jti, client="ehr", until=LATER):
    return asyncio.run(seen.remember(client, jti, until))


@pytest.mark.norm("JWT-12")
def test_a_token_is_new_once_in_whatever_process(store, process):
    one, other = process(store), process(store)
    assert [remember(one, "a"), remember(other, "a"), remember(one, "a")] == [True, False, False]
    assert remember(other, "b")


def test_clients_do_not_share_their_tokens(store, process):
    seen = process(store)
    assert remember(seen, "a", "ehr")
    assert remember(seen, "a", "other")


def test_of_the_same_token_many_times_at_once_one_is_the_first(store, process):
    seen = process(store)

    async def at_once():
        names = [f"token {number % 300}" for number in range(900)]
        return await asyncio.gather(*(seen.remember("ehr", name, LATER) for name in names))

    assert sum(asyncio.run(at_once())) == 300
    assert len(store.rows("seen_token")) == 300


def test_it_keeps_a_hash_and_no_name(store, process):
    remember(process(store), "planted-name-of-a-token")
    (row,) = store.rows("seen_token")
    assert row["until"] == LATER
    assert (len(row["token"]), row["client"]) == (64, "ehr")
    assert "planted" not in repr(row)


@pytest.mark.parametrize("name", ["x" * 256, "Straße 東", "' OR 1=1 --", " "])
def test_any_name_will_do(store, process, name):
    seen = process(store)
    assert remember(seen, name)
    assert not remember(seen, name)


def test_tokens_that_have_lapsed_are_forgotten_and_others_not(store, process, clock):
    seen = process(store)
    remember(seen, "a")
    remember(seen, "b", until=LATER + dt.timedelta(minutes=5))
    clock.at = LATER + dt.timedelta(seconds=1)
    assert seen.prune() == 1
    assert not remember(seen, "b")


def test_lapsed_tokens_are_forgotten_now_and_then_by_themselves(store, process, clock, monkeypatch):
    monkeypatch.setattr(seen_tokens, "_PRUNE_EVERY", 0.0)
    seen = process(store)
    remember(seen, "a")
    clock.at = LATER + dt.timedelta(seconds=1)
    assert remember(seen, "b", until=LATER + dt.timedelta(minutes=5))
    assert [row["until"] for row in store.rows("seen_token")] == [LATER + dt.timedelta(minutes=5)]


def test_a_database_without_tables_gets_them(bare_store, process):
    assert remember(process(bare_store), "a")


def test_a_token_is_noted_even_when_nobody_waits_for_the_answer(store, process):
    seen = process(store)

    async def gives_up():
        asking = asyncio.create_task(seen.remember("ehr", "a", LATER))
        await asyncio.sleep(0)
        asking.cancel()
        return await seen.remember("ehr", "b", LATER)

    assert asyncio.run(gives_up())
    assert not remember(process(store), "a")


# ---- while it cannot be had


def both(seen, patience=5.0):
    return SharedOrLocal(seen, MemoryReplayStore(clock=lambda: NOON), patience, pause=0.0)


@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_down_is_said_to_be_and_costs_no_safety(store, process):
    seen, other = process(store), process(store)
    here = both(seen)
    assert remember(here, "before")
    store.go_down()
    assert remember(here, "during")
    assert not here.is_shared
    assert not remember(here, "during")
    assert not remember(here, "before")
    store.come_back()
    assert not remember(here, "during")
    assert not remember(other, "before")
    assert remember(here, "after")
    assert here.is_shared
    assert not remember(other, "after")


@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_down_is_an_error_of_the_ledger_that_names_no_token(store, process):
    seen = process(store)
    store.go_down()
    with pytest.raises(LedgerError) as refused:
        remember(seen, "planted-name-of-a-token")
    assert "planted" not in str(refused.value)


def test_a_postgresql_that_answers_nothing_holds_up_nobody(postgresql_store, process):
    here = both(process(postgresql_store), patience=0.25)
    assert remember(here, "before")
    with postgresql_store.server.frozen():
        assert remember(here, "during")
        assert not here.is_shared
        assert not remember(here, "during")


def test_what_waits_for_a_database_that_hangs_is_bounded(postgresql_store, process, monkeypatch):
    monkeypatch.setattr(seen_tokens, "_MOST_WAITING", 3)
    seen = process(postgresql_store)

    async def flood():
        asked = (seen.remember("ehr", f"token {number}", LATER) for number in range(10))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(flood())
    assert answers.count(True) == 3
    assert sum(isinstance(answer, LedgerError) for answer in answers) == 7


# ---- two real processes


@pytest.mark.norm("JWT-12")
def test_of_two_processes_under_load_exactly_one_accepts_each_token(bare_store):
    command = [sys.executable, "-m", "tests.ledger.seen_tokens_process", bare_store.url]
    processes = [
        subprocess.Popen([*command, str(seed)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in range(2)
    ]
    for one in processes:
        assert one.stdout.readline() == "ready\n"
    for one in processes:
        one.stdin.write("go\n")
        one.stdin.flush()
    found = [json.loads(one.communicate(timeout=60)[0]) for one in processes]
    assert [one.returncode for one in processes] == [0, 0]
    shared = {f"token {number}": 1 for number in range(TOKENS)}
    of_one = {f"only {seed}: {number}": 1 for seed in range(2) for number in range(AT_ONCE)}
    assert collections.Counter(found[0] + found[1]) == shared | of_one
