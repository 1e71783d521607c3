"""JSON as RFC 8259 has it and no more lenient: what two readers could read in two ways is refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_json(data: bytes) -> object:
    """The value in UTF-8 bytes. Raises ValueError, which repeats nothing of it: for duplicate members and NaN too."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_members, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a member stands there twice")
    return made


def _refuse(_: str) -> NoReturn:
    raise ValueError("NaN and the infinite are no JSON")
