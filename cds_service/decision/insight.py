"""What became of advice, in numbers: the figures of `/insight`, and how sure one can be of a rate.

A service cannot know what a client displayed, only what it returned; and a client that never sends feedback says
nothing by its silence. So rates are over cards that were returned to clients that have sent feedback at least once.
The ledger counts, the pages show, and neither knows the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Final, Literal, Protocol

Grouping = Literal["recommendation", "version", "hook", "indicator", "client", "week"]
GROUPINGS: Final[tuple[Grouping, ...]] = ("recommendation", "version", "hook", "indicator", "client", "week")
_Z: Final = 1.959964  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked at: None stands for all. ``first`` and ``last`` are Mondays, both included (ISO weeks in UTC).

    ``by`` is what the cards are grouped by; the other figures do not depend on it.
    """

    client: str | None = None
    hook: str | None = None
    recommendation: str | None = None
    version: str | None = None
    indicator: str | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    by: Grouping = "recommendation"


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of a number of cards, with its 95 % interval (Wilson score, without continuity correction)."""

    count: int
    of: int
    share: float
    low: float
    high: float


def rate(count: int, of: int) -> Rate | None:
    """The share of ``count`` in ``of`` cards; None where there was no card. Wilson, J Am Stat Assoc 1927;22:209-12."""
    if of <= 0:
        return None
    share, square = count / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return Rate(count, of, share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


@dataclass(frozen=True, slots=True)
class Tally:
    """Cards of recommendations, counted.

    ``returned`` had a card of their own; of these, ``reporting`` went to clients that have ever sent feedback, and
    ``accepted`` and ``overridden`` are what stands reported. ``folded`` stood in the card of several, of which
    ``folded_accepted`` had a suggestion accepted; ``snoozed`` were kept quiet, ``shadow`` evaluated and not returned.
    """

    returned: int = 0
    reporting: int = 0
    accepted: int = 0
    overridden: int = 0
    folded: int = 0
    folded_accepted: int = 0
    snoozed: int = 0
    shadow: int = 0

    @property
    def without_feedback(self) -> int:
        """Cards of reporting clients of which nothing was reported."""
        return self.reporting - self.accepted - self.overridden

    @property
    def acceptance(self) -> Rate | None:
        """The share of accepted ones among those returned to reporting clients."""
        return rate(self.accepted, self.reporting)

    @property
    def override(self) -> Rate | None:
        """The share of overridden ones among those returned to reporting clients."""
        return rate(self.overridden, self.reporting)

    @property
    def silence(self) -> Rate | None:
        """The share of those without feedback among those returned to reporting clients."""
        return rate(self.without_feedback, self.reporting)


@dataclass(frozen=True, slots=True)
class Group:
    """The cards of one recommendation, version, hook, indicator, client or week. ``name`` is its code, or its date."""

    name: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Reason:
    """How often a coded reason was given for an override; an empty code stands for no reason, or one without a code."""

    system: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Delay:
    """How many cards were acted on within ``at_most`` seconds of being returned, and later than the row before.

    The last row has no upper end: None.
    """

    at_most: int | None
    accepted: int
    overridden: int


@dataclass(frozen=True, slots=True)
class Gap:
    """In how many calls an answer hung on a need that could not be had, or not fully, and why."""

    need: str
    state: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many calls ended in one way: ``complete with cards`` for instance."""

    outcome: str
    calls: int


@dataclass(frozen=True, slots=True)
class Shadow:
    """A version in shadow against what is live, over the calls in which it ran and one of the two stood."""

    recommendation: str
    version: str
    both: int
    only_live: int
    only_shadow: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters can be set to: what there is in the ledger. ``weeks`` are Mondays, in order."""

    clients: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    weeks: tuple[dt.date, ...] = ()


@dataclass(frozen=True, slots=True)
class Insight:
    """All that `/insight` shows, for one setting of the filters.

    ``groups`` are in the order of their returned cards, most first (weeks: in time); ``weeks`` has every week between
    the first and the last, also those without a card. Calls and gaps depend on client, hook and weeks only.
    """

    filters: Filters
    choices: Choices
    total: Tally = field(default_factory=Tally)
    groups: Sequence[Group] = ()
    weeks: Sequence[Group] = ()
    reasons: Sequence[Reason] = ()
    delays: Sequence[Delay] = ()
    gaps: Sequence[Gap] = ()
    outcomes: Sequence[Outcome] = ()
    shadows: Sequence[Shadow] = ()


class Figures(Protocol):
    """Answers from sums that are kept as calls and feedback come in, never from the calls themselves."""

    def insight(self, filters: Filters) -> Insight:
        """The figures. Raises LedgerError where the ledger cannot be read."""
        ...


def monday(day: dt.date) -> dt.date:
    """The first day of an ISO week."""
    return day - dt.timedelta(days=day.weekday())
