"""The closed set of criteria. Each answers met, not met or unknown, with the facts that decided it.

Every criterion over records follows one rule: a record that certainly matches makes it met; otherwise a record that may
match, or a need that could not be read, makes it unknown; otherwise it is not met. ``Quantity`` criteria over the
*latest* observation judge only the newest one of each side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cds_service.domain.facts import (
    Certainty,
    Condition,
    Device,
    Fact,
    Finding,
    Kind,
    Order,
    Priority,
    Stage,
)
from cds_service.domain.sides import Side, same_side
from cds_service.domain.situation import DONT_KNOW, NO, YES, Answer, Criterion, Moment, Situation
from cds_service.domain.times import Window, age_at_least, before, since
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN, Truth

Test = Callable[[Fact, Situation], Truth]
_NOTHING: frozenset[str] = frozenset()


# ---- joining criteria


@dataclass(slots=True)
class All:
    """Every part must hold: CQL ``and``. Stops at the first part that is not met."""

    text: str
    criteria: tuple[Criterion, ...]

    def answer(self, situation: Situation) -> Answer:
        """Judge the parts in order."""
        truth, facts, needs = MET, (), _NOTHING  # type: Truth, tuple[Fact, ...], frozenset[str]
        for criterion in self.criteria:
            part = criterion.answer(situation)
            if part.truth is NOT_MET:
                return NO
            if part.truth is UNKNOWN:
                truth = UNKNOWN
                needs |= part.needs
            facts += part.facts
        return Answer(truth, facts, needs)

    def parts(self) -> tuple[Criterion, ...]:
        """The joined criteria."""
        return self.criteria


@dataclass(slots=True)
class AnyOf:
    """At least one part must hold: CQL ``or``. Looks at all parts, so that every supporting fact is known."""

    text: str
    criteria: tuple[Criterion, ...]

    def answer(self, situation: Situation) -> Answer:
        """Judge all parts."""
        truth, facts, needs = NOT_MET, (), _NOTHING  # type: Truth, tuple[Fact, ...], frozenset[str]
        for criterion in self.criteria:
            part = criterion.answer(situation)
            if part.truth is NOT_MET:
                continue
            if part.truth > truth:
                truth, facts = part.truth, part.facts
            elif part.truth is truth:
                facts += part.facts
            needs |= part.needs
        return Answer(truth, facts, _NOTHING if truth is MET else needs)

    def parts(self) -> tuple[Criterion, ...]:
        """The joined criteria."""
        return self.criteria


@dataclass(slots=True)
class NoneOf:
    """No part may hold: CQL ``not (a or b)``. None over data that could not be read is unknown."""

    text: str
    criteria: tuple[Criterion, ...]

    def answer(self, situation: Situation) -> Answer:
        """Judge the parts until one is met."""
        truth, needs = MET, _NOTHING  # type: Truth, frozenset[str]
        for criterion in self.criteria:
            part = criterion.answer(situation)
            if part.truth is MET:
                return NO
            if part.truth is UNKNOWN:
                truth = UNKNOWN
                needs |= part.needs
        return Answer(truth, (), needs)

    def parts(self) -> tuple[Criterion, ...]:
        """The criteria that must not hold."""
        return self.criteria


@dataclass(slots=True)
class Definition:
    """A named clinical definition, answered once per call, side and draft."""

    text: str
    name: str
    body: Criterion

    def answer(self, situation: Situation) -> Answer:
        """The kept answer, or the body's."""
        key = situation.key(self.name)
        kept = situation.kept.get(key)
        if kept is None:
            kept = situation.kept[key] = self.body.answer(situation)
        return kept  # type: ignore[return-value]  # only answers are kept under a definition's name

    def parts(self) -> tuple[Criterion, ...]:
        """What the name stands for."""
        return (self.body,)


# ---- criteria over records


class Ends(NamedTuple):
    """The ends of some conditions, and the needs that can show them."""

    concepts: tuple[str, ...]
    needs: frozenset[str]


def _open_beside(moments: Iterable[Moment], ends: Ends | None, situation: Situation) -> frozenset[str]:
    """The needs that leave open what a record is compared with: its moments, and the ends of conditions."""
    open_needs = situation.facts.missing(ends.needs) if ends else _NOTHING
    return open_needs.union(*(moment.find(situation).needs for moment in moments))


@dataclass(slots=True)
class Records:
    """Some record of one kind and concept that passes every test. ``that_side`` asks for the side being judged."""

    text: str
    kind: Kind
    concepts: tuple[str, ...]
    needs: frozenset[str]
    tests: tuple[Test, ...] = ()
    that_side: bool = False
    moments: tuple[Moment, ...] = ()
    ends: Ends | None = None

    def answer(self, situation: Situation) -> Answer:
        """Judge each candidate record, then what could not be read."""
        side = situation.scope.side if self.that_side else None
        facts = situation.facts
        found: list[Fact] = []
        truth = NOT_MET
        for fact in facts.of(self.kind, self.concepts):
            if side is not None and not same_side(fact.side, side):
                continue
            one = _judge(fact, self.tests, situation)
            if one > truth:
                truth, found = one, []
            if one is truth and one is not NOT_MET:
                found.append(fact)
        if truth is MET:
            return Answer(MET, tuple(found))
        missing = facts.missing(self.needs)
        if truth is UNKNOWN:
            missing |= _open_beside(self.moments, self.ends, situation)
        return Answer(UNKNOWN, tuple(found), missing) if missing or truth is UNKNOWN else NO

    def parts(self) -> tuple[Criterion, ...]:
        """A criterion over records has no parts."""
        return ()


def _judge(fact: Fact, tests: Iterable[Test], situation: Situation) -> Truth:
    truth = UNKNOWN if fact.doubtful else MET
    for test in tests:
        one = test(fact, situation)
        if one is NOT_MET:
            return NOT_MET
        truth = min(truth, one)
    return truth


@dataclass(slots=True)
class Latest:
    """The latest observation of a kind, per side, and what it must show. Undated observations never count as latest."""

    text: str
    concepts: tuple[str, ...]
    needs: frozenset[str]
    shows: tuple[Test, ...]
    window: Window | None = None
    ends: Ends | None = None
    that_side: bool = False
    since: Moment | None = None

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The moment it looks back to."""
        return (self.since,) if self.since else ()

    def answer(self, situation: Situation) -> Answer:
        """Judge the newest observation of the side, or of each side."""
        missing = situation.facts.missing(self.needs)
        findings = [f for f in situation.facts.of(Kind.FINDING, self.concepts) if isinstance(f, Finding)]
        if not findings:
            return Answer(UNKNOWN, (), missing) if missing else NO
        sides = _each_side(situation.scope.side if self.that_side else None)
        best = max((self._of_side(findings, each, situation) for each in sides), key=lambda a: a.truth)
        if missing:  # a newer one may exist that we could not read
            return Answer(UNKNOWN, best.facts, missing)
        if best.truth is UNKNOWN:
            return best._replace(needs=_open_beside(self.moments, self.ends, situation))
        return best

    def _of_side(self, findings: list[Finding], side: Side, situation: Situation) -> Answer:
        dated = newest(f for f in findings if same_side(f.side, side))
        if not dated:
            return DONT_KNOW if any(f.when is None and same_side(f.side, side) for f in findings) else NO
        truths = {self._shown(f, side, situation) for f in dated}
        if len(truths) > 1:
            return Answer(UNKNOWN, dated)
        return Answer(truths.pop(), dated)

    def _shown(self, finding: Finding, side: Side, situation: Situation) -> Truth:
        truth = self.window.holds(finding.when, situation.now) if self.window else MET
        if self.since:
            truth = min(truth, dated_since(self.since)(finding, situation))
        if truth is not NOT_MET and self.ends:
            truth = min(truth, _newer_than_end(finding, side, self.ends, situation))
        return truth if truth is NOT_MET else min(truth, _judge(finding, self.shows, situation))

    def parts(self) -> tuple[Criterion, ...]:
        """A criterion over records has no parts."""
        return ()


def _each_side(side: Side | None) -> tuple[Side, ...]:
    """The sides to look at one by one: the one being judged, or both where it is both, any, or not stated."""
    return (side,) if side in (Side.RIGHT, Side.LEFT) else (Side.RIGHT, Side.LEFT)


def newest(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that may be the newest: one, or several where the dates do not tell."""
    dated = [f for f in findings if f.when is not None]
    if len(dated) < 2:
        return tuple(dated)
    last_day = max(f.when.earliest for f in dated if f.when)
    contenders = [f for f in dated if f.when and f.when.latest >= last_day]
    instants = [f.when.instant for f in contenders if f.when and f.when.instant is not None]
    if len(instants) == len(contenders):
        return tuple(f for f in contenders if f.when and f.when.instant == max(instants))
    return tuple(contenders)


def _newer_than_end(finding: Fact, side: Side, ends: Ends, situation: Situation) -> Truth:
    """Whether the finding is of a later day than every end of these conditions on that side, also one not read."""
    truth = UNKNOWN if situation.facts.missing(ends.needs) else MET
    for fact in situation.facts.of(Kind.CONDITION, ends.concepts):
        if isinstance(fact, Condition) and same_side(fact.side, side) and fact.active is not MET:
            truth = min(truth, before(fact.ended, finding.when))
    return truth


@dataclass(slots=True)
class Falling:
    """The latest observation lies lower than an earlier one, with no recovery between them."""

    text: str
    concepts: tuple[str, ...]
    needs: frozenset[str]
    by_at_least: float
    over_at_most: Window
    latest_within: Window | None = None
    both_within: Window | None = None
    that_side: bool = False

    def answer(self, situation: Situation) -> Answer:
        """Compare the latest examination with those before it, side by side."""
        sides = _each_side(situation.scope.side if self.that_side else None)
        best = max((self._of_side(each, situation) for each in sides), key=lambda a: a.truth)
        missing = situation.facts.missing(self.needs)
        return Answer(UNKNOWN, best.facts, missing) if missing else best

    def _of_side(self, side: Side, situation: Situation) -> Answer:
        if not _is_series_clear(self.concepts, side, situation):
            return DONT_KNOW
        pair = find_fall(self, side, situation)
        if pair is None:
            return NO
        earlier, _, latest = pair
        truth = MET
        if self.latest_within:
            truth = min(truth, self.latest_within.holds(latest.when, situation.now))
        if self.both_within:
            truth = min(truth, self.both_within.holds(earlier.when, situation.now))
        return Answer(truth, (earlier, latest) if truth is not NOT_MET else ())

    def parts(self) -> tuple[Criterion, ...]:
        """A criterion over records has no parts."""
        return ()


def find_fall(fall: Falling, side: Side, situation: Situation) -> tuple[Finding, Finding, Finding] | None:
    """The last examination before the fall, the first after it, and the latest: None where there is no fall."""
    series = [
        f
        for f in situation.facts.of(Kind.FINDING, fall.concepts)
        if isinstance(f, Finding) and f.when and f.number is not None and not f.doubtful and same_side(f.side, side)
    ]
    series.sort(key=lambda f: situation.now.day_span(f.when)[1] if f.when else 0.0)
    if len(series) < 2:
        return None
    latest = series[-1]
    for index in range(len(series) - 2, -1, -1):
        earlier = series[index]
        if _value(earlier) < _value(latest):
            return None  # it has recovered since: not getting worse
        if _apart(earlier, latest) > fall.over_at_most.amount:
            return None
        if _value(earlier) - _value(latest) >= fall.by_at_least:
            after = next(f for f in series[index + 1 :] if _value(earlier) - _value(f) >= fall.by_at_least)
            return earlier, after, latest
    return None


def _is_series_clear(concepts: tuple[str, ...], side: Side, situation: Situation) -> bool:
    """Whether it is certain which examination is the latest, and what it showed. Undated ones are passed over."""
    dated = [
        f for f in situation.facts.of(Kind.FINDING, concepts) if isinstance(f, Finding) and same_side(f.side, side)
    ]
    latest = newest(dated)
    return len({f.number for f in latest}) < 2 and all(f.number is not None and not f.doubtful for f in latest)


def _value(finding: Finding) -> float:
    return finding.number if finding.number is not None else 0.0


def _apart(earlier: Finding, latest: Finding) -> int:
    if earlier.when is None or latest.when is None:
        return 0
    return latest.when.latest - earlier.when.earliest


# ---- criteria over the call and the patient


_PATTERNS = frozenset((Side.UNSPECIFIED, Side.RIGHT, Side.LEFT, Side.BOTH))


@dataclass(slots=True)
class SidesWith:
    """Which sides a definition holds on: both, one, or not stated."""

    text: str
    definition: Criterion
    wanted: frozenset[Side]

    def answer(self, situation: Situation) -> Answer:
        """Judge the definition for each side."""
        sides, facts, open_sides, needs = affected_sides(self.definition, situation)
        pattern = Side.BOTH if len(sides) == 2 else (sides[0] if sides else None)
        possible: set[Side | None] = {pattern}
        if not open_sides and self._holds_unnamed(sides, situation):  # what was not read may name that side
            needs = situation.facts.missing(_needs_inside(self.definition))
        if open_sides or needs:
            possible |= {Side.BOTH} if pattern in (Side.RIGHT, Side.LEFT) else _PATTERNS
        if possible <= self.wanted:
            return Answer(MET, facts)
        return Answer(UNKNOWN, facts, needs) if possible & self.wanted else NO

    def _holds_unnamed(self, named: tuple[Side, ...], situation: Situation) -> bool:
        """Whether it holds on a side that no record names."""
        others = (side for side in (Side.RIGHT, Side.LEFT) if side not in named)
        scope = situation.scope
        return any(
            self.definition.answer(situation.narrowed(scope._replace(side=side))).truth is MET for side in others
        )

    def parts(self) -> tuple[Criterion, ...]:
        """The definition judged on each side."""
        return (self.definition,)


def _needs_inside(criterion: Criterion) -> frozenset[str]:
    """Every need that a criterion or a part of it can hang on."""
    own: frozenset[str] = getattr(criterion, "needs", _NOTHING)
    return own.union(*(_needs_inside(part) for part in criterion.parts()))


class AffectedSides(NamedTuple):
    """The sides on which a definition is met, with its facts; those on which it is unknown, with the needs for them."""

    sides: tuple[Side, ...]
    facts: tuple[Fact, ...]
    open_sides: tuple[Side, ...]
    needs: frozenset[str]


def affected_sides(definition: Criterion, situation: Situation) -> AffectedSides:
    """On which sides a definition is met, and on which it is unknown.

    A side counts when a fact names it. Facts that name no side make the one side "not stated", unless another fact
    names the side meant.
    """
    sides: list[Side] = []
    open_sides: list[Side] = []
    facts: tuple[Fact, ...] = ()
    unnamed: tuple[Fact, ...] = ()
    needs = _NOTHING
    for side in (Side.RIGHT, Side.LEFT):
        answer = definition.answer(situation.narrowed(situation.scope._replace(side=side)))
        if answer.truth is MET and any(fact.side & side for fact in answer.facts):
            sides.append(side)
            facts += answer.facts
        elif answer.truth is MET:
            unnamed = answer.facts
        elif answer.truth is UNKNOWN:
            open_sides.append(side)
            needs |= answer.needs
    if unnamed and not sides:
        return AffectedSides((Side.UNSPECIFIED,), unnamed, tuple(open_sides), needs)
    return AffectedSides(tuple(sides), facts, tuple(open_sides), needs)


@dataclass(slots=True)
class ThatDraft:
    """A test of the draft order being judged."""

    text: str
    tests: tuple[Test, ...]
    moments: tuple[Moment, ...] = ()

    def answer(self, situation: Situation) -> Answer:
        """Judge the draft in scope; a moment that could not be looked up leaves it unknown."""
        draft = situation.scope.draft
        if draft is None:
            return NO
        truth = _judge(draft, self.tests, situation)
        if truth is not MET and self.moments:
            unread = [found.needs for m in self.moments if (found := m.find(situation)).when is None and found.needs]
            if unread:
                return Answer(UNKNOWN, (draft,), _NOTHING.union(*unread))
        return NO if truth is NOT_MET else Answer(truth, (draft,))

    def parts(self) -> tuple[Criterion, ...]:
        """A test of the draft has no parts."""
        return ()


@dataclass(slots=True)
class AtMoment:
    """A moment of this patient's course lies within a window before now, or at least a window ago."""

    text: str
    moment: Moment
    within: Window | None = None
    at_least: Window | None = None

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The moment it speaks of."""
        return (self.moment,)

    def answer(self, situation: Situation) -> Answer:
        """Judge the moment; one that is not on record never satisfies a window."""
        found = self.moment.find(situation)
        if found.when is None:
            return Answer(UNKNOWN, (), found.needs) if found.needs else NO
        truth = MET
        if self.within:
            truth = min(truth, self.within.holds(found.when, situation.now))
        if self.at_least:
            truth = min(truth, self.at_least.passed(found.when, situation.now))
        return NO if truth is NOT_MET else Answer(truth, found.facts)

    def parts(self) -> tuple[Criterion, ...]:
        """It has no parts."""
        return ()


@dataclass(slots=True)
class Age:
    """The patient's age in completed years."""

    text: str
    needs: frozenset[str]
    at_least: int | None = None
    under: int | None = None

    def answer(self, situation: Situation) -> Answer:
        """Judge by the date of birth; without one it is unknown."""
        subject = situation.facts.subject
        if subject is None or subject.birth is None:
            return Answer(UNKNOWN, (), self.needs)
        if self.at_least is not None:
            truth = age_at_least(subject.birth, self.at_least, situation.now)
        else:
            truth = age_at_least(subject.birth, self.under or 0, situation.now).negated
        return Answer(truth)

    def parts(self) -> tuple[Criterion, ...]:
        """Age has no parts."""
        return ()


@dataclass(slots=True)
class Deceased:
    """The patient has died."""

    text: str
    needs: frozenset[str]

    def answer(self, situation: Situation) -> Answer:
        """Judge by the Patient resource."""
        subject = situation.facts.subject
        return Answer(UNKNOWN, (), self.needs) if subject is None else Answer(subject.deceased)

    def parts(self) -> tuple[Criterion, ...]:
        """It has no parts."""
        return ()


@dataclass(slots=True)
class AtHook:
    """The call comes from one of these hooks."""

    text: str
    hooks: frozenset[str]

    def answer(self, situation: Situation) -> Answer:
        """Compare the call's hook."""
        return YES if situation.hook in self.hooks else NO

    def parts(self) -> tuple[Criterion, ...]:
        """It has no parts."""
        return ()


# ---- tests of one record, made at load


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
        return _newer_than_end(fact, fact.side, ends, situation)

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
