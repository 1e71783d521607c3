"""Criteria over the call and the patient: the draft being judged, a moment, age, death, the hook."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.domain.criteria.record_tests import Test, passes
from cds_service.domain.situation import NO, YES, Answer, Criterion, Moment, Situation
from cds_service.domain.times import Window, age_at_least
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN

_NOTHING: frozenset[str] = frozenset()


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
        truth = passes(draft, self.tests, situation)
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
