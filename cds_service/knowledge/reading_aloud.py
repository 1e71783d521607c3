"""A criterion as a line of text: what the trace, the pages and the author read. Made from the entry that runs."""

from __future__ import annotations

from typing import Any

from cds_service.knowledge.names import Names
from cds_service.knowledge.schema import OPERATORS, Entry

_QUIET: dict[str, Any] = {"on": "any side", "certainty": "any", "status": "active"}


def aloud(entry: Entry, names: Names) -> str:
    """The operator first, then its options: ``condition: x · on that side · onset within y (30 days)``."""
    parts: list[str] = []
    fields = type(entry).model_fields.items()
    for attribute, field in sorted(fields, key=lambda item: (item[1].alias or item[0]) not in OPERATORS):
        value = getattr(entry, attribute)
        key = field.alias or attribute
        if value is None or _QUIET.get(key, field.default) == value:
            continue
        text = _value(value, names)
        parts.append(f"{key}: {text}" if not parts else f"{key} {text}")
    return " · ".join(parts)


def _value(value: Any, names: Names) -> str:
    if isinstance(value, Entry):
        return aloud(value, names)
    if isinstance(value, list):
        return ", ".join(_value(item, names) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    parameter = names.parameters.get(value)
    if parameter is None:
        return str(value)
    unit = "" if parameter.unit in ("count", "ratio") else f" {parameter.unit}"
    return f"{value} ({parameter.value:g}{unit})"
