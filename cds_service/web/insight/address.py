"""What is looked at stands in the address, and nowhere else: the filters of `/insight` as a query, and back.

A parameter or a value that cannot be meant is refused, never ignored: an address that says one thing and shows another
would mislead whoever it is sent to. A code that the ledger has not is no mistake: there is nothing to show for it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from cds_service.decision.insight import GROUPINGS, Filters, monday
from cds_service.errors import InvalidRequestError

CODES: Final = ("client", "hook", "recommendation", "version", "indicator")
"""The filters that are a code of the ledger."""
_PARAMETERS: Final = (*CODES, "from", "to", "by")
_LONGEST: Final = 200
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_CENTURY: Final = (dt.date(2001, 1, 1), dt.date(2099, 12, 31))  # keeps the weeks in between to what can be shown
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def read_filters(parameters: Iterable[tuple[str, str]]) -> Filters:
    """The filters of a query. Raises InvalidRequestError, which names the parameter and repeats no value.

    A parameter without a value is one that was not given: so a form sends what is left open.
    """
    given = _given(parameters)
    by = next((grouping for grouping in GROUPINGS if grouping == given.get("by", GROUPINGS[0])), None)
    if by is None:
        raise InvalidRequestError("by", f"is none of {', '.join(GROUPINGS)}")
    first, last = (_week(name, given.get(name)) for name in ("from", "to"))
    if first and last and first > last:
        raise InvalidRequestError("from", "is later than to")
    codes = {name: given.get(name) for name in CODES}
    return Filters(first=first, last=last, by=by, **codes)


def address(filters: Filters, page: str = "insight", **changes: str | None) -> str:
    """The address of a page with these filters, relative to `/insight`: the same filters have always the same one."""
    pairs = [(name, value) for name, value in in_words(filters).items() if value]
    pairs += [(name, value) for name, value in changes.items() if value]
    return f"{page}?{urlencode(pairs)}" if pairs else page


def in_words(filters: Filters) -> dict[str, str | None]:
    """The filters as they stand in the address, None where all is meant."""
    weeks = {name: week and week.isoformat() for name, week in (("from", filters.first), ("to", filters.last))}
    return {**{name: getattr(filters, name) for name in CODES}, **weeks, "by": filters.by}


def without_filters(filters: Filters) -> Filters:
    """Everything, grouped as before."""
    return replace(Filters(), by=filters.by)


def _given(parameters: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in _PARAMETERS:
            raise InvalidRequestError("query", f"has a parameter that is none of {', '.join(_PARAMETERS)}")
        if name in given:
            raise InvalidRequestError(name, "is given twice")
        if len(value) > _LONGEST or _CONTROL.search(value):
            raise InvalidRequestError(name, "is no code of the ledger")
        given[name] = value
    return {name: value for name, value in given.items() if value}


def _week(name: str, text: str | None) -> dt.date | None:
    """The Monday of the week of a day."""
    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text if _DATE.fullmatch(text) else "")
    except ValueError:
        day = dt.date.min
    if not _CENTURY[0] <= day <= _CENTURY[1]:
        raise InvalidRequestError(name, "is no day of this century such as 2026-10-26")
    return monday(day)
