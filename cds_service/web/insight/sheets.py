"""The figures of `/insight` as sheets of columns and rows: as JSON, as CSV, with members whose names do not change."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from cds_service.decision.insight import Insight, Rate, Tally, rate
from cds_service.web.insight.address import in_words
from cds_service.web.insight.words import InsightWords

Cell = str | int | Rate | None
_TALLY: Final = (
    *("returned", "reporting", "not_reporting", "accepted", "overridden", "without_feedback"),
    *("folded", "folded_accepted", "snoozed", "shadow", "acceptance", "override", "silence"),
)
_RATES: Final = ("acceptance", "override", "silence", "agreement")
_DECIMALS: Final = 4
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as data: the names of its columns, and a cell for each of them in every row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def as_json(insight: Insight, words: InsightWords) -> str:
    """All figures, with the filters and the fingerprint of the knowledge that gave the titles."""
    content: dict[str, Any] = {
        "knowledge": words.fingerprint,
        "filters": in_words(insight.filters),
        "total": dict(zip(_TALLY, map(_plain, _tally(insight.total)), strict=True)),
    }
    for name, make in SHEETS.items():
        sheet = make(insight, words)
        content[name] = [dict(zip(sheet.columns, map(_plain, row), strict=True)) for row in sheet.rows]
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def as_csv(sheet: Sheet) -> str:
    """RFC 4180, with a header line; a rate is three columns. No cell is a formula for the program that opens it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(chain.from_iterable(_heads(column) for column in sheet.columns))
    for row in sheet.rows:
        writer.writerow(chain.from_iterable(map(_cells, sheet.columns, row)))
    return text.getvalue()


def _plain(cell: Cell) -> Any:
    if not isinstance(cell, Rate):
        return cell
    low, share, high = (round(each, _DECIMALS) for each in (cell.low, cell.share, cell.high))
    return {"count": cell.count, "of": cell.of, "share": share, "low": low, "high": high}


def _heads(column: str) -> tuple[str, ...]:
    return (column, f"{column}_low", f"{column}_high") if column in _RATES else (column,)


def _cells(column: str, cell: Cell) -> tuple[str, ...]:
    if isinstance(cell, Rate):
        return tuple(f"{each:.{_DECIMALS}f}" for each in (cell.share, cell.low, cell.high))
    if cell is None:
        return ("",) * len(_heads(column))
    return (harmless(cell) if isinstance(cell, str) else str(cell),)


def harmless(text: str) -> str:
    """Text that a spreadsheet takes for text: an apostrophe stands before what it would take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


# ---- the sheets


def _tally(it: Tally) -> tuple[Cell, ...]:
    return (
        *(it.returned, it.reporting, it.returned - it.reporting, it.accepted, it.overridden, it.without_feedback),
        *(it.folded, it.folded_accepted, it.snoozed, it.shadow, it.acceptance, it.override, it.silence),
    )


def _groups(it: Insight, words: InsightWords) -> Sheet:
    rows = ((group.name, words.of_group(it.filters.by, group.name), *_tally(group.tally)) for group in it.groups)
    return Sheet(("name", "title", *_TALLY), tuple(rows))


def _weeks(it: Insight, _: InsightWords) -> Sheet:
    return Sheet(("week", *_TALLY), tuple((week.name, *_tally(week.tally)) for week in it.weeks))


def _reasons(it: Insight, words: InsightWords) -> Sheet:
    rows = ((reason.system, reason.code, words.reason(reason), reason.count) for reason in it.reasons)
    return Sheet(("system", "code", "display", "count"), tuple(rows))


def _delays(it: Insight, _: InsightWords) -> Sheet:
    return Sheet(("over_seconds", "at_most_seconds", "accepted", "overridden"), tuple(_bounds(it)))


def _bounds(it: Insight) -> Iterator[tuple[Cell, ...]]:
    over = 0
    for each in it.delays:
        yield over, each.at_most, each.accepted, each.overridden
        over = each.at_most or over


def _gaps(it: Insight, words: InsightWords) -> Sheet:
    rows = ((gap.need, words.need(gap), gap.state, gap.reason, words.why(gap), gap.count) for gap in it.gaps)
    return Sheet(("need", "need_in_words", "state", "reason", "reason_in_words", "calls"), tuple(rows))


def _outcomes(it: Insight, _: InsightWords) -> Sheet:
    return Sheet(("outcome", "calls"), tuple((each.outcome, each.calls) for each in it.outcomes))


def _shadows(it: Insight, words: InsightWords) -> Sheet:
    rows = (
        (
            *(each.recommendation, words.title(each.recommendation), each.version),
            *(each.both, each.only_live, each.only_shadow),
            rate(each.both, each.both + each.only_live + each.only_shadow),
        )
        for each in it.shadows
    )
    columns = ("recommendation", "title", "version", "both", "only_live", "only_shadow", "agreement")
    return Sheet(columns, tuple(rows))


SHEETS: Final[Mapping[str, Callable[[Insight, InsightWords], Sheet]]] = {
    "groups": _groups,
    "weeks": _weeks,
    "reasons": _reasons,
    "delays": _delays,
    "gaps": _gaps,
    "outcomes": _outcomes,
    "shadows": _shadows,
}
"""Every sheet by its name, which is its member in the JSON and `table` in the address of a CSV."""
