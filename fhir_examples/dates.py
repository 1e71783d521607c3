"""Dates relative to the call: ``{{today - 35 days}}``, ``{{now - 6 hours}}``, filled in when a call is fired.

A record written down with fixed dates would tell another story next month. So the examples say how long ago something
was, and become FHIR when they are needed. ``today`` is the day in UTC, the service's own default time zone:

    {{today}}  {{today - 35 days}}  {{today + 21 days}}  {{today - 46 years}}    a date
    {{now}}  {{now - 6 hours}}  {{now - 2 days}}                                 an instant, to the second
    {{date of now - 6 hours}}                                                    the date of that instant

    python -m fhir_examples.dates fhir_examples/patients/cauda-equina.json > /tmp/patient.json
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLACEHOLDER = re.compile(
    r"\{\{(?P<of>date of )?(?P<start>today|now)(?: (?P<sign>[+-]) (?P<number>\d+) (?P<unit>years|days|hours))?\}\}"
)


def fill(text: str, now: dt.datetime) -> str:
    """The text with its dates as they are at ``now``. Raises ValueError for a placeholder that is not understood."""
    filled = PLACEHOLDER.sub(lambda found: value(found[0], now), text)
    if "{{today" in filled or "{{now" in filled:
        raise ValueError(f"a date that is not understood: {filled[filled.index('{{') :][:60]}")
    return filled


def fill_all(data: Any, now: dt.datetime) -> Any:
    """The same for every string in a JSON value."""
    return each_string(data, lambda text: fill(text, now))


def value(placeholder: str, now: dt.datetime) -> str:
    """What one placeholder stands for at ``now``."""
    found = PLACEHOLDER.fullmatch(placeholder)
    if found is None:
        raise ValueError(f"not a date: {placeholder}")
    moment = _moved(now.astimezone(dt.UTC).replace(microsecond=0), found)
    is_date = found["of"] or found["start"] == "today"
    return moment.date().isoformat() if is_date else moment.isoformat()


def _moved(moment: dt.datetime, found: re.Match[str]) -> dt.datetime:
    if found["number"] is None:
        return moment
    number = int(found["number"]) * (1 if found["sign"] == "+" else -1)
    if found["unit"] == "years":
        return moment.replace(year=moment.year + number, day=min(moment.day, 28))  # there is not always a 29 February
    return moment + dt.timedelta(**{found["unit"]: number})


def each_string(data: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every string in it changed."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, dict):
        return {name: each_string(inner, change) for name, inner in data.items()}
    if isinstance(data, list):
        return [each_string(inner, change) for inner in data]
    return data


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(fill(Path(name).read_text(encoding="utf-8"), dt.datetime.now(dt.UTC)))
