"""What calls came to: data that could not be had, how calls ended, and what a version in shadow would have said."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.decision.insight import Insight, Shadow, rate
from cds_service.web.html import Child, tag
from cds_service.web.insight.parts import (
    MOST_ROWS,
    behind,
    csv_link,
    named,
    numbers_table,
    plain_bars,
    row_head,
    says,
)
from cds_service.web.insight.words import (
    INTERVAL,
    InsightWords,
    apart,
    counted,
    number,
    percent,
    rate_in_words,
    visible,
)
from cds_service.web.parts import table


def gaps(insight: Insight, words: InsightWords) -> Iterator[Child]:
    """The data on which an answer hung and which could not be had."""
    every = insight.gaps
    if not every:
        yield says("No answer hung on data that could not be had.")
        return
    rows = [(f"{words.need(gap)}: {words.why(gap)}", gap.count, counted(gap.count, "call")) for gap in every]
    first = every[0]
    yield says(f"Missing most often: {apart(words.need(first))}, in {rows[0][2]} ({apart(words.why(first))}).")
    yield plain_bars(rows[:MOST_ROWS])
    cells = (
        (
            row_head(tag("bdi", words.need(gap))),
            tag("bdi", words.why(gap)),
            tag("bdi", visible(gap.state)),
            number(gap.count),
        )
        for gap in every
    )
    heads = ("What could not be had", "Why", "State", "Calls")
    yield behind("gaps", insight, table(heads, cells, numbers=(3,), name="Data gaps"))


def outcomes(insight: Insight) -> Iterator[Child]:
    """How calls ended."""
    every = insight.outcomes
    total = sum(each.calls for each in every)
    if not total:
        yield says("No call is in this selection.")
        return
    rows = [
        (visible(each.outcome), each.calls, f"{number(each.calls)} ({percent(each.calls / total)})") for each in every
    ]
    most = max(rows, key=lambda row: row[1])
    yield says(f"Of {counted(total, 'call')}, {percent(most[1] / total)} ended as “{apart(most[0])}”.")
    yield plain_bars(rows)
    meaning = (
        "Complete: all that an answer hung on was read. Partial: something was not; it stands under the data gaps."
    )
    yield tag("p", meaning, class_="quiet")
    cells = ((row_head(tag("bdi", name)), number(count), rate_in_words(rate(count, total))) for name, count, _ in rows)
    heads = ("Outcome", "Calls", f"Share, {INTERVAL}")
    yield behind("outcomes", insight, numbers_table("Outcomes of calls", heads, cells))


def shadows(insight: Insight, words: InsightWords) -> Iterator[Child]:
    """Versions that are tried without being returned, against those that are live."""
    if not insight.shadows:
        yield says("No version ran in shadow.")
        return
    yield says(
        "A version in shadow is evaluated in each call and returned in none. It agrees with the live one where both "
        "stood, among the calls in which one of the two did."
    )
    heads = ("Recommendation", "Version in shadow", "Both", "Only live", "Only shadow", f"Agreement, {INTERVAL}")
    rows = (_shadow(each, words) for each in insight.shadows)
    yield table(heads, rows, numbers=(2, 3, 4, 5), name="Shadow against live")
    yield csv_link("shadows", insight)


def _shadow(each: Shadow, words: InsightWords) -> tuple[Child, ...]:
    return (
        row_head(named("recommendation", each.recommendation, words)),
        tag("bdi", visible(each.version)),
        *map(number, (each.both, each.only_live, each.only_shadow)),
        rate_in_words(rate(each.both, each.both + each.only_live + each.only_shadow)),
    )
