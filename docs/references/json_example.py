"""An example, as far as people want to see it: what is long is cut, and the cut is marked."""

from __future__ import annotations

import json
from typing import Any

from docs.references.markdown import fenced, folded

_LONG_TEXT = 200
_LONG_LIST = 2
_LONG_BLOCK = 25


def example(title: str, value: Any) -> str:
    """An example under its title; one that is long still opens with a click."""
    shown = json.dumps(_cut(value), indent=2, ensure_ascii=False)
    heading = f"Example: {title}" if title else "Example"
    block = fenced(shown, "json")
    return folded(heading, block) if shown.count("\n") > _LONG_BLOCK else f"{heading}\n\n{block}"


def _cut(value: Any) -> Any:
    """A short one is whole; of a long list come the first two, of a long text its beginning."""
    if isinstance(value, str):
        return value if len(value) <= _LONG_TEXT else f"{value[:_LONG_TEXT].rstrip()} …"
    if isinstance(value, list):
        more = len(value) - _LONG_LIST
        return [*map(_cut, value[:_LONG_LIST]), *([f"… {more} more"] if more > 0 else [])]
    if isinstance(value, dict):
        return {name: _cut(inner) for name, inner in value.items()}
    return value
