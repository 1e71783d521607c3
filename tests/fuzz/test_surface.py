"""Whatever is asked over HTTP: an answer or a refusal, soon, that repeats nothing; never a fault, never silence."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import oddities
from tests.fuzz.exchange import MARK, ask, assert_promises, lines_of

SURFACE = {
    "hook calls": oddities.hook_calls,
    "calls of another hook": oddities.crossed_calls,
    "feedback": oddities.reports,
    "pages and documents": oddities.looks(),
}


@pytest.fixture(autouse=True)
def _nothing_is_counted_by_what_was_sent(client):
    """After each test: no label of a metric holds what a client sent."""
    yield
    assert MARK.lower() not in client.get("/metrics").text.lower()


def fuzz(examples):
    """So many examples; the time of one says nothing on a busy machine."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=quiet)


def assert_each_keeps_its_promises(client, caplog, requests, examples):
    caplog.set_level("DEBUG")

    @fuzz(examples)
    @given(requests)
    def answered(asked):
        caplog.clear()
        assert_promises(asked, ask(client, asked), lines_of(caplog))

    answered()


@pytest.mark.parametrize("kind", SURFACE)
@pytest.mark.norm("RSP-5", "RSP-6")
def test_an_odd_request_is_answered_or_refused_and_nothing_of_it_is_repeated(client, caplog, kind):
    assert_each_keeps_its_promises(client, caplog, SURFACE[kind], 40)


@pytest.mark.soak
@pytest.mark.parametrize("kind", SURFACE)
def test_five_thousand_odd_requests_are_answered_or_refused_and_nothing_of_them_is_repeated(client, caplog, kind):
    assert_each_keeps_its_promises(client, caplog, SURFACE[kind], 5000)
