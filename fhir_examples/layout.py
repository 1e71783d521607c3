"""JSON as people read it: what fits on one line stands on one line, so that a record is a page and a change a line."""

from __future__ import annotations

import json
from typing import Any, Final

_WIDTH: Final = 118


def laid_out(value: Any, before: int = 0) -> str:
    """JSON of a value; ``before`` is the number of columns that its first line has lost already."""
    text = json.dumps(value, ensure_ascii=False)
    if before + len(text) <= _WIDTH or not value or not isinstance(value, dict | list):
        return text
    inner = (
        [f"{json.dumps(name, ensure_ascii=False)}: " for name in value]
        if isinstance(value, dict)
        else [""] * len(value)
    )
    values = value.values() if isinstance(value, dict) else value
    lines = [_indented(name, one) for name, one in zip(inner, values, strict=True)]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([start, ",\n".join(lines), end])


def _indented(name: str, value: Any) -> str:
    text = name + laid_out(value, before=len(name) + 2)
    return "\n".join(f"  {line}" for line in text.splitlines())
