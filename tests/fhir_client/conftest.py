"""Fixtures of the tests of one query."""

import asyncio

import pytest
import respx


@pytest.fixture
def naps(monkeypatch):
    """The waits between retries, which take no time here."""
    taken = []
    sleep = asyncio.sleep

    async def nap(seconds, result=None):
        taken.append(seconds)
        return await sleep(0, result)

    monkeypatch.setattr("cds_service.fhir.client.search.asyncio.sleep", nap)
    return taken


@pytest.fixture
def mocked():
    with respx.mock(using="httpcore", assert_all_called=False) as router:
        yield router
