"""The synthetic patients of ``fhir_examples/``, which travel with the product: for the playground and for trying.

Their dates are relative to the moment of reading, for a record with fixed dates would tell another story next month.
``today`` is the day in UTC, the service's own default time zone:

    {{today}}  {{today - 35 days}}  {{today + 21 days}}  {{today - 46 years}}    a date
    {{now}}  {{now - 6 hours}}  {{now - 2 days}}                                 an instant, to the second
    {{date of now - 6 hours}}                                                    the date of that instant
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

SERVER: Final = "http://127.0.0.1:8090/fhir"
"""Where ``python -m fhir_examples.server`` has them; the id of a Patient is the name of the example."""
PLACEHOLDER: Final = re.compile(
    r"\{\{(?P<of>date of )?(?P<start>today|now)(?: (?P<sign>[+-]) (?P<number>\d+) (?P<unit>years|days|hours))?\}\}"
)
_PACKAGED: Final = Path(__file__).parent / "patients"
_FOLDER: Final = Path(__file__).resolve().parent.parent / "fhir_examples" / "patients"


@dataclass(frozen=True, slots=True)
class Example:
    """One synthetic patient: what the story is, and what it shows (a cause, a near miss, a red flag, …)."""

    name: str
    title: str
    about: str
    shows: str
    file: Path

    def bundle(self, now: dt.datetime) -> dict[str, Any]:
        """The record as a FHIR Bundle, the Patient first, with its dates as they are at ``now``."""
        made: dict[str, Any] = json.loads(fill(self.file.read_text(encoding="utf-8"), now))
        return made


def read_examples() -> tuple[Example, ...]:
    """All of them, in the order in which they are told."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _FOLDER
    entries = yaml.safe_load((folder / "index.yaml").read_text(encoding="utf-8"))
    return tuple(Example(**entry, file=folder / f"{entry['name']}.json") for entry in entries)


# ---- relative dates


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
