"""Dates of a medical record: calendar days in the site's zone, instants, and what is only roughly known.

A date is its day, an instant the day it falls on in the site's zone. A month or a year is an interval of days:
what an interval cannot decide is unknown. Windows in days compare calendar days and equality counts; windows in
hours compare instants, and a bare date decides them only if its whole day lies on one side.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import NamedTuple

from cds_service.domain.truth import MET, NOT_MET, UNKNOWN, Truth

_LAST_DAY = dt.date.max.toordinal()
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z")
_HAS_ZONE = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})\Z")


class When(NamedTuple):
    """A moment as the record knows it: its first and last possible day, and the instant where one is given.

    ``earliest`` and ``latest`` are proleptic ordinals (``date.toordinal``) in the site's zone; ``instant`` is
    seconds since the epoch, or None for a bare date.
    """

    earliest: int
    latest: int
    instant: float | None = None

    @property
    def is_day(self) -> bool:
        """Whether the day is known exactly."""
        return self.earliest == self.latest

    @property
    def text(self) -> str:
        """The date as a card writes it: ``2026-05-03``, ``2026-05`` or ``2026``."""
        first = dt.date.fromordinal(self.earliest)
        if self.is_day:
            return first.isoformat()
        return first.strftime("%Y-%m") if self.latest - self.earliest < 31 else first.strftime("%Y")


def day_of(ordinal: int) -> dt.date:
    """The day of an ordinal; the calendar's last day stands for what lies beyond it, as after 9999-12-31."""
    return dt.date.fromordinal(min(ordinal, _LAST_DAY))


class Now(NamedTuple):
    """The evaluation time: handed to the core by the caller, never read from a clock."""

    at: dt.datetime
    zone: dt.tzinfo
    today: int
    instant: float

    @classmethod
    def of(cls, at: dt.datetime, zone: dt.tzinfo) -> Now:
        """The evaluation time ``at`` (aware) as the site in ``zone`` sees it."""
        return cls(at, zone, at.astimezone(zone).date().toordinal(), at.timestamp())

    def day_span(self, when: When) -> tuple[float, float]:
        """First and last possible instant of ``when``, in seconds since the epoch."""
        if when.instant is not None:
            return when.instant, when.instant
        return self._midnight(when.earliest), self._midnight(when.latest + 1)

    def _midnight(self, ordinal: int) -> float:
        return dt.datetime.combine(day_of(ordinal), dt.time(), self.zone).timestamp()


def parse_when(text: str | None, zone: dt.tzinfo) -> When | None:
    """A FHIR date, dateTime or instant; None when there is none or it cannot be read."""
    if not text:
        return None
    try:
        match = _DATE.match(text)
        if match:
            return _parse_date(match)
        if not _HAS_ZONE.search(text):
            day = dt.date.fromisoformat(text[:10]).toordinal()
            return When(day, day)
        at = dt.datetime.fromisoformat(text)
        day = at.astimezone(zone).date().toordinal()
        return When(day, day, at.timestamp())
    except (ValueError, OverflowError):
        return None


def _parse_date(match: re.Match[str]) -> When:
    year, month, day = match.groups()
    if day:
        ordinal = dt.date(int(year), int(month), int(day)).toordinal()
        return When(ordinal, ordinal)
    if month:
        last = calendar.monthrange(int(year), int(month))[1]
        return When(dt.date(int(year), int(month), 1).toordinal(), dt.date(int(year), int(month), last).toordinal())
    return When(dt.date(int(year), 1, 1).toordinal(), dt.date(int(year), 12, 31).toordinal())


class Window(NamedTuple):
    """A length of time from a parameter, in days or in hours."""

    amount: int
    hours: bool = False

    def holds(self, when: When | None, now: Now) -> Truth:
        """Whether ``when`` lies within this length of time before now; a missing date never does.

        What is on record has happened: of a day or month that has begun, only the part up to now counts.
        """
        if when is None:
            return UNKNOWN
        if self.hours:
            first, last = now.day_span(when)
            return _recent(first, last, now.instant - self.amount * 3600.0, now.instant)
        return _recent(when.earliest, when.latest, now.today - self.amount, now.today)

    def passed(self, when: When | None, now: Now) -> Truth:
        """Whether at least this length of time has passed since ``when``; equality counts."""
        if when is None:
            return UNKNOWN
        if self.hours:
            first, last = now.day_span(when)
            return _interval(first, last, float("-inf"), now.instant - self.amount * 3600.0)
        return _interval(when.earliest, when.latest, float("-inf"), now.today - self.amount)


def longer_than(window: Window) -> Window:
    """The window that a length of time more than this one fills: a day more, or an hour."""
    return Window(window.amount + 1, window.hours)


def _interval(first: float, last: float, low: float, high: float) -> Truth:
    """Whether a point somewhere in [first, last] lies in [low, high]."""
    if first >= low and last <= high:
        return MET
    return NOT_MET if last < low or first > high else UNKNOWN


def _recent(first: float, last: float, low: float, now: float) -> Truth:
    """Whether a point somewhere in [first, last], but not after now if it has begun, lies in [low, now]."""
    return _interval(first, min(last, now) if first <= now else last, low, now)


def since(when: When | None, moment: When | None) -> Truth:
    """Whether ``when`` is on or after ``moment``: its own day counts, and its own instant."""
    if when is None or moment is None:
        return UNKNOWN
    if when.instant is not None and moment.instant is not None:
        return MET if when.instant >= moment.instant else NOT_MET
    if when.earliest >= moment.latest:
        return MET
    return NOT_MET if when.latest < moment.earliest else UNKNOWN


def before(when: When | None, moment: When | None) -> Truth:
    """Whether ``when`` falls on an earlier calendar day than ``moment``."""
    if when is None or moment is None:
        return UNKNOWN
    if when.latest < moment.earliest:
        return MET
    return NOT_MET if when.earliest >= moment.latest else UNKNOWN


def age_at_least(birth: When | None, years: int, now: Now) -> Truth:
    """Whether the birthday of that age has come; a month or year of birth may leave it unknown."""
    if birth is None:
        return UNKNOWN
    return _interval(_birthday(birth.earliest, years), _birthday(birth.latest, years), float("-inf"), now.today)


def _birthday(born: int, years: int) -> int:
    day = dt.date.fromordinal(born)
    try:
        return day.replace(year=day.year + years).toordinal()
    except ValueError:  # 29 February, or beyond the calendar
        return dt.date(min(day.year + years, 9999), 3, 1).toordinal()
