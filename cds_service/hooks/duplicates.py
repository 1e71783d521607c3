"""A name that stands twice in one object, so that one reader might take the first and another the last.

RFC 8259 leaves open which of two members with one name counts. A gateway that looks at the first and a service that
takes the last would speak of different patients: in the objects that say what a call is about, each name stands once.
In resources the last counts, whatever is read of them.

The objects are walked by their names. Large values are stepped over by the bytes that were decoded for them, so that
next to nothing is looked at twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from cds_service.errors import InvalidRequestError

Known = Mapping[str, "msgspec.Raw | Known | None"]
"""Values of an object that are decoded already: as they came, or as an object whose names are looked at as well."""

_STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_NAME: Final = re.compile(rb"[\s,]*(" + _STRING + rb")\s*:\s*", re.DOTALL)
_SCALAR: Final = re.compile(_STRING + rb'|[^\s"{}\[\],]+', re.DOTALL)
_TOKEN: Final = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_TEXT: Final = msgspec.json.Decoder(str)


def refuse_duplicates(whole: bytes, known: Known, at: str = "the body") -> None:
    """Raise InvalidRequestError if a name stands twice in this JSON object, which was decoded and so is well-formed.

    The error names the object and not the name, which might be anything.
    """
    _walk(whole, whole.index(b"{"), known, at)


def _walk(whole: bytes, position: int, known: Known, at: str) -> int:
    """Where the object ends that begins here."""
    seen: set[str] = set()
    position += 1
    while found := _NAME.match(whole, position):
        name = _TEXT.decode(found[1])
        if name in seen:
            raise _twice(at)
        seen.add(name)
        position = found.end()
        value = known.get(name)
        if isinstance(value, msgspec.Raw):
            position = _over(whole, position, bytes(value))
        elif value is not None and whole.startswith(b"{", position):
            position = _walk(whole, position, value, name)
        else:
            position = _end_of(whole, position)
    return whole.index(b"}", position) + 1


def _over(whole: bytes, position: int, value: bytes) -> int:
    """Step over a value, if it is an object or array that is known; what is another has to be read to its end."""
    is_it = value[:1] in (b"{", b"[") and whole.startswith(value, position)
    return position + len(value) if is_it else _end_of(whole, position)


def _end_of(whole: bytes, position: int) -> int:
    """Where the value ends that begins here."""
    if scalar := _SCALAR.match(whole, position):
        return scalar.end()
    depth = 0
    for token in _TOKEN.finditer(whole, position):
        mark = token[0][:1]
        depth += (mark in b"{[") - (mark in b"}]")
        if not depth:
            return token.end()
    return len(whole)


def _twice(at: str) -> InvalidRequestError:
    return InvalidRequestError(at, "has a member that stands there more than once")
