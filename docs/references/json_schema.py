"""A JSON Schema as a table of its members: nested ones under their path, named ones as a link."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
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
    "format": "{}",
}
_LONG_PATTERN = 40
_LONG_WORDS = 300
_CHOICES = (("oneOf", "one of"), ("anyOf", "any of"), ("allOf", "all of"))


def named_schemas(document: Mapping[str, Any], users: Iterable[Any]) -> dict[str, Schema]:
    """The named schemas that these parts of a document use, one way or another, in the document's order."""
    components = document.get("components", {})
    used: set[str] = set()
    waiting = list(users)
    while waiting:
        it = waiting.pop()
        if isinstance(it, dict):
            if isinstance(reference := it.get("$ref"), str) and reference not in used:
                used.add(reference)
                _, kind, name = reference.removeprefix("#/").split("/")
                waiting.append(components[kind][name])
            waiting.extend(it.values())
        elif isinstance(it, list):
            waiting.extend(it)
    return {name: it for name, it in components.get("schemas", {}).items() if f"#/components/schemas/{name}" in used}


def schema_parts(schema: Schema | bool, words: str, linked: Container[str]) -> Iterator[str]:
    """What a schema says, as Markdown: its words, what it is, and its members; links to those that are linked."""
    if isinstance(schema, bool):
        return
    if words:
        yield words
    rows = list(_members(schema, "", linked))
    if rows:
        yield table(("Member", "Required", "Type", "Meaning"), rows)
    elif kind := kind_of(schema, linked):
        yield kind


def kind_of(schema: Schema | bool, linked: Container[str]) -> str:
    """What a value is, in words."""
    if isinstance(schema, bool) or not schema:
        return "anything" if schema else "nothing"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{anchor(name)})" if name in linked else code(name)
    if "const" in schema:
        return code(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return ", ".join(code(json.dumps(value, ensure_ascii=False)) for value in schema["enum"])
    for key, said in _CHOICES:
        if key in schema:
            kinds = [kind_of(one, linked) for one in schema[key]]
            return kinds[0] if len(kinds) == 1 else f"{said}: {', '.join(kinds)}"
    kind = schema.get("type", "object" if "properties" in schema else "anything")
    kinds = kind if isinstance(kind, list) else [kind]
    if "array" in kinds and "items" in schema:
        kinds = [f"array of {kind_of(schema['items'], linked)}" if one == "array" else one for one in kinds]
    kind = " or ".join(kinds)
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object, each value {kind_of(schema['additionalProperties'], linked)}"
    return ", ".join([kind, *_rules(schema)])


def _rules(schema: Schema) -> list[str]:
    said = ["not empty"] if 1 in (schema.get("minLength"), schema.get("minItems")) else []
    said += [words.format(schema[rule]) for rule, words in _RULES.items() if rule in schema and schema[rule] != 1]
    pattern = schema.get("pattern", "")
    return [*said, *([f"matching `{pattern}`"] if 0 < len(pattern) <= _LONG_PATTERN else [])]


def _shortened(words: str) -> str:
    """Long words cut, for a table; code that is cut is closed again."""
    if len(words) <= _LONG_WORDS:
        return words
    cut = words[:_LONG_WORDS].rstrip()
    return f"{cut} …{'`' if cut.count('`') % 2 else ''}"


def _members(schema: Schema, path: str, linked: Container[str]) -> Iterator[tuple[str, str, str, str]]:
    for part in schema.get("allOf", ()):
        yield from _members(part, path, linked)
    members = schema.get("properties", {})
    required: Sequence[str] = schema.get("required", ())
    for name in [*members, *(name for name in required if name not in members)]:
        member = members.get(name, {})
        it = member if isinstance(member, dict) else {}
        kind = kind_of(member, linked) if member != {} else ""
        yield code(f"{path}{name}"), "yes" if name in required else "", kind, _shortened(it.get("description", ""))
        yield from _members(it, f"{path}{name}.", linked)
        if isinstance(items := it.get("items"), dict):
            yield from _members(items, f"{path}{name}[].", linked)
