"""A JSON Schema as a table of its members: nested ones under their path, named ones as a link."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docs.references.markdown import anchor, code, table

Schema = Mapping[str, Any]
_RULES = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "pattern": "matching `{}`",
    "format": "{}",
}
_CHOICES = (("oneOf", "one of"), ("anyOf", "any of"), ("allOf", "all of"))


def schema_parts(schema: Schema | bool, words: str) -> Iterator[str]:
    """What a schema says, as Markdown: its words, what it is, and its members."""
    if isinstance(schema, bool):
        return
    if words:
        yield words
    rows = list(_members(schema, ""))
    if rows:
        yield table(("Member", "Required", "Type", "Meaning"), rows)
    elif kind := kind_of(schema):
        yield kind


def kind_of(schema: Schema | bool) -> str:
    """What a value is, in words."""
    if isinstance(schema, bool) or not schema:
        return "anything" if schema else "nothing"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{anchor(name)})"
    if "const" in schema:
        return code(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return ", ".join(code(json.dumps(value, ensure_ascii=False)) for value in schema["enum"])
    for key, said in _CHOICES:
        if key in schema:
            kinds = [kind_of(one) for one in schema[key]]
            return kinds[0] if len(kinds) == 1 else f"{said}: {', '.join(kinds)}"
    kind = schema.get("type", "object" if "properties" in schema else "anything")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    if kind == "array":
        return ", ".join([f"array of {kind_of(schema.get('items', True))}", *_rules(schema)])
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object, each value {kind_of(schema['additionalProperties'])}"
    return ", ".join([kind, *_rules(schema)])


def _rules(schema: Schema) -> list[str]:
    return [words.format(schema[rule]) for rule, words in _RULES.items() if rule in schema]


def _members(schema: Schema, path: str) -> Iterator[tuple[str, str, str, str]]:
    for part in schema.get("allOf", ()):
        yield from _members(part, path)
    members = schema.get("properties", {})
    required: Sequence[str] = schema.get("required", ())
    for name in [*members, *(name for name in required if name not in members)]:
        member = members.get(name, {})
        it = member if isinstance(member, dict) else {}
        kind = kind_of(member) if member != {} else ""
        yield code(f"{path}{name}"), "yes" if name in required else "", kind, it.get("description", "")
        yield from _members(it, f"{path}{name}.")
        if isinstance(items := it.get("items"), dict):
            yield from _members(items, f"{path}{name}[].")
