"""Prefetch templates: what a service may ask for in discovery, and what it asks for in one call (section D).

Accepted is what every version since 1.0 allows, so any client can honour it: fixed tokens of first-level
context members (TOK-4), the user tokens of 2.0, and the restricted queries of QRY-2 to QRY-6. The FHIRPath
tokens of 3.0 (TOK-6) are trial use and refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from cds_service.errors import WrongHookError
from cds_service.hooks.contexts import CONTEXTS

USER_TOKENS: Final = ("userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId")
"""The tokens that stand for the bare id of the current user (TOK-2, TOK-5)."""

_TOKEN: Final = re.compile(r"\{\{(?P<name>[^{}]*)\}\}")
_READ: Final = re.compile(r"(?:[A-Z][A-Za-z]+/\{\{[^{}]*\}\}|\{\{context\.userId\}\})")
_SEARCH: Final = re.compile(r"[A-Z][A-Za-z]+\?(?P<query>.+)")
_PARAMETER: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_-]*)(?::(?P<modifier>[A-Za-z:-]+))?=(?P<value>\S+)")
_COUNT: Final = re.compile(r"[1-9][0-9]*")
_SORT: Final = re.compile(r"-?[A-Za-z_][A-Za-z0-9_-]*(,-?[A-Za-z_][A-Za-z0-9_-]*)*")
_FOREIGN_PREFIX: Final = re.compile(r"(?:ne|sa|eb|ap)[0-9]{4}")
_SPECIAL: Final[Mapping[str, re.Pattern[str] | None]] = {
    "_count": _COUNT,
    "_maxresults": _COUNT,
    "_sort": _SORT,
    "_id": None,
    "_lastUpdated": None,
}


def tokens(hook: str) -> tuple[str, ...]:
    """The tokens a template may use on `hook`: those its definition marks with Yes, and the user tokens."""
    context = CONTEXTS.get(hook)
    if context is None:
        raise WrongHookError(CONTEXTS)
    return (*(f"context.{field}" for field in context.TOKEN_FIELDS), *USER_TOKENS)


def check_template(hook: str, template: str) -> list[str]:
    """Say in sentences what is wrong with a template for `hook`; an empty list means nothing is."""
    return [*_check_tokens(hook, template), *_check_query(template)]


def _check_tokens(hook: str, template: str) -> Iterator[str]:
    allowed = tokens(hook)
    for found in _TOKEN.finditer(template):
        if found["name"] not in allowed:
            yield f"{found[0]} is no token of {hook}; use one of {', '.join(allowed)} (TOK-2, TOK-4)"
    if re.search(r"[{}]", _TOKEN.sub("", template)):
        yield "a token stands between {{ and }} (TOK-1)"


def _check_query(template: str) -> Iterator[str]:
    if _READ.fullmatch(template):
        return
    search = _SEARCH.fullmatch(template)
    if search is None:
        yield "a template is a relative read, Type/{{token}}, or search, Type?name=value (PRE-1, QRY-2)"
        return
    for parameter in search["query"].split("&"):
        yield from _check_parameter(parameter)


def _check_parameter(parameter: str) -> Iterator[str]:
    found = _PARAMETER.fullmatch(parameter)
    if found is None:
        yield f"{parameter!r} is not name=value of a plain search parameter: no chains, no spaces (QRY-3)"
        return
    name, modifier, value = found.group("name", "modifier", "value")
    if modifier is not None and modifier != "in":
        yield f"{name}:{modifier}: the only modifier is :in (QRY-4)"
    if _FOREIGN_PREFIX.match(value):
        yield f"{name}={value}: the date prefixes are eq, lt, gt, ge, le (QRY-5)"
    if name.startswith("_"):
        yield from _check_special(name, value)


def _check_special(name: str, value: str) -> Iterator[str]:
    if name not in _SPECIAL:
        yield f"{name} is outside the subset; of these there are {', '.join(_SPECIAL)} (QRY-6)"
    elif (form := _SPECIAL[name]) is not None and not form.fullmatch(value):
        yield f"{name}={value} is malformed; write _count=50 or _sort=-date (QRY-6)"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values of one call (`HookContext.token_values`) into a template.

    A value is percent-encoded, save the slash of `{{context.userId}}`. Raises KeyError naming the token when
    the call has no value for it, such as the encounter of a call outside one: that query cannot be made.
    """
    return _TOKEN.sub(lambda found: quote(values[found["name"]], safe="/"), template)
