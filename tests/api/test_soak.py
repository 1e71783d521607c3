"""A service that runs for months: the thousandth call finds no more memory in use than the hundredth."""

import asyncio
import gc
import json
import time
import tracemalloc

import pytest

from cds_service.ledger import ledger
from tests.api.world import every_hook, ledger_rows, path_of

CALLS = [(path_of(hook), json.dumps(made).encode()) for hook, made in every_hook().items()]


async def fire(app, path, body):
    """One call straight into the app: no client of ours that could grow."""
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    statuses = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        statuses.append(message.get("status"))

    await app(scope, receive, send)
    assert statuses[0] == 200


async def fire_many(app, number):
    for turn in range(number):
        await fire(app, *CALLS[turn % len(CALLS)])


def growth(client, file, calls):
    """Bytes of Python memory more after some calls, and their way into the ledger, than before them."""

    def memory_after(number):
        client.run(fire_many(client.app, number))
        ledger_rows(file, "SELECT 1")  # all is delivered
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    client.run(fire_many(client.app, 200))
    ledger_rows(file, "SELECT 1")
    tracemalloc.start()
    try:
        before = memory_after(50)
        return memory_after(calls) - before
    finally:
        tracemalloc.stop()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def served(client_with, file, monkeypatch):
    """Remembers few of the last cards, so that these are full before anything is measured."""
    monkeypatch.setattr(ledger, "_RECENT_CARDS", 50)
    return client_with(database_url=f"sqlite:///{file}")


def test_three_hundred_calls_leave_no_memory_behind(served, file):
    assert growth(served, file, 300) < 60_000


@pytest.mark.soak
def test_twenty_thousand_calls_leave_no_memory_behind(served, file):
    start = time.perf_counter()
    grown = growth(served, file, 20_000)
    print(f"20,000 calls: {grown} bytes more, {(time.perf_counter() - start) / 20_000 * 1000:.2f} ms a call, traced")
    assert grown < 200_000


def test_calls_at_the_same_time_do_not_mix(served):
    async def at_once():
        await asyncio.gather(*(fire(served.app, *CALLS[turn % len(CALLS)]) for turn in range(60)))

    served.run(at_once())
