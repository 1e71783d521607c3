"""What users reported: why they overrode a card, and how long they took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from cds_service.decision.insight import Delay, Insight, rate
from cds_service.web import charts
from cds_service.web.charts import Part
from cds_service.web.html import Child, join, tag
from cds_service.web.insight.parts import (
    MOST_ROWS,
    Row,
    bars,
    behind,
    code_cell,
    key,
    numbers_table,
    plain_bars,
    row_head,
    says,
)
from cds_service.web.insight.words import (
    INTERVAL,
    NO_REASON,
    InsightWords,
    apart,
    counted,
    delay,
    duration,
    number,
    percent,
    rate_in_words,
)
from cds_service.web.parts import table

Bounds = tuple[int, int | None]


def reasons(insight: Insight, words: InsightWords) -> Iterator[Child]:
    """Why cards were overridden, the reason given most often first."""
    every = insight.reasons
    if not every:
        yield says("No override was reported.")
        return
    total = sum(reason.count for reason in every)
    first, share = words.reason(every[0]), f"{number(every[0].count)} of {counted(total, 'override')}"
    none = f"Most often no reason with a code was given: {share}."
    yield says(none if first == NO_REASON else f"Given most often: “{apart(first)}”, for {share}.")
    yield plain_bars(
        [
            (words.reason(reason), reason.count, f"{number(reason.count)} ({percent(reason.count / total)})")
            for reason in every[:MOST_ROWS]
        ]
    )
    cells = (
        (
            row_head(tag("bdi", words.reason(reason))),
            code_cell(reason.code),
            code_cell(reason.system),
            number(reason.count),
            rate_in_words(rate(reason.count, total)),
        )
        for reason in every
    )
    heads = ("Reason", "Code", "Code system", "Overrides", f"Share, {INTERVAL}")
    yield behind("reasons", insight, table(heads, cells, numbers=(3, 4), name="Override reasons"))


def delays(insight: Insight) -> Iterator[Child]:
    """How long after a card was returned it was acted on."""
    every = insight.delays
    counts = [each.accepted + each.overridden for each in every]
    total = sum(counts)
    if not total:
        yield says("No card was reported as acted on.")
        return
    bounds = _bounds(every)
    middle = next(at for at, reached in enumerate(accumulate(counts)) if 2 * reached >= total)
    yield says(f"Of {counted(total, 'card')} that were acted on, {_half(*bounds[middle])}.")
    yield key((Part("accepted", "accepted", 0), Part("overridden", "overridden", 0)))
    most = max(counts)
    yield bars(_row(each, bounds[at], most, has_median=at == middle) for at, each in enumerate(every))
    rows = (
        (row_head(delay(*bounds[at])), number(each.accepted), number(each.overridden), number(counts[at]))
        for at, each in enumerate(every)
    )
    yield behind("delays", insight, numbers_table("Time to action", ("Time", "Accepted", "Overridden", "Both"), rows))


def _bounds(every: Sequence[Delay]) -> list[Bounds]:
    """Over how many seconds, and at most how many."""
    ends = [each.at_most for each in every]
    return list(zip([0, *(end or 0 for end in ends)], ends, strict=False))


def _half(over: int, at_most: int | None) -> str:
    if at_most is None:
        return f"half took more than {duration(over)}"
    within = f"half were acted on within {duration(at_most)}"
    return f"{within}; the median lies between {duration(over)} and {duration(at_most)}" if over else within


def _row(each: Delay, bounds: Bounds, most: int, *, has_median: bool) -> Row:
    parts = (Part("accepted", "accepted", each.accepted), Part("overridden", "overridden", each.overridden))
    name = delay(*bounds)
    said = f"{number(each.accepted)} accepted, {number(each.overridden)} overridden"
    who = join([name, tag("small", "the median is here") if has_median else None])
    return who, charts.bar(parts, most, f"{name}: {said}"), said
