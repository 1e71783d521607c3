"""Thousands of odd requests leave no more memory in use than the first hundreds."""

import gc
import tracemalloc

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from cds_service.ledger import ledger
from tests.api.world import Server, ledger_rows
from tests.fuzz.exchange import Asked, ask
from tests.fuzz.oddities import requests
from tests.fuzz.wire import assert_well, tell

MEGABYTE = 1024 * 1024


def varied(number, largest):
    """So many requests of all kinds, the same each time, none longer than some bytes."""
    made = []

    @settings(
        max_examples=number,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests)
    def keep(asked):
        if sum(map(len, asked.parts)) <= largest:
            made.append(asked)

    keep()
    return made


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.sqlite3"


def test_hundreds_of_odd_requests_leave_no_memory_behind(client_with, file, monkeypatch):
    monkeypatch.setattr(ledger, "_RECENT_CARDS", 20)  # full before anything is measured
    client, asked = client_with(database_url=f"sqlite:///{file}"), varied(150, 20_000)

    def memory_after_all():
        for one in asked:
            ask(client, one)
        ledger_rows(file, "SELECT 1")  # all is delivered
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    memory_after_all()
    tracemalloc.start()
    try:
        before = memory_after_all()
        assert memory_after_all() - before < 60_000
    finally:
        tracemalloc.stop()


@pytest.mark.soak
def test_twenty_thousand_odd_requests_leave_the_process_no_larger(file):
    messages = [one.on_the_wire() for one in varied(500, 50_000) if not one.leaves]
    with Server(CDS_DATABASE_URL=f"sqlite:///{file}", CDS_LOG_LEVEL="warning") as running:

        def megabytes_after(requests_sent):
            for start in range(0, requests_sent, 20):
                first = start % len(messages)
                tell(running, messages[first : first + 20], quiet=0.05)
            assert_well(running)
            return psutil.Process(running.process.pid).memory_info().rss / MEGABYTE

        sizes = [megabytes_after(5_000) for _ in range(5)]
    print(f"megabytes after 5,000 to 25,000 requests: {[round(size, 1) for size in sizes]}")
    assert sizes[-1] - sizes[0] < 20


def test_a_leak_would_be_seen(client):
    """The measure measures: a handler that keeps each request is found out."""
    kept, asked = [], Asked("GET", b"/health/live")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(150):
            ask(client, asked)
            kept.append(bytes(1000))
        assert tracemalloc.get_traced_memory()[0] - before > 60_000
    finally:
        tracemalloc.stop()
