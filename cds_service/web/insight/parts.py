"""What the sections of `/insight` are built from: sentences, rows of a chart, the table behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cds_service.decision.insight import Grouping, Insight, Tally
from cds_service.web import charts
from cds_service.web.charts import Part
from cds_service.web.html import Child, Markup, join, tag
from cds_service.web.insight.address import address
from cds_service.web.insight.words import INTERVAL, SPACE, InsightWords, counted, number, rate_in_words, visible
from cds_service.web.parts import table

MOST_ROWS: Final = 12
"""So many rows of a chart can be taken in; the table behind it has all."""
TALLY_HEADS: Final = (
    *(
        "Returned",
        "To clients that report",
        "Accepted",
        "Overridden",
        "Without feedback",
        "To clients that never report",
    ),
    *(f"Accepted, {INTERVAL}", f"Overridden, {INTERVAL}", f"Without feedback, {INTERVAL}"),
    *("Listed in a folded card", "Of these, a suggestion accepted", "Kept quiet", "In shadow"),
)
_COLUMNS: Final = ("who", "drawn", "said")
Row = tuple[Child, Child, Child]


def section(anchor: str, title: str, children: Iterable[Child]) -> Markup:
    """A heading and what stands below it."""
    return tag("section", tag("h2", title, id=anchor), *children)


def says(sentence: str) -> Markup:
    """What a chart shows, in a sentence above it."""
    return tag("p", sentence, class_="says")


def behind(name: str, insight: Insight, shown: Markup) -> Markup:
    """The table behind a chart, and the same as CSV."""
    return tag("details", tag("summary", "The figures as a table"), shown, csv_link(name, insight))


def csv_link(name: str, insight: Insight) -> Markup:
    """A sheet of these figures for a spreadsheet."""
    return tag("p", tag("a", "The same as CSV", href=address(insight.filters, "insight.csv", table=name)))


def numbers_table(name: str, heads: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table whose first column names the row and whose others are numbers."""
    return table(heads, rows, numbers=range(1, len(heads)), name=name)


def row_head(name: Child) -> Markup:
    """The cell that names its row."""
    return tag("th", name, scope="row")


def code_cell(code: str) -> Markup:
    """A code of the ledger as it is, whichever way its letters run."""
    return tag("td", tag("bdi", tag("code", visible(code))))


def bars(rows: Iterable[Row], kind: str = "") -> Markup:
    """Rows of a chart: what each is, the picture, what it says."""
    shown = (
        tag("li", *(tag("div", child, class_=part) for part, child in zip(_COLUMNS, row, strict=True) if child))
        for row in rows
    )
    return tag("ul", *shown, class_=f"bars {kind}".strip())


def plain_bars(rows: Sequence[tuple[str, int, str]]) -> Markup:
    """One bar a row, as long as its count."""
    most = max(count for _, count, _ in rows)
    shown = (
        (tag("bdi", name), charts.bar([Part("plain", name, count)], most, f"{name}: {said}"), said)
        for name, count, said in rows
    )
    return bars(shown, "plain")


def key(parts: Iterable[Part], *, counts: bool = False, rates: bool = False) -> Markup:
    """What the colours and textures of a chart stand for."""
    shown = [
        tag(
            "li",
            charts.swatch(part.kind),
            tag("span", part.words, tag("b", f" {number(part.count)}") if counts else None),
        )
        for part in parts
    ]
    if rates:
        shown.append(
            tag("li", charts.dot(), tag("span", f"share accepted, from 0 to 100{SPACE}%, with its {INTERVAL}"))
        )
    return tag("ul", *shown, class_="key")


def named(by: Grouping, name: str, words: InsightWords) -> Markup:
    """A group's name with what it stands for; a recommendation leads to its page."""
    meaning = words.of_group(by, name)
    if by == "week":
        return tag("span", meaning)
    if by == "recommendation" and meaning:
        return join([tag("a", name, href=f"cards/{name}", class_="nowrap"), " ", tag("span", meaning)])
    return join([tag("bdi", visible(name)), tag("span", f" {meaning}", class_="quiet") if meaning else None])


# ---- cards by what became of them


def stack(tally: Tally) -> tuple[Part, ...]:
    """The cards of a tally, by what became of them."""
    return (
        Part("accepted", "accepted", tally.accepted),
        Part("overridden", "overridden", tally.overridden),
        Part("silent", "without feedback", tally.without_feedback),
        Part("apart", "to clients that never report", tally.returned - tally.reporting),
    )


def stacked_in_words(tally: Tally) -> str:
    """What a bar of these cards shows, for those who do not see it."""
    shown = ", ".join(f"{number(part.count)} {part.words}" for part in stack(tally) if part.count)
    return f"{counted(tally.returned, 'card')} returned: {shown}" if shown else "no card returned"


def tally_cells(tally: Tally) -> tuple[str, ...]:
    """The cells below `TALLY_HEADS`."""
    counts = (tally.returned, tally.reporting, tally.accepted, tally.overridden, tally.without_feedback)
    rates = (tally.acceptance, tally.override, tally.silence)
    rest = (tally.folded, tally.folded_accepted, tally.snoozed, tally.shadow)
    return (*map(number, (*counts, tally.returned - tally.reporting)), *map(rate_in_words, rates), *map(number, rest))
