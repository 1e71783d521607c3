"""Criteria over records.

A record that certainly matches makes a criterion met; otherwise a record that may match, or a need that could not be
read, makes it unknown; otherwise it is not met. Where the *latest* observation is asked, only the newest of each side
is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.domain.criteria.record_tests import Ends, LastEnd, Test, dated_since, last_end, passes
from cds_service.domain.facts import Fact, Finding, Kind
from cds_service.domain.sides import Side, same_side
from cds_service.domain.situation import DONT_KNOW, NO, Answer, Criterion, Moment, Situation
from cds_service.domain.times import Window
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN, Truth

_NOTHING: frozenset[str] = frozenset()


def _open_beside(moments: Iterable[Moment], ends: Ends | None, situation: Situation) -> frozenset[str]:
    """The needs that leave open what a record is compared with: its moments, and the ends of conditions."""
    open_needs = situation.facts.missing(ends.needs) if ends else _NOTHING
    return open_needs.union(*(moment.find(situation).needs for moment in moments))


def _is_unclear(fact: Fact) -> bool:
    """Whether it is the record itself that is not clear, and not only a date."""
    if fact.doubtful or (isinstance(fact, Finding) and not fact.is_readable):
        return True
    return getattr(fact, "active", MET) is UNKNOWN or getattr(fact, "in_use", MET) is UNKNOWN


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
            one = passes(fact, self.tests, situation)
            if one > truth:
                truth, found = one, []
            if one is truth and one is not NOT_MET:
                found.append(fact)
        if truth is MET:
            return Answer(MET, tuple(found))
        missing = facts.missing(self.needs)
        if truth is UNKNOWN:
            missing |= _open_beside(self.moments, self.ends, situation)
            missing |= self.needs if any(_is_unclear(fact) for fact in found) else _NOTHING
        return Answer(UNKNOWN, tuple(found), missing) if missing or truth is UNKNOWN else NO

    def parts(self) -> tuple[Criterion, ...]:
        """A criterion over records has no parts."""
        return ()


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
        sides = each_side(situation.scope.side if self.that_side else None)
        best = max((self._of_side(findings, each, situation) for each in sides), key=lambda a: a.truth)
        if missing:  # a newer one may exist that we could not read
            return Answer(UNKNOWN, best.facts, missing)
        if best.truth is UNKNOWN:
            beside = _open_beside(self.moments, self.ends, situation)
            return best._replace(needs=beside | self.needs if any(map(_is_unclear, best.facts)) else beside)
        return best

    def _of_side(self, findings: list[Finding], side: Side, situation: Situation) -> Answer:
        dated = newest(f for f in findings if same_side(f.side, side))
        if not dated:
            return DONT_KNOW if any(f.when is None and same_side(f.side, side) for f in findings) else NO
        end = last_end(side, self.ends, situation) if self.ends else None
        truths = {self._shown(f, end, situation) for f in dated}
        if len(truths) > 1:
            return Answer(UNKNOWN, dated)
        return Answer(truths.pop(), dated)

    def _shown(self, finding: Finding, end: LastEnd | None, situation: Situation) -> Truth:
        truth = self.window.holds(finding.when, situation.now) if self.window else MET
        if self.since:
            truth = min(truth, dated_since(self.since)(finding, situation))
        if end:
            truth = min(truth, end.is_before(finding.when))
        return truth if truth is NOT_MET else min(truth, passes(finding, self.shows, situation))

    def parts(self) -> tuple[Criterion, ...]:
        """A criterion over records has no parts."""
        return ()


def each_side(side: Side | None) -> tuple[Side, ...]:
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
