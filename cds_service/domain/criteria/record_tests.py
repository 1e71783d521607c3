"""Tests of one record: made at load, asked of each record that could decide a criterion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from cds_service.domain.facts import Certainty, Condition, Device, Fact, Finding, Kind, Order, Priority, Refusal, Stage
from cds_service.domain.sides import Side, same_side
from cds_service.domain.situation import Moment, Situation
from cds_service.domain.times import When, Window, before, since
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN, Truth

Test = Callable[[Fact, Situation], Truth]


def passes(fact: Fact, tests: Iterable[Test], situation: Situation) -> Truth:
    """Whether a record passes every test; a doubtful one never certainly."""
    truth = UNKNOWN if fact.doubtful else MET
    for test in tests:
        one = test(fact, situation)
        if one is NOT_MET:
            return NOT_MET
        truth = min(truth, one)
    return truth


class Ends(NamedTuple):
    """The ends of some conditions, and the needs that can show them."""

    concepts: tuple[str, ...]
    needs: frozenset[str]


class LastEnd(NamedTuple):
    """The last of some ends on one side: ``when`` its first and last possible day.

    ``truth`` is what may at best be said of a later day: unknown where an end has no date or may not have been read.
    """

    when: When | None
    truth: Truth

    def is_before(self, when: When | None) -> Truth:
        """Whether it lies on an earlier day: then every one of the ends does."""
        return min(self.truth, before(self.when, when)) if self.when else self.truth


def last_end(side: Side, ends: Ends, situation: Situation) -> LastEnd:
    """The last end of these conditions on a side; worked out once a call."""
    key = ("last end", side, id(ends))
    kept = situation.kept.get(key)
    if not isinstance(kept, LastEnd):
        kept = situation.kept[key] = _last_end(side, ends, situation)
    return kept


def _last_end(side: Side, ends: Ends, situation: Situation) -> LastEnd:
    truth = UNKNOWN if situation.facts.missing(ends.needs) else MET
    ended = [
        fact.ended
        for fact in situation.facts.of(Kind.CONDITION, ends.concepts)
        if isinstance(fact, Condition) and fact.active is not MET and same_side(fact.side, side)
    ]
    known = [end for end in ended if end is not None]
    if len(known) < len(ended):
        truth = UNKNOWN
    if not known:
        return LastEnd(None, truth)
    return LastEnd(When(max(end.earliest for end in known), max(end.latest for end in known)), truth)


def is_active(fact: Fact, _: Situation) -> Truth:
    """The condition is active (gate G3)."""
    return fact.active if isinstance(fact, Condition) else NOT_MET


def is_not_active(fact: Fact, _: Situation) -> Truth:
    """The condition is resolved, inactive or in remission."""
    return fact.active.negated if isinstance(fact, Condition) else NOT_MET


def has_certainty(certainty: Certainty) -> Test:
    """The condition is confirmed, or only suspected (gate G4)."""

    def test(fact: Fact, _: Situation) -> Truth:
        return MET if isinstance(fact, Condition) and fact.certainty is certainty else NOT_MET

    return test


def has_severity(concepts: frozenset[str]) -> Test:
    """The condition states this severity."""

    def test(fact: Fact, _: Situation) -> Truth:
        return MET if isinstance(fact, Condition) and fact.severity & concepts else NOT_MET

    return test


def states_cause(wanted: bool, apart_from: frozenset[str]) -> Test:
    """The condition names what caused it, other than the concepts set apart."""

    def test(fact: Fact, _: Situation) -> Truth:
        stated = isinstance(fact, Condition) and fact.has_cause and not fact.causes & apart_from
        return MET if stated is wanted else NOT_MET

    return test


def caused_by(concepts: frozenset[str]) -> Test:
    """The condition names one of these as its cause."""

    def test(fact: Fact, _: Situation) -> Truth:
        return MET if isinstance(fact, Condition) and fact.causes & concepts else NOT_MET

    return test


def dated(window: Window) -> Test:
    """The record's own date lies within a window before now."""

    def test(fact: Fact, situation: Situation) -> Truth:
        if isinstance(fact, Order) and fact.in_call:
            return MET
        return _missing_fails(fact, window.holds(fact.when, situation.now))

    return test


def lasting(window: Window) -> Test:
    """The record's own date lies at least a window ago."""

    def test(fact: Fact, situation: Situation) -> Truth:
        return _missing_fails(fact, window.passed(fact.when, situation.now))

    return test


def recorded_within(window: Window) -> Test:
    """The condition was recorded, or began, within a window before now."""

    def test(fact: Fact, situation: Situation) -> Truth:
        dates = [d for d in (fact.when, getattr(fact, "recorded", None)) if d is not None]
        return max((window.holds(d, situation.now) for d in dates), default=NOT_MET)

    return test


def dated_since(moment: Moment) -> Test:
    """The record is dated on or after a moment. Drafts of this call are written now; a missing date never counts."""

    def test(fact: Fact, situation: Situation) -> Truth:
        if isinstance(fact, Order) and fact.in_call:
            return MET
        if fact.when is None:
            return NOT_MET
        found = moment.find(situation, for_look_back=True)
        return UNKNOWN if found.needs else since(fact.when, found.when)

    return test


def _missing_fails(fact: Fact, truth: Truth) -> Truth:
    """A missing date never satisfies a window that needs one."""
    return NOT_MET if fact.when is None else truth


def shows_number(low: float | None, high: float | None, *, below: float | None = None) -> Test:
    """The observed number lies in [low, high], or below a bound. Unreadable values are unknown."""

    def test(fact: Fact, _: Situation) -> Truth:
        number = fact.number if isinstance(fact, Finding) else None
        if number is None:
            return UNKNOWN
        holds = (low is None or number >= low) and (high is None or number <= high)
        return MET if holds and (below is None or number < below) else NOT_MET

    return test


def shows_value(concepts: frozenset[str]) -> Test:
    """The observed answer is one of these. Unreadable values are unknown."""

    def test(fact: Fact, _: Situation) -> Truth:
        if not isinstance(fact, Finding) or not fact.is_readable:
            return UNKNOWN
        return MET if fact.values & concepts else NOT_MET

    return test


def is_legible(fact: Fact, _: Situation) -> Truth:
    """The observation was made, whatever it showed."""
    return MET if isinstance(fact, Finding) else NOT_MET


def means(concepts: frozenset[str]) -> Test:
    """The record's own code is one of these."""

    def test(fact: Fact, _: Situation) -> Truth:
        return MET if fact.concepts & concepts else NOT_MET

    return test


def means_none_of(concepts: frozenset[str]) -> Test:
    """The record's own code is none of these."""

    def test(fact: Fact, _: Situation) -> Truth:
        return NOT_MET if fact.concepts & concepts else MET

    return test


def newer_than_end(ends: Ends) -> Test:
    """The observation is of a later day than every end of these conditions on its side."""

    def test(fact: Fact, situation: Situation) -> Truth:
        return last_end(fact.side, ends, situation).is_before(fact.when)

    return test


def is_other_order(fact: Fact, situation: Situation) -> Truth:
    """An order other than the draft being judged: drafts of this call count as open."""
    return NOT_MET if fact is situation.scope.draft else MET


def is_earlier_order(fact: Fact, _: Situation) -> Truth:
    """An order that stood before this call's drafts: open on the record, or a draft this call does not judge."""
    if not isinstance(fact, Order) or fact.judged:
        return NOT_MET
    return MET if fact.in_call or fact.stage is Stage.OPEN else NOT_MET


def is_judged_draft(fact: Fact, _: Situation) -> Truth:
    """A draft order that this call is about."""
    return MET if isinstance(fact, Order) and fact.judged else NOT_MET


def has_priority(least: Priority) -> Test:
    """The order is at least this urgent."""

    def test(fact: Fact, _: Situation) -> Truth:
        return MET if isinstance(fact, Order) and fact.priority >= least else NOT_MET

    return test


def given_for(concepts: frozenset[str], *, or_no_reason: bool = False) -> Test:
    """The order's reason is one of these, or optionally blank. Words without a code are no such reason."""

    def test(fact: Fact, _: Situation) -> Truth:
        if not isinstance(fact, Order):
            return NOT_MET
        if fact.reasons & concepts:
            return MET
        if not fact.states_reason:
            return MET if or_no_reason else NOT_MET
        return NOT_MET

    return test


def planned_before(moments: tuple[Moment, ...], window: Window) -> Test:
    """The order is planned earlier than the latest of these moments plus a window; no planned date means today."""

    def test(fact: Fact, situation: Situation) -> Truth:
        planned = fact.planned if isinstance(fact, Order) else None
        day = planned.latest if planned else situation.now.today
        first = planned.earliest if planned else situation.now.today
        known = [w for w in (m.find(situation).when for m in moments) if w is not None]
        if not known:
            return NOT_MET  # onset unknown: a rule that needs a date does not fire
        due_first = max(w.earliest for w in known) + window.amount
        due_last = max(w.latest for w in known) + window.amount
        if day < due_first:
            return MET
        return NOT_MET if first >= due_last else UNKNOWN

    return test


def replaces_another(wanted: bool) -> Test:
    """The order says that it replaces an earlier one."""

    def test(fact: Fact, _: Situation) -> Truth:
        return MET if (isinstance(fact, Order) and fact.replaces) is wanted else NOT_MET

    return test


def says_why(fact: Fact, _: Situation) -> Truth:
    """The refusal gives a reason, be it only in words."""
    return MET if isinstance(fact, Refusal) and fact.states_reason else NOT_MET


def is_in_use(fact: Fact, _: Situation) -> Truth:
    """The device is in use now."""
    return fact.in_use if isinstance(fact, Device) else NOT_MET


def stopped_within(window: Window) -> Test:
    """The device was used and given up within a window before now."""

    def test(fact: Fact, situation: Situation) -> Truth:
        if not isinstance(fact, Device) or fact.in_use is MET or fact.until is None:
            return NOT_MET
        return window.holds(fact.until, situation.now)

    return test
