"""Named points in time of a patient's course: an onset, a recording, a fall in strength.

Each moment says how it is found and what stands in for it in a look-back where it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cds_service.domain.criteria import Falling, Records, find_fall
from cds_service.domain.facts import Condition, Fact
from cds_service.domain.sides import Side
from cds_service.domain.situation import Moment, MomentAnswer, Situation
from cds_service.domain.times import When, Window
from cds_service.domain.truth import MET


class Source(Protocol):
    """One way to find a moment."""

    def find(self, situation: Situation) -> MomentAnswer:
        """The moment by this way, or nothing."""
        ...


DateOf = Callable[[Fact], When | None]


def onset_of(fact: Fact) -> When | None:
    """The record's own date: the onset of a condition, the day of an examination."""
    return fact.when


def recording_of(fact: Fact) -> When | None:
    """When the condition was recorded; its onset where that is not stated."""
    return (fact.recorded or fact.when) if isinstance(fact, Condition) else fact.when


@dataclass(slots=True)
class Extreme:
    """The earliest or latest date among the records that certainly match."""

    records: Records
    date_of: DateOf = onset_of
    latest: bool = False

    def find(self, situation: Situation) -> MomentAnswer:
        """Pick the date; records without one are passed over."""
        answer = self.records.answer(situation)
        if answer.truth is not MET:
            return MomentAnswer(None, (), answer.needs)
        dated = [(when, fact) for fact in answer.facts if (when := self.date_of(fact)) is not None]
        if not dated:
            return MomentAnswer(None, answer.facts)
        pick = max if self.latest else min
        when, fact = pick(dated, key=lambda pair: (pair[0].earliest, pair[0].instant or 0.0))
        return MomentAnswer(when, (fact,))


@dataclass(slots=True)
class FallOf:
    """The first examination that showed the fall."""

    fall: Falling

    def find(self, situation: Situation) -> MomentAnswer:
        """Look on the side being judged, or on either."""
        side = situation.scope.side if self.fall.that_side else None
        for each in (side,) if side is not None else (Side.RIGHT, Side.LEFT):
            pair = find_fall(self.fall, each, situation)
            if pair:
                return MomentAnswer(pair[1].when, (pair[1],))
        return MomentAnswer(None, (), situation.facts.missing(self.fall.needs))


@dataclass(slots=True)
class LatestOf:
    """The latest of some other moments, among those that are known."""

    moments: tuple[Moment, ...]

    def find(self, situation: Situation) -> MomentAnswer:
        """Unknown ones are passed over; with none known, what could not be read stays open."""
        found = [moment.find(situation) for moment in self.moments]
        known = [f for f in found if f.when is not None]
        if not known:
            return MomentAnswer(None, (), frozenset().union(*(f.needs for f in found)))
        return max(known, key=lambda f: (f.when.latest, f.when.instant or 0.0) if f.when else (0, 0.0))


@dataclass(slots=True)
class NamedMoment:
    """A moment with the ways to find it, tried in order, and the look-back where none does."""

    name: str
    text: str
    sources: tuple[Source, ...]
    look_back: Window | None = None

    def find(self, situation: Situation, *, for_look_back: bool = False) -> MomentAnswer:
        """The first source that knows the date; kept for the call."""
        key = situation.key(self.name)
        found = situation.kept.get(key)
        if not isinstance(found, MomentAnswer):
            found = situation.kept[key] = self._first(situation)
        if found.when is None and for_look_back and self.look_back is not None:
            day = situation.now.today - self.look_back.amount
            return found._replace(when=When(day, day))
        return found

    def _first(self, situation: Situation) -> MomentAnswer:
        """A later source stands in for one that knows no date, not for one that could not be read."""
        for source in self.sources:
            found = source.find(situation)
            if found.when is not None:
                return found
            if found.needs:
                return MomentAnswer(None, (), found.needs)
        return MomentAnswer(None)
