"""JSON as people read it: what fits on one line stands on one line, so that a record is a page and a change a line."""

from __future__ import annotations

import json
from typing import Any, Final

_WIDTH: Final = 160


def laid_out(value: Any, indent: str = "", taken: int = 0) -> str:
    """JSON of a value whose further lines begin with ``indent``; its first line has ``taken`` columns less."""
    text = json.dumps(value, ensure_ascii=False)
    if taken + len(text) < _WIDTH or not value or not isinstance(value, dict | list):
        return text
    inner = indent + "  "
    if isinstance(value, dict):
        names = [f"{inner}{json.dumps(name, ensure_ascii=False)}: " for name in value]
        lines = [name + laid_out(one, inner, len(name) + 1) for name, one in zip(names, value.values(), strict=True)]
    else:
        lines = [inner + laid_out(one, inner, len(inner) + 1) for one in value]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([start, ",\n".join(lines), indent + end])
