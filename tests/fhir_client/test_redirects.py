"""Redirects: followed on the same server only."""

import pytest

from cds_service.domain.facts import GapReason, NeedState
from tests.fhir_client.mocked import told
from tests.fhir_client.world import SEARCH, TOKEN, asked, bundle, condition, reply


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_when_it_stays_inside(status):
    answer, seen = asked(reply(status=status, location="/fhir/moved/Condition?x=1"), bundle(condition()))
    assert answer.state("Condition") is NeedState.PRESENT
    assert [one.target for one in seen] == [f"/fhir/{SEARCH}&_count=200", "/fhir/moved/Condition?x=1"]
    assert [one.header("authorization") for one in seen] == [f"Bearer {TOKEN}"] * 2
    assert [one.header("prefer") for one in seen] == ["handling=strict"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/fhir/Condition",
        "http://10.0.0.1/fhir/Condition",
        "http://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1/fhir/Condition",
        "//evil.test/fhir/Condition",
        "/admin",
        "../admin",
        "/fhir-evil/Condition",
        "http://[broken",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_is_not_followed_when_it_leads_away(location):
    answer, seen = asked(reply(status=302, location=location))
    assert told(answer) == (NeedState.FAILED, GapReason.UNSAFE)
    assert len(seen) == 1


def test_a_redirect_is_not_followed_when_there_were_too_many():
    answer, seen = asked(lambda one: reply(status=302, location=f"/fhir/moved{len(one.target)}"), redirects=3)
    assert told(answer) == (NeedState.FAILED, GapReason.SERVER_ERROR)
    assert len(seen) == 4


@pytest.mark.parametrize("headers", [{}, {"location": ""}])
def test_a_redirect_is_a_failure_when_it_does_not_say_where(headers):
    answer, seen = asked(reply(status=302, **headers))
    assert told(answer) == (NeedState.FAILED, GapReason.SERVER_ERROR)
    assert len(seen) == 1


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_a_posted_search_becomes_a_get_after_a_redirect_that_says_so(status, method):
    answer, seen = asked(reply(status=status, location="/fhir/found/9f0c"), bundle(condition()), url=10)
    assert answer.state("Condition") is NeedState.PRESENT
    assert [(one.method, one.path) for one in seen] == [
        ("POST", "/fhir/Condition/_search"),
        (method, "/fhir/found/9f0c"),
    ]
    assert seen[1].body == (seen[0].body if method == "POST" else b"")
    assert seen[1].header("content-type") == (seen[0].header("content-type") if method == "POST" else None)
