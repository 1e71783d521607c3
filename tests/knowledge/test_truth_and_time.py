"""The laws of the language: truth tables, windows of time in any zone, and that more data never undoes an answer."""

import calendar
import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.domain.criteria import All, AnyOf, NoneOf
from cds_service.domain.facts import Finding, NeedState, PatientFacts, Subject
from cds_service.domain.moments import Extreme, NamedMoment
from cds_service.domain.situation import Answer, Situation
from cds_service.domain.times import Now, When, Window, age_at_least, before, longer_than, parse_when, since
from tests.knowledge.world import (
    LEFT,
    MET,
    NEEDS,
    NOT_MET,
    NOW,
    RIGHT,
    UNKNOWN,
    UNSTATED,
    condition,
    criterion,
    day,
    device,
    done,
    finding,
    judged,
    order,
    patient,
)

TRUTHS = st.sampled_from([MET, NOT_MET, UNKNOWN])
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"]


class Fixed:
    """A criterion that says what a test wants."""

    text = "fixed"

    def __init__(self, truth):
        self.truth = truth

    def answer(self, _):
        return Answer(self.truth, (), frozenset({"something"}) if self.truth is UNKNOWN else frozenset())

    def parts(self):
        return ()


# ---- truth tables


@given(st.lists(TRUTHS, min_size=1, max_size=5))
def test_all_any_and_none_follow_the_tables_of_cql(truths):
    parts, situation = tuple(Fixed(truth) for truth in truths), patient()
    every = NOT_MET if NOT_MET in truths else UNKNOWN if UNKNOWN in truths else MET
    some = MET if MET in truths else UNKNOWN if UNKNOWN in truths else NOT_MET
    none = {MET: NOT_MET, NOT_MET: MET, UNKNOWN: UNKNOWN}[some]
    answers = [kind("", parts).answer(situation) for kind in (All, AnyOf, NoneOf)]
    assert [answer.truth for answer in answers] == [every, some, none]
    for answer in answers:
        assert bool(answer.needs) is (answer.truth is UNKNOWN), "an answer names needs only where it hangs on them"


@pytest.mark.parametrize(("kind", "truth"), [(All, MET), (AnyOf, NOT_MET), (NoneOf, MET)])
def test_nothing_joined_is_the_neutral_answer(kind, truth):
    assert kind("", ()).answer(patient()).truth is truth


@given(TRUTHS)
def test_twice_negated_is_the_same(truth):
    assert truth.negated.negated is truth


# ---- what is decided stays decided when more is read

LINES = [
    "condition: limp",
    "{condition: limp, certainty: confirmed, onset within: a month}",
    "{finding: numbness, at most: weak, newer than the end of: limp}",
    "{latest finding: numbness, at most: weak, newer than the end of: limp}",
    "{latest finding: numbness, recorded: yes}",
    "{falling finding: numbness, by at least: one grade, over at most: a month}",
    "{done: study, since: onset}",
    "{open order: study, since: onset}",
    "in use: brace",
    "{moment: onset, within: a month}",
    "{sides with: limping, are: one}",
    "{sides with: limping, are: [both, not stated]}",
]
SIDES = st.sampled_from([RIGHT, LEFT, UNSTATED])
DAYS = st.integers(0, 60).map(day)
BY_NEED = {
    "problems": st.builds(condition, when=DAYS | st.none(), side=SIDES)
    | st.builds(lambda ended, side: condition(active=NOT_MET, ended=ended, side=side), DAYS, SIDES),
    "findings": st.builds(finding, value=st.integers(0, 5) | st.none(), when=DAYS | st.none(), side=SIDES),
    "procedures": st.builds(done, when=DAYS | st.none(), side=SIDES),
    "orders": st.builds(order, when=DAYS | st.none(), side=SIDES),
    "devices": st.builds(device, side=SIDES),
}


def _onset():
    """The earliest limp; without one, the earliest weak finding."""
    return NamedMoment(
        "onset",
        "",
        (Extreme(criterion("condition: limp")), Extreme(criterion("{finding: numbness, at most: weak}"))),
        Window(365),
    )


@lru_cache
def _compiled(line):
    limping = criterion("any: [{condition: limp, on: that side}, {finding: numbness, at most: weak, on: that side}]")
    return criterion(line, {"limping": limping}, onset=_onset())


@settings(max_examples=300)
@given(st.data(), st.lists(st.sampled_from(LINES), min_size=1, max_size=3), st.sampled_from([All, AnyOf, NoneOf]))
def test_more_data_never_undoes_an_answer(data, lines, kind):
    unread = data.draw(st.sets(st.sampled_from(sorted(BY_NEED))))
    record = {need: data.draw(st.lists(facts, max_size=3)) for need, facts in BY_NEED.items()}
    seen = [fact for need, facts in record.items() for fact in facts if need not in unread]
    everything = [fact for facts in record.values() for fact in facts]
    first = kind("", tuple(_compiled(line) for line in lines)).answer(patient(*seen, unread=unread))
    later = kind("", tuple(_compiled(line) for line in lines)).answer(patient(*everything))
    if first.truth is not UNKNOWN:
        assert later.truth is first.truth
    unclear = {"findings"} if any(isinstance(fact, Finding) and not fact.is_readable for fact in seen) else set()
    assert first.needs <= unread | unclear, "only what was not read, or not understood, is missing"


# ---- windows in days


def _now(zone, at):
    return Now.of(at, ZoneInfo(zone))


INSTANTS = st.integers(1_420_000_000, 1_890_000_000).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC))


@given(st.sampled_from(ZONES), INSTANTS, st.integers(-100_000, 40_000_000), st.integers(0, 400))
def test_a_window_in_days_compares_calendar_days_of_the_site(zone, at, seconds, amount):
    now, then = _now(zone, at), at - dt.timedelta(seconds=seconds)
    when = parse_when(then.isoformat(), now.zone)
    days = (at.astimezone(now.zone).date() - then.astimezone(now.zone).date()).days
    assert Window(amount).holds(when, now) is (MET if 0 <= days <= amount else NOT_MET)
    assert Window(amount).passed(when, now) is (MET if days >= amount else NOT_MET)
    assert longer_than(Window(amount)).passed(when, now) is (MET if days > amount else NOT_MET)


@given(INSTANTS, st.integers(2014, 2030), st.integers(1, 12) | st.none(), st.integers(0, 800))
def test_a_month_or_a_year_decides_a_window_only_when_each_of_its_days_does(at, year, month, amount):
    now = _now("UTC", at)
    months = [month] if month else range(1, 13)
    days = [dt.date(year, m, d) for m in months for d in range(1, calendar.monthrange(year, m)[1] + 1)]
    past = [one for one in days if one <= at.date()] or days  # what is on record has happened
    when = parse_when(f"{year}-{month:02}" if month else str(year), dt.UTC)
    assert Window(amount).holds(when, now) is _each(0 <= (at.date() - one).days <= amount for one in past)
    assert Window(amount).passed(when, now) is _each((at.date() - one).days >= amount for one in days)


def _each(answers):
    found = set(answers)
    return UNKNOWN if len(found) > 1 else MET if found.pop() else NOT_MET


def test_a_missing_date_decides_no_window():
    assert Window(9).holds(None, NOW) is UNKNOWN
    assert Window(9).passed(None, NOW) is UNKNOWN
    assert since(None, day(3)) is since(day(3), None) is before(None, day(3)) is UNKNOWN


@pytest.mark.parametrize(
    ("zone", "at", "then", "days"),
    [
        ("America/New_York", "2026-06-15T02:00:00Z", "2026-06-14T03:59:00Z", 1),
        ("America/New_York", "2026-06-15T02:00:00Z", "2026-06-14T04:00:00Z", 0),
        ("Europe/Berlin", "2026-03-29T21:59:00Z", "2026-03-28T23:00:00Z", 0),
        ("Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-29T21:59:00Z", 1),
        ("UTC", "2026-06-15T00:00:00Z", "2026-06-14T23:59:59+14:00", 1),
    ],
)
def test_an_instant_is_of_the_day_on_which_it_falls_at_the_site(zone, at, then, days):
    now = _now(zone, dt.datetime.fromisoformat(at))
    when = parse_when(then, now.zone)
    assert now.today - when.earliest == days


# ---- windows in hours


@given(st.sampled_from(ZONES), INSTANTS, st.integers(-90_000, 400_000), st.integers(1, 72))
def test_a_window_in_hours_compares_instants(zone, at, seconds, amount):
    now = _now(zone, at)
    when = parse_when((at - dt.timedelta(seconds=seconds)).isoformat(), now.zone)
    assert Window(amount, hours=True).holds(when, now) is (MET if 0 <= seconds <= amount * 3600 else NOT_MET)
    assert Window(amount, hours=True).passed(when, now) is (MET if seconds >= amount * 3600 else NOT_MET)


@settings(max_examples=60)
@given(st.sampled_from(ZONES), INSTANTS, st.integers(-2, 5), st.integers(1, 72))
def test_a_bare_date_decides_a_window_in_hours_only_when_its_whole_day_does(zone, at, ago, amount):
    now = _now(zone, at)
    date = at.astimezone(now.zone).date() - dt.timedelta(days=ago)
    midnight = dt.datetime.combine(date, dt.time(), now.zone).timestamp()
    end = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), now.zone).timestamp()
    # every quarter of an hour of the day and its very ends; of today only what is past
    points = [midnight, *range(int(midnight) + 1, int(end), 900), end]
    past = [one for one in points if one <= now.instant]
    points = [*past, now.instant] if past and end > now.instant else points
    expected = _each(0 <= now.instant - one <= amount * 3600 for one in points)
    assert Window(amount, hours=True).holds(When(date.toordinal(), date.toordinal()), now) is expected


def test_a_day_of_23_hours_is_not_24_hours_long():
    """In Berlin the clocks went forward on 29 March 2026: noon to noon was 23 hours."""
    now = _now("Europe/Berlin", dt.datetime(2026, 3, 29, 12, tzinfo=ZoneInfo("Europe/Berlin")))
    noon_before = parse_when("2026-03-28T12:00:00+01:00", now.zone)
    assert Window(23, hours=True).holds(noon_before, now) is MET
    assert Window(22, hours=True).holds(noon_before, now) is NOT_MET
    assert Window(1).holds(noon_before, now) is MET, "in calendar days it was yesterday"


# ---- since, before, age


@given(st.integers(-50, 50), st.integers(-50, 50))
def test_since_a_day_includes_the_day_itself_and_before_does_not(first, second):
    assert since(day(first), day(second)) is (MET if first <= second else NOT_MET)
    assert before(day(first), day(second)) is (MET if first > second else NOT_MET)


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_since_an_instant_includes_the_instant_itself(first, second):
    whens = [parse_when((NOW.at - dt.timedelta(seconds=s)).isoformat(), dt.UTC) for s in (first, second)]
    assert since(*whens) is (MET if first <= second else NOT_MET)


def test_since_counts_the_whole_day_when_one_of_the_two_is_a_bare_date():
    morning = parse_when("2026-06-15T06:00:00Z", dt.UTC)
    assert since(morning, day(0)) is since(day(0), morning) is MET
    assert since(day(1), morning) is NOT_MET


@given(st.dates(dt.date(1900, 1, 1), dt.date(2025, 1, 1)), st.integers(0, 110), INSTANTS)
def test_a_birthday_comes_once_a_year(born, years, at):
    now = _now("UTC", at)
    today = at.date()
    had = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    assert age_at_least(parse_when(born.isoformat(), dt.UTC), years, now) is (MET if had >= years else NOT_MET)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-15T12:00:00", "2026-06-15"),
        ("2026-06-15", "2026-06-15"),
        ("2026-06", "2026-06"),
        ("2026", "2026"),
        ("2026-02-30", None),
        ("yesterday", None),
        ("0000", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_read_as_exactly_as_it_was_written(text, expected):
    when = parse_when(text, dt.UTC)
    assert (when.text if when else None) == expected


# ---- moments of the language


def test_a_moment_takes_its_first_source_that_knows_a_date():
    both = patient(condition(when=day(30)), finding(value=2, when=day(9)))
    assert _onset().find(both).when == day(30)
    assert _onset().find(patient(condition(), finding(value=2, when=day(9)))).when == day(9)


def test_a_moment_is_open_when_its_first_source_could_not_be_read():
    found = _onset().find(patient(finding(value=2, when=day(9)), unread=["problems"]))
    assert (found.when, found.needs) == (None, {"problems"})
    line = "{done: study, since: onset}"
    unread = patient(finding(value=2, when=day(9)), done(when=day(20)), unread=["problems"])
    answer = criterion(line, onset=_onset()).answer(unread)
    assert (answer.truth, answer.needs) == (UNKNOWN, {"problems"})


def test_a_definition_is_answered_once_for_each_side():
    facts = PatientFacts(Subject(), [condition(side=RIGHT)], dict.fromkeys(NEEDS, NeedState.PRESENT))
    situation = Situation(facts, NOW, "patient-view")
    limping = criterion("{condition: limp, on: that side}")
    assert judged("limping", situation, side=RIGHT, definitions={"limping": limping}) is MET
    assert judged("limping", situation, side=LEFT, definitions={"limping": limping}) is NOT_MET
