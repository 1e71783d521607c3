"""The figures of `/insight`, read from the counts: what was returned, what became of it, and what could not be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import sqlalchemy as sa

from cds_service.decision.insight import (
    Choices,
    Delay,
    Filters,
    Gap,
    Group,
    Grouping,
    Insight,
    Outcome,
    Reason,
    Shadow,
    Tally,
    monday,
)
from cds_service.ledger import counting
from cds_service.ledger.database import Database
from cds_service.ledger.tables import figure

_COLUMNS: Final[Mapping[Grouping, sa.Column[Any]]] = {
    "recommendation": figure.c.recommendation_id,
    "version": figure.c.version,
    "hook": figure.c.hook,
    "indicator": figure.c.indicator,
    "client": figure.c.client,
    "week": figure.c.week,
}
_TALLIED: Final = {
    counting.RETURNED: "returned",
    counting.ACCEPTED: "accepted",
    counting.OVERRIDDEN: "overridden",
    counting.FOLDED: "folded",
    counting.FOLDED_ACCEPTED: "folded_accepted",
    counting.SNOOZED: "snoozed",
    counting.SHADOW: "shadow",
}
_SHOWN: Final = (counting.RETURNED, counting.FOLDED, counting.SNOOZED, counting.SHADOW)
_SHADOWS: Final = {
    counting.BOTH: "both",
    counting.ONLY_LIVE: "only_live",
    counting.ONLY_SHADOW: "only_shadow",
}
_OF_CALLS: Final = ("client", "hook")
_OF_CARDS: Final = ("client", "hook", "recommendation", "version", "indicator")
Rows = Iterable[Any]


class LedgerFigures:
    """Reads the counts of a database."""

    def __init__(self, database: Database) -> None:
        """Nothing is read before it is asked."""
        self._database = database

    def insight(self, filters: Filters) -> Insight:
        """All figures, for one setting of the filters. Raises LedgerError where the ledger cannot be read."""
        with self._database.reading() as connection:
            ask = _Asking(connection, filters)
            reporters = ask.reporters()
            weeks = list(_every_week(ask.tallies("week", reporters), filters))
            return Insight(
                filters=filters,
                choices=ask.choices(),
                total=_sum(group.tally for group in weeks),
                groups=weeks if filters.by == "week" else _most_first(ask.tallies(filters.by, reporters)),
                weeks=weeks,
                reasons=ask.reasons(),
                delays=ask.delays(),
                gaps=ask.gaps(),
                outcomes=ask.outcomes(),
                shadows=ask.shadows(),
            )


class _Asking:
    """One reading of the counts, under one setting of the filters."""

    def __init__(self, connection: sa.Connection, filters: Filters) -> None:
        self._connection = connection
        self._filters = filters

    def _sums(self, measures: Iterable[str], *by: sa.ColumnElement[Any], of: Iterable[str] = _OF_CARDS) -> Rows:
        """The sums of some measures, by these columns; ``of`` names the filters that mean something for them."""
        where: list[sa.ColumnElement[bool]] = [figure.c.measure.in_(list(measures))]
        for name in of:
            wanted = getattr(self._filters, name)
            if wanted is not None:
                where.append(_COLUMNS[_grouping(name)] == wanted)
        if self._filters.first is not None:
            where.append(figure.c.week >= monday(self._filters.first))
        if self._filters.last is not None:
            where.append(figure.c.week <= monday(self._filters.last))
        total = sa.func.sum(figure.c.count).label("total")
        return self._connection.execute(sa.select(*by, total).where(*where).group_by(*by).having(total != 0)).all()

    def reporters(self) -> frozenset[str]:
        """The clients that have ever sent feedback on a card, whatever the filters say."""
        said = (counting.ACCEPTED, counting.OVERRIDDEN, counting.FOLDED_ACCEPTED)
        query = sa.select(figure.c.client).distinct().where(figure.c.measure.in_(said))
        return frozenset(self._connection.execute(query).scalars())

    def tallies(self, by: Grouping, reporters: frozenset[str]) -> dict[Any, Tally]:
        """Cards, counted by one thing."""
        found: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        column = _COLUMNS[by]
        for name, client, measure, total in self._sums(
            _TALLIED, column.label("name"), figure.c.client.label("of_client"), figure.c.measure
        ):
            found[name][_TALLIED[measure]] += int(total)
            if measure == counting.RETURNED and client in reporters:
                found[name]["reporting"] += int(total)
        return {name: Tally(**numbers) for name, numbers in found.items()}

    def reasons(self) -> tuple[Reason, ...]:
        """Why cards were dismissed, the commonest first."""
        rows = self._sums((counting.REASON,), figure.c.detail)
        told = ((*detail.split(counting.BETWEEN, 1), total) for detail, total in rows)
        reasons = (Reason(system, code, int(total)) for system, code, total in told)
        return tuple(sorted(reasons, key=lambda reason: (-reason.count, reason.system, reason.code)))

    def delays(self) -> tuple[Delay, ...]:
        """How long it took until something was done with a card."""
        counts: dict[tuple[str, str], int] = {}
        for detail, total in self._sums((counting.DELAY,), figure.c.detail):
            bar, outcome = detail.split(counting.BETWEEN)
            counts[bar, outcome] = int(total)
        bars = [*((end, str(end)) for end in counting.DELAYS), (None, counting.LATER)]
        return tuple(
            Delay(end, counts.get((bar, counting.ACCEPTED), 0), counts.get((bar, counting.OVERRIDDEN), 0))
            for end, bar in bars
            if counts
        )

    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read though an answer hung on it, the commonest first."""
        rows = self._sums((counting.GAP,), figure.c.detail, of=_OF_CALLS)
        told = ((*detail.split(counting.BETWEEN), total) for detail, total in rows)
        gaps = (Gap(need, state, reason, int(total)) for need, state, reason, total in told)
        return tuple(sorted(gaps, key=lambda gap: (-gap.count, gap.need, gap.state, gap.reason)))

    def outcomes(self) -> tuple[Outcome, ...]:
        """What calls came to, the commonest first."""
        rows = self._sums((counting.OUTCOME,), figure.c.detail, of=_OF_CALLS)
        outcomes = (Outcome(detail, int(total)) for detail, total in rows)
        return tuple(sorted(outcomes, key=lambda outcome: (-outcome.calls, outcome.outcome)))

    def shadows(self) -> tuple[Shadow, ...]:
        """Each version in shadow against what is live. The indicator means nothing here."""
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SHADOWS.values(), 0))
        rows = self._sums(
            _SHADOWS,
            figure.c.recommendation_id,
            figure.c.version,
            figure.c.measure,
            of=("client", "hook", "recommendation", "version"),
        )
        for recommendation, version, measure, total in rows:
            found[recommendation, version][_SHADOWS[measure]] += int(total)
        return tuple(Shadow(name, version, **numbers) for (name, version), numbers in sorted(found.items()))

    def choices(self) -> Choices:
        """What there is in the ledger, for the filters to be set to. Every call counts an outcome."""
        calls = self._distinct((counting.OUTCOME,), figure.c.client, figure.c.hook, figure.c.week)
        names = (figure.c.recommendation_id, figure.c.version, figure.c.indicator)
        cards = self._distinct(_SHOWN, *names)
        weeks = {row.week for row in calls}
        return Choices(
            clients=tuple(sorted({row.client for row in calls})),
            hooks=tuple(sorted({row.hook for row in calls})),
            recommendations=tuple(sorted({row.recommendation_id for row in cards})),
            versions=tuple(sorted({row.version for row in cards})),
            indicators=tuple(sorted({row.indicator for row in cards})),
            weeks=tuple(_weeks(min(weeks), max(weeks))) if weeks else (),
        )

    def _distinct(self, measures: Iterable[str], *columns: sa.Column[Any]) -> Sequence[Any]:
        query = sa.select(*columns).distinct().where(figure.c.measure.in_(list(measures)))
        return self._connection.execute(query).all()


def _grouping(name: str) -> Grouping:
    return next(known for known in _COLUMNS if known == name)


def _sum(tallies: Iterable[Tally]) -> Tally:
    every = list(tallies)
    return Tally(**{name: sum(getattr(one, name) for one in every) for name in Tally.__slots__})


def _most_first(tallies: Mapping[str, Tally]) -> list[Group]:
    groups = (Group(name, tally) for name, tally in tallies.items())
    return sorted(groups, key=lambda group: (-group.tally.returned, group.name))


def _every_week(tallies: Mapping[date, Tally], filters: Filters) -> Iterator[Group]:
    """Every week from the first to the last, also those without a card."""
    if not tallies:
        return
    first = monday(filters.first) if filters.first else min(tallies)
    last = monday(filters.last) if filters.last else max(tallies)
    for week in _weeks(max(first, min(tallies)), min(last, max(tallies))):
        yield Group(week.isoformat(), tallies.get(week, Tally()))


def _weeks(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(weeks=1)
