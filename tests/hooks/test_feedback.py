"""Reading what users did with our cards."""

import json
from datetime import UTC, datetime

import pytest

from cds_service.errors import InvalidRequestError, NotJSONError, TooLargeError
from cds_service.hooks.feedback import Outcome, parse_feedback
from cds_service.hooks.response import Coding

OVERRIDDEN = {"card": "c-1", "outcome": "overridden", "outcomeTimestamp": "2026-11-22T07:39:40.914Z"}
ACCEPTED = OVERRIDDEN | {"outcome": "accepted", "acceptedSuggestions": [{"id": "s-1"}, {"id": "s-2"}]}


def read(*entries):
    return parse_feedback(json.dumps({"feedback": entries}).encode()).feedback


def refusal(*entries):
    with pytest.raises(InvalidRequestError) as caught:
        read(*entries)
    return caught.value.member, caught.value.problem


def without(entry, member):
    return {name: value for name, value in entry.items() if name != member}


@pytest.mark.norm("FBK-3", "FBK-4", "FBK-5", "FBK-6", "FBK-8")
def test_an_acceptance_is_read():
    (feedback,) = read(ACCEPTED)
    assert feedback.card == "c-1"
    assert feedback.outcome is Outcome.ACCEPTED
    assert feedback.accepted_ids == ("s-1", "s-2")
    assert feedback.outcome_timestamp == datetime(2026, 11, 22, 7, 39, 40, 914000, tzinfo=UTC)


@pytest.mark.norm("FBK-10")
def test_an_override_without_a_reason_is_legal():
    (feedback,) = read(OVERRIDDEN)
    assert feedback.outcome is Outcome.OVERRIDDEN
    assert feedback.override_reason is None
    assert feedback.accepted_ids == ()


@pytest.mark.norm("FBK-3")
def test_one_call_may_report_several_cards():
    assert [feedback.card for feedback in read(ACCEPTED, OVERRIDDEN | {"card": "c-2"})] == ["c-1", "c-2"]


@pytest.mark.norm("FBK-7")
def test_a_reason_may_lack_its_display_and_be_none_of_ours():
    (feedback,) = read(OVERRIDDEN | {"overrideReason": {"reason": {"code": "x", "system": "urn:other"}}})
    assert feedback.override_reason.reason == Coding(system="urn:other", code="x")
    assert feedback.override_reason.user_comment is None


@pytest.mark.norm("FBK-7")
def test_a_reason_may_be_the_users_words_alone():
    (feedback,) = read(OVERRIDDEN | {"overrideReason": {"userComment": "Has one already"}})
    assert feedback.override_reason.user_comment == "Has one already"


def test_the_users_words_are_in_no_repr():
    (feedback,) = read(OVERRIDDEN | {"overrideReason": {"userComment": "Erika Mustermann has one already"}})
    assert "overridden" in repr(feedback)
    assert "Mustermann" not in repr(feedback) + str(feedback.override_reason)


@pytest.mark.norm("FBK-7")
@pytest.mark.parametrize("reason", [{}, {"userComment": " "}, {"reason": None}, {"other": 1}])
def test_a_reason_that_says_nothing_is_refused(reason):
    assert refusal(OVERRIDDEN | {"overrideReason": reason}) == (
        "feedback[0].overrideReason.reason",
        "or userComment is required",
    )


@pytest.mark.norm("FBK-4", "FBK-5", "FBK-8")
@pytest.mark.parametrize("member", ["card", "outcome", "outcomeTimestamp"])
def test_a_missing_member_is_named_with_its_place(member):
    assert refusal(OVERRIDDEN, ACCEPTED, without(OVERRIDDEN, member)) == (f"feedback[2].{member}", "is required")


@pytest.mark.norm("FBK-5", "FBK-6", "FBK-7", "COD-1")
@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"card": " "}, "card"),
        ({"card": 1}, "card"),
        ({"outcome": "ignored"}, "outcome"),
        ({"outcome": "accepted"}, "acceptedSuggestions"),
        ({"outcome": "accepted", "acceptedSuggestions": []}, "acceptedSuggestions"),
        ({"outcome": "accepted", "acceptedSuggestions": [{"id": "a"}, {}]}, "acceptedSuggestions[1].id"),
        ({"outcome": "accepted", "acceptedSuggestions": [{"id": ""}]}, "acceptedSuggestions[0].id"),
        ({"overrideReason": "no"}, "overrideReason"),
        ({"overrideReason": {"reason": {"code": "a"}}}, "overrideReason.reason.system"),
        ({"overrideReason": {"reason": {"code": "", "system": "a"}}}, "overrideReason.reason"),
    ],
)
def test_a_faulty_member_is_named_with_its_place(members, member):
    assert refusal(ACCEPTED, OVERRIDDEN | members)[0] == f"feedback[1].{member}"


@pytest.mark.norm("FBK-8")
@pytest.mark.parametrize(
    "stamp",
    [
        "2026-11-22T07:39:40Z",
        "2026-11-22T07:39:40+00:00",
        "2026-11-22t07:39:40z",
        "2026-11-22T09:39:40.000+02:00",
        "2026-11-21T23:09:40-08:30",
    ],
)
def test_any_offset_is_brought_to_utc(stamp):
    (feedback,) = read(OVERRIDDEN | {"outcomeTimestamp": stamp})
    assert feedback.outcome_timestamp == datetime(2026, 11, 22, 7, 39, 40, tzinfo=UTC)
    assert feedback.outcome_timestamp.tzinfo is UTC


@pytest.mark.norm("FBK-8")
@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T07:39:40",
        "2026-13-22T07:39:40Z",
        1795333480,
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
    ],
)
def test_a_time_without_offset_or_outside_the_calendar_is_refused(stamp):
    assert refusal(OVERRIDDEN | {"outcomeTimestamp": stamp})[0] == "feedback[0].outcomeTimestamp"


@pytest.mark.norm("EXT-1", "EXT-4")
def test_unknown_members_are_ignored():
    assert read(OVERRIDDEN | {"extension": {"x": 1}, "user": "me"}) == read(OVERRIDDEN)


@pytest.mark.norm("JSN-3", "FBK-3")
def test_a_report_of_nothing_is_refused():
    assert refusal() == ("feedback", "is empty")
    with pytest.raises(InvalidRequestError, match=r"^feedback is required$"):
        parse_feedback(b"{}")
    with pytest.raises(InvalidRequestError, match=r"^feedback must be of type array$"):
        parse_feedback(b'{"feedback": {}}')


@pytest.mark.norm("JSN-1")
def test_broken_bodies_are_told_apart():
    with pytest.raises(NotJSONError):
        parse_feedback(b'{"feedback": [')
    with pytest.raises(NotJSONError):
        parse_feedback(b'{"feedback": [], "a": "\xff"}')
    with pytest.raises(TooLargeError):
        parse_feedback(b'{"unknown": ' + b"[" * 100_000)


def test_a_refusal_quotes_nothing_that_was_sent():
    with pytest.raises(InvalidRequestError) as caught:
        read(OVERRIDDEN | {"outcome": "Jane Doe"})
    assert "Doe" not in str(caught.value)
