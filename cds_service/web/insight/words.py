"""The words of `/insight`: numbers, weeks and times as a reader says them, and what a code of the ledger stands for.

The ledger outlives the knowledge, and reasons come from clients: a code that the knowledge has not is shown as it is.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from cds_service.decision.insight import Filters, Gap, Grouping, Rate, Reason
from cds_service.decision.records import RECORD_CORRECTION
from cds_service.knowledge.knowledge import Knowledge

SPACE: Final = "\N{NO-BREAK SPACE}"
NO_REASON: Final = "no coded reason"
INTERVAL: Final = f"95{SPACE}% interval"
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_TIMES: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_FEW: Final = 1e-6  # less is the arithmetic's, not the figure's


class InsightWords:
    """What the codes of the ledger mean in the knowledge that runs."""

    def __init__(self, knowledge: Knowledge) -> None:
        """Read the titles and displays once."""
        self.fingerprint = knowledge.fingerprint
        every = (*knowledge.next_versions.values(), *knowledge.recommendations)
        self._titles = {one.id: one.title for one in every}
        self._others = {RECORD_CORRECTION: knowledge.words.record_correction_card.title}
        self._hooks = {service.hook: service.title for service in knowledge.services}
        self._needs = {name: need.words for name, need in knowledge.names.needs.items()}
        self._why = {reason.value: words for reason, words in knowledge.words.gap_reasons.items()}
        self._reasons = {
            (coding.system, coding.code): coding.display for coding in knowledge.names.override_reasons.values()
        }

    def title(self, recommendation: str) -> str:
        """The title of a recommendation, empty where the knowledge no longer has it."""
        return self._titles.get(recommendation, "")

    def of_group(self, by: Grouping, name: str) -> str:
        """What a group stands for, in words; empty where its name says all."""
        if by == "week":
            return week_of(name)
        return {"recommendation": self._titles | self._others, "hook": self._hooks}.get(by, {}).get(name, "")

    def reason(self, reason: Reason) -> str:
        """The display of an override reason."""
        return self._reasons.get((reason.system, reason.code), "") or visible(reason.code) or NO_REASON

    def need(self, gap: Gap) -> str:
        """What kind of data could not be had, as a clinician calls it."""
        return self._needs.get(gap.need, "") or visible(gap.need)

    def why(self, gap: Gap) -> str:
        """Why it could not be had."""
        return self._why.get(gap.reason, "") or visible(gap.reason or gap.state)


def visible(code: str) -> str:
    """A foreign code in which nothing is hidden: no control character, none that turns the direction of writing."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", code)


def apart(name: str) -> str:
    """A foreign name inside a sentence, which keeps its own direction of writing whatever that of the name is."""
    return f"\N{FIRST STRONG ISOLATE}{visible(name)}\N{POP DIRECTIONAL ISOLATE}"


def number(count: int) -> str:
    """A count with its thousands set apart."""
    return f"{count:,}"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 card``, ``2 cards``."""
    return f"{number(count)}{SPACE}{one if count == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """A share in whole percent; what is not quite none or all does not become it."""
    return f"{_whole(share)}{SPACE}%"


def interval(found: Rate) -> str:
    """The 95 % interval of a rate."""
    low, high = _whole(found.low), _whole(found.high)
    return f"{low}{SPACE}%" if low == high else f"{low} to {high}{SPACE}%"


def rate_in_words(found: Rate | None) -> str:
    """A rate with its interval, or that there is none."""
    return f"{percent(found.share)} ({interval(found)})" if found else "no rate"


def _whole(share: float) -> str:
    if _FEW < share < 0.01:
        return "<1"
    return ">99" if 0.99 < share < 1 - _FEW else f"{share:.0%}".rstrip("%")


def day_of(day: dt.date) -> str:
    """``26 October 2026``."""
    return f"{day.day}{SPACE}{day:%B} {day.year}"


def short_day(day: dt.date, *, with_year: bool) -> str:
    """``26 Oct``, where the year need not be said."""
    return f"{day.day}{SPACE}{day:%b}{SPACE}{day:%Y}" if with_year else f"{day.day}{SPACE}{day:%b}"


def week_of(name: str) -> str:
    """A week, by its Monday."""
    try:
        return f"week of {day_of(dt.date.fromisoformat(name))}"
    except ValueError:
        return visible(name)


def duration(seconds: int) -> str:
    """``5 minutes``: in the largest unit that divides it."""
    size, unit = next((size, unit) for size, unit in _TIMES if seconds % size == 0)
    return counted(seconds // size, unit)


def delay(over: int, at_most: int | None) -> str:
    """The time between two bounds, the first of which is not in it."""
    if at_most is None:
        return f"more than {duration(over)}"
    return f"{duration(over)} to {duration(at_most)}" if over else f"up to {duration(at_most)}"


def selection(filters: Filters) -> str:
    """What is looked at, in one line."""
    chosen = [
        f"{name} {visible(code)}"
        for name, code in (
            ("client", filters.client),
            ("hook", filters.hook),
            ("recommendation", filters.recommendation),
            ("version", filters.version),
            ("indicator", filters.indicator),
        )
        if code
    ]
    if filters.first:
        chosen.append(f"from the week of {day_of(filters.first)}")
    if filters.last:
        chosen.append(f"to the week of {day_of(filters.last)}")
    return ", ".join(chosen)
