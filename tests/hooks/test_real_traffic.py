"""What the public Sandbox really sent, and what others published as hook calls."""

import json
from pathlib import Path

import pytest

from cds_service.errors import RequestError
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.feedback import parse_feedback
from cds_service.hooks.request import parse_request

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures"
pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the recorded traffic is not on this machine")


def recorded(kind):
    """The Sandbox's bodies, as (path of the file, bytes)."""
    for path in sorted((FIXTURES / "sandbox").glob("*.json")):
        exchange = json.loads(path.read_text())
        is_feedback = exchange["path"].endswith("/feedback")
        if "body" in exchange and is_feedback == (kind == "feedback"):
            yield pytest.param(json.dumps(exchange["body"]).encode(), id=path.stem)


def published():
    for path in sorted((FIXTURES / "calls").glob("*/*.json")):
        yield pytest.param(path.read_bytes(), id=path.stem)


def outcome(body):
    """The refusal of a call, None if it is read."""
    try:
        call = parse_request(body)
        parse_context(call.hook, call.context)
    except RequestError as error:
        return error
    return None


@pytest.mark.norm("REQ-1", "REQ-6")
@pytest.mark.parametrize("body", list(recorded("call")))
def test_every_call_of_the_sandbox_is_read(body):
    call = parse_request(body)
    context = parse_context(call.hook, call.context)
    assert context.patient_id == "pat-1"
    assert context.user_id == "Practitioner/COREPRACTITIONER1"


@pytest.mark.norm("FBK-3")
@pytest.mark.parametrize("body", list(recorded("feedback")))
def test_every_report_of_the_sandbox_is_read(body):
    assert parse_feedback(body).feedback


@pytest.mark.norm("REQ-1")
@pytest.mark.parametrize("body", list(published()))
def test_a_published_call_is_read_or_refused_by_name(body):
    assert outcome(body) is None or outcome(body).member
