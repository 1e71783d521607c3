"""Whatever bytes arrive, reading them ends in a value or in one of our own errors."""

import copy
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cds_service.errors import RequestError
from cds_service.hooks.contexts import CONTEXTS, HookContext, parse_context
from cds_service.hooks.feedback import parse_feedback
from cds_service.hooks.request import parse_request

pytestmark = pytest.mark.norm("JSN-1")

CALL = {
    "hook": "order-select",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "fhirServer": "https://ehr.example/fhir",
    "fhirAuthorization": {
        "access_token": "t",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/*.rs",
        "subject": "us",
        "patient": "p",
    },
    "context": {
        "userId": "Practitioner/1",
        "patientId": "p",
        "encounterId": "e",
        "selections": ["ServiceRequest/s"],
        "draftOrders": {"resourceType": "Bundle"},
        "conditions": {"resourceType": "Bundle"},
    },
    "prefetch": {"patient": {"resourceType": "Patient"}, "conditions": None},
    "extension": {"org.example": 1},
}
REPORT = {
    "feedback": [
        {
            "card": "c",
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": "s"}],
            "outcomeTimestamp": "2026-11-22T07:39:36.778Z",
            "overrideReason": {"reason": {"code": "a", "system": "b", "display": "c"}, "userComment": "d"},
        }
    ]
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["", " ", "Patient/1", "Practitioner/../x", "https://a.example:x", "\ud800", "0001-01-01T00:00:00+23:59"]
    )
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def places(value, path=()):
    """Every path into a JSON value."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from places(inner, (*path, key))


def mutated(original):
    """`original` with one to three places replaced, removed or joined by a stranger."""

    def apply(changes):
        result = copy.deepcopy(original)
        for path, kind, value in changes:
            try:
                holder = result
                for key in path[:-1]:
                    holder = holder[key]
                if kind == "remove":
                    del holder[path[-1]]
                else:
                    holder[path[-1]] = value
            except (KeyError, IndexError, TypeError):  # an earlier change took the place away
                continue
        return result

    paths = st.sampled_from([path for path in places(original) if path])
    changes = st.tuples(paths, st.sampled_from(["replace", "remove"]), values)
    return st.lists(changes, min_size=1, max_size=3).map(apply)


def encoded(value):
    return json.dumps(value).encode()


def survives(read, data):
    """Read, and let nothing through but our own errors."""
    try:
        return read(data)
    except RequestError:
        return None


def read_call(data):
    call = parse_request(data)
    return parse_context(call.hook, call.context)


@settings(deadline=None, max_examples=300)
@given(st.binary() | values.map(encoded))
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xef\xbb\xbf{}")
@example(b"[" * 200_000)
@example(b'{"":' * 200_000)
@example(b'{"context": {"a": "\\u')
def test_arbitrary_bytes_end_in_a_value_or_our_error(data):
    survives(read_call, data)
    survives(parse_feedback, data)
    for hook in CONTEXTS:
        survives(lambda raw, hook=hook: parse_context(hook, raw), data)


@settings(deadline=None, max_examples=300)
@given(mutated(CALL).map(encoded), st.sampled_from(sorted(CONTEXTS)))
def test_a_mutated_call_ends_in_a_valid_context_or_our_error(data, hook):
    context = survives(read_call, data.replace(b"order-select", hook.encode()))
    if context is not None:
        assert isinstance(context, HookContext)
        assert context.user_type in context.USER_TYPES
        assert context.patient_id
        assert "/" not in context.patient_id


@settings(deadline=None, max_examples=300)
@given(mutated(REPORT).map(encoded))
def test_a_mutated_report_ends_in_a_value_or_our_error(data):
    survives(parse_feedback, data)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_call_with_a_byte_flipped_or_cut_off_ends_in_a_value_or_our_error(data):
    whole = bytearray(encoded(CALL))
    where = data.draw(st.integers(0, len(whole) - 1))
    whole[where] = data.draw(st.integers(0, 255))
    survives(read_call, bytes(whole))
    survives(read_call, bytes(whole[:where]))
