"""Charts as inline SVG, drawn on the server: no script, nothing fetched.

Widths are in percent, heights and letters in pixels, so that a chart fits a phone and its words stay legible. A chart
is one picture to assistive technology, with its figures as its name. Every kind of part has a texture beside its
colour; colours are classes of ``insight.css``, which has them for light and dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from cds_service.decision.insight import Rate
from cds_service.web.html import Child, Markup, tag

Kind = Literal["accepted", "overridden", "silent", "apart", "plain"]
_TEXTURED: Final[dict[str, str]] = {"overridden": "url(#hatched)", "silent": "url(#dotted)"}
_TILED: Final = {"patternUnits": "userSpaceOnUse"}
_BAR: Final = 26
_BASELINE: Final = "17.5"
_STRIP: Final = 22
_COLUMNS: Final = 168
_POINTS: Final = 132
_LEFT: Final = 11.0  # percent: beside the first column, for the numbers of the axis
_TOP: Final = 20  # above the highest column, for its number
_NARROWEST: Final = 0.8  # percent: what is not none is seen
_PHONE: Final = 320  # pixels of a bar on a small phone, which decide whether a number fits into its part
_LETTER: Final = 7.6
_MOST_NUMBERS: Final = 8
_MOST_CENTRED: Final = 12
_FULL: Final = 86  # percent: beside the longest bar with a total there is room for its number
_MOST_DATES: Final = 4


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar or column: what it counts, and how much."""

    kind: Kind
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Column:
    """One place along a time axis: its date, the parts of its column, the rate among them."""

    date: str
    parts: Sequence[Part]
    rate: Rate | None = None

    @property
    def height(self) -> int:
        """All of its parts."""
        return sum(part.count for part in self.parts)


def textures() -> Markup:
    """What tells the kinds apart beside their colours; stands once on a page that has charts."""
    hatched = tag("path", d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2", class_="texture")
    dotted = tag("circle", cx="2", cy="2", r="0.9", class_="texture")
    patterns = (
        tag(
            "pattern",
            tag("rect", width=size, height=size, class_=kind),
            mark,
            id=name,
            width=size,
            height=size,
            **_TILED,
        )
        for name, kind, size, mark in (("hatched", "overridden", "6", hatched), ("dotted", "silent", "5", dotted))
    )
    return tag("svg", tag("defs", *patterns), width="0", height="0", class_="textures", aria_hidden="true")


def swatch(kind: Kind) -> Markup:
    """A sample of a kind, for its name to stand beside."""
    return tag("svg", _rect(kind, 0, 100, 1, 12), width="18", height="14", class_="swatch", aria_hidden="true")


def dot() -> Markup:
    """A sample of a rate with its interval."""
    marks = (_line(5, 95, 7, 7, "whisker"), tag("circle", cx="50%", cy="7", r="5", class_="dot"))
    return tag("svg", *marks, width="30", height="14", class_="swatch", aria_hidden="true")


def bar(parts: Sequence[Part], scale: int, name: str, *, total: bool = False) -> Markup:
    """A horizontal bar of parts; ``scale`` is the count of the longest bar. ``total`` puts their sum beside it."""
    shown = [part for part in parts if part.count]
    ends = _ends(shown, scale / _FULL * 100 if total else scale)
    return _picture(name, _BAR, *_segments(shown, ends), _sum(shown, ends) if total else None)


def strip(found: Rate, name: str) -> Markup:
    """A rate as a dot between none and all, its 95 % interval as a line."""
    low, share, high = (100 * each for each in (found.low, found.share, found.high))
    middle = _STRIP / 2
    return _picture(
        name,
        _STRIP,
        *(_line(at, at, middle - 5, middle + 5, "axis") for at in (0, 50, 100)),
        _line(0, 100, middle, middle, "axis"),
        _line(low, high, middle, middle, "whisker"),
        tag("circle", cx=_percent(share), cy=f"{middle:g}", r="5.5", class_="dot"),
    )


def columns(shown: Sequence[Column], name: str) -> Markup:
    """Stacked columns along time."""
    most = max(column.height for column in shown)
    floor = _COLUMNS - _TOP
    grid = (piece for count, y in ((0, floor), (most, _TOP)) for piece in _gridline(f"{count:,}", y))
    pieces = (piece for at, column in enumerate(shown) for piece in _column(column, at, len(shown), most))
    return _picture(name, _COLUMNS, *grid, *pieces, *_dates(shown, _COLUMNS))


def points(shown: Sequence[Column], name: str) -> Markup:
    """The rate of each place along time, with its interval; where there is none, nothing stands."""
    floor = _POINTS - _TOP
    ticks = (("0", floor), ("50", (floor + 10) / 2), ("100", 10))
    grid = (piece for share, y in ticks for piece in _gridline(f"{share}\N{NO-BREAK SPACE}%", y))
    marks = (piece for at, column in enumerate(shown) for piece in _point(column.rate, at, len(shown), floor))
    return _picture(name, _POINTS, *grid, *marks, *_dates(shown, _POINTS))


def _picture(name: str, height: int, *children: Child) -> Markup:
    return tag("svg", *children, role="img", aria_label=name, width="100%", height=str(height), class_="chart")


# ---- bars


def _ends(parts: Sequence[Part], scale: float) -> list[float]:
    """Where each part ends, in percent of the width."""
    widths = [max(_NARROWEST, 100 * part.count / scale) for part in parts]
    over = max(1.0, sum(widths) / 100)
    return list(accumulate(width / over for width in widths))


def _sum(parts: Sequence[Part], ends: Sequence[float]) -> Markup:
    total = sum(part.count for part in parts)
    return tag("text", f"{total:,}", x=_percent(ends[-1]), dx="6", y=_BASELINE, class_="tick first")


def _segments(parts: Sequence[Part], ends: Sequence[float]) -> Iterator[Markup]:
    for part, start, end in zip(parts, [0.0, *ends], ends, strict=False):
        yield tag("g", tag("title", f"{part.words}: {part.count:,}"), _rect(part.kind, start, end - start, 1, _BAR - 2))
        if part.kind != "plain" and _fits(f"{part.count:,}", end - start):
            middle = _percent((start + end) / 2)
            yield tag("text", f"{part.count:,}", x=middle, y=_BASELINE, class_=f"count on-{part.kind}")


def _fits(text: str, width: float) -> bool:
    return len(text) * _LETTER + 8 <= width / 100 * _PHONE


# ---- columns and points


def _column(column: Column, at: int, of: int, most: int) -> Iterator[Markup]:
    if not column.height:
        return
    slot = (100 - _LEFT) / of
    width = slot * (0.72 if of <= 2 * _MOST_NUMBERS else 0.9)
    start, base = _centre(at, of) - width / 2, float(_COLUMNS - _TOP)
    room = _COLUMNS - 2 * _TOP
    title = ", ".join(f"{part.words} {part.count:,}" for part in column.parts if part.count)
    pieces = []
    for part in column.parts:
        height = room * part.count / most
        base -= height
        if part.count:
            pieces.append(_rect(part.kind, start, width, base, height))
    yield tag("g", tag("title", f"{column.date}: {title}"), *pieces)
    if of <= _MOST_NUMBERS:
        yield tag("text", f"{column.height:,}", x=_percent(_centre(at, of)), y=f"{base - 5:.1f}", class_=_label(at, of))


def _point(found: Rate | None, at: int, of: int, floor: int) -> Iterator[Markup]:
    if found is None:
        return
    x, room = _centre(at, of), floor - 10
    low, share, high = (floor - room * each for each in (found.low, found.share, found.high))
    yield _line(x, x, low, high, "whisker" if of <= 4 * _MOST_NUMBERS else "whisker thin")
    yield tag("circle", cx=_percent(x), cy=f"{share:.1f}", r="4.5" if of <= 4 * _MOST_NUMBERS else "2", class_="dot")


def _gridline(says: str, y: float) -> Iterator[Markup]:
    yield _line(_LEFT, 100, y, y, "axis")
    yield tag("text", says, x="0", y=f"{y + 4:g}", class_="tick first")


def _dates(shown: Sequence[Column], height: int) -> Iterator[Markup]:
    """A few dates below the columns, the first and the last among them."""
    last = len(shown) - 1
    places = sorted({round(last * step / (_MOST_DATES - 1)) for step in range(_MOST_DATES)})
    for at in places:
        yield tag(
            "text", shown[at].date, x=_percent(_centre(at, len(shown))), y=str(height - 4), class_=_label(at, last + 1)
        )


def _centre(at: int, of: int) -> float:
    return _LEFT + (100 - _LEFT) * (at + 0.5) / of


def _label(at: int, of: int) -> str:
    """Words at the ends stay inside the picture."""
    if of <= _MOST_CENTRED:
        return "tick"
    return "tick first" if at == 0 else "tick last" if at == of - 1 else "tick"


# ---- shapes


def _rect(kind: Kind, x: float, width: float, y: float, height: float) -> Markup:
    place = {"x": _percent(x), "width": _percent(width), "y": f"{y:.1f}", "height": f"{height:.1f}"}
    return tag("rect", fill=_TEXTURED.get(kind), class_=f"part {kind}" if kind not in _TEXTURED else "part", **place)


def _line(x1: float, x2: float, y1: float, y2: float, kind: str) -> Markup:
    place = {"x1": _percent(x1), "x2": _percent(x2), "y1": f"{y1:.1f}", "y2": f"{y2:.1f}"}
    return tag("line", class_=kind, **place)


def _percent(value: float) -> str:
    return f"{value:.2f}%"
