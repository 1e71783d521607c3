"""What became of cards: by what the reader groups them by, and week by week."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cds_service.decision.insight import GROUPINGS, Group, Insight, Tally
from cds_service.web import charts
from cds_service.web.charts import Column
from cds_service.web.html import Child, Markup, join, tag
from cds_service.web.insight.address import address
from cds_service.web.insight.parts import (
    MOST_ROWS,
    TALLY_HEADS,
    Row,
    bars,
    behind,
    key,
    named,
    numbers_table,
    row_head,
    says,
    stack,
    stacked_in_words,
    tally_cells,
)
from cds_service.web.insight.words import (
    INTERVAL,
    InsightWords,
    apart,
    counted,
    number,
    rate_in_words,
    short_day,
    visible,
    week_of,
)


def groups(insight: Insight, words: InsightWords) -> Iterator[Child]:
    """The cards by recommendation, version, hook, indicator, client or week."""
    yield _groupings(insight)
    by, every = insight.filters.by, insight.groups
    if not every:
        yield says("No card is in this selection.")
        return
    yield says(_largest(insight, words))
    yield key(stack(insight.total), rates=True)
    shown = every[-MOST_ROWS:] if by == "week" else every[:MOST_ROWS]
    most = max(1, *(group.tally.returned for group in shown))
    yield bars((_group(group, most, insight, words) for group in shown), "groups")
    if len(every) > len(shown):
        yield tag("p", f"{counted(len(every) - len(shown), 'more row')} in the table.", class_="quiet")
    rows = ((row_head(named(by, group.name, words)), *tally_cells(group.tally)) for group in every)
    yield behind("groups", insight, numbers_table("Cards by group", (by.capitalize(), *TALLY_HEADS), rows))


def _groupings(insight: Insight) -> Markup:
    filters = insight.filters
    links = (
        tag(
            "a",
            by,
            href=f"{address(replace(filters, by=by))}#groups",
            aria_current="true" if by == filters.by else None,
        )
        for by in GROUPINGS
    )
    return tag("nav", tag("span", "Group by"), *links, class_="groupings", aria_label="Group by")


def _largest(insight: Insight, words: InsightWords) -> str:
    largest = max(insight.groups, key=lambda group: group.tally.returned)
    tally = largest.tally
    if not tally.returned:
        return "None of them was returned on a card of its own."
    title = words.title(largest.name) if insight.filters.by == "recommendation" else ""
    name = f"{largest.name} ({title})" if title else apart(_name(insight, largest))
    said = f"The largest group is {name}: {number(tally.returned)} of {counted(insight.total.returned, 'card')}."
    if tally.acceptance:
        said += f" Of those that went to clients that report, {rate_in_words(tally.acceptance)} were accepted."
    return said


def _name(insight: Insight, group: Group) -> str:
    return f"the {week_of(group.name)}" if insight.filters.by == "week" else visible(group.name)


def _group(group: Group, most: int, insight: Insight, words: InsightWords) -> Row:
    tally, name = group.tally, _name(insight, group)
    elsewhere = ((tally.folded, "in a folded card"), (tally.snoozed, "kept quiet"), (tally.shadow, "in shadow"))
    also = ", ".join(f"{number(count)} {where}" for count, where in elsewhere if count)
    who = join([named(insight.filters.by, group.name, words), tag("small", f"also {also}") if also else None])
    if not tally.returned:
        return who, tag("span", "none on a card of its own", class_="quiet"), None
    drawn = charts.bar(stack(tally), most, f"{name}: {stacked_in_words(tally)}", total=True)
    return who, drawn, _accepted(name, tally)


def _accepted(name: str, tally: Tally) -> Markup:
    if tally.acceptance is None:
        return tag("span", "no rate: no client here ever reported", class_="quiet")
    said = f"{rate_in_words(tally.acceptance)} accepted"
    return join([charts.strip(tally.acceptance, f"{name}: {said}"), tag("span", said)])


# ---- weeks


def weeks(insight: Insight) -> Iterator[Child]:
    """How many cards there were in each week, and the share that was accepted."""
    every = insight.weeks
    if not any(week.tally.returned for week in every):
        yield says("No recommendation was returned on a card of its own in these weeks.")
        return
    yield says(_course(every))
    yield key(stack(insight.total))
    days = [dt.date.fromisoformat(week.name) for week in every]
    with_year = days[0].year != days[-1].year
    shown = [
        Column(short_day(day, with_year=with_year), stack(week.tally), week.tally.acceptance)
        for day, week in zip(days, every, strict=True)
    ]
    last = f", the last {MOST_ROWS} of {number(len(every))}" if len(every) > MOST_ROWS else ""
    by_week = [f"{week_of(week.name)}: {stacked_in_words(week.tally)}" for week in every[-MOST_ROWS:]]
    yield charts.columns(shown, f"Cards by week{last}. {'; '.join(by_week)}")
    if any(column.rate for column in shown):
        yield tag("h3", "Share accepted, of cards that went to clients that report")
        yield says(f"A dot is the share of one week, the line through it its {INTERVAL}: the fewer cards, the longer.")
        rates = [f"{week_of(week.name)}: {rate_in_words(week.tally.acceptance)}" for week in every[-MOST_ROWS:]]
        yield charts.points(shown, f"Share accepted by week{last}. {'; '.join(rates)}")
    rows = ((row_head(week_of(week.name)), *tally_cells(week.tally)) for week in every)
    yield behind("weeks", insight, numbers_table("Cards by week", ("Week", *TALLY_HEADS), rows))


def _course(every: Sequence[Group]) -> str:
    most = max(every, key=lambda week: week.tally.returned)
    total = sum(week.tally.returned for week in every)
    if len(every) == 1:
        return f"{counted(total, 'card')} in the {week_of(most.name)}."
    return (
        f"{counted(total, 'card')} in {counted(len(every), 'week')}, {total / len(every):,.0f} a week on average; "
        f"most, {number(most.tally.returned)}, in the {week_of(most.name)}."
    )
