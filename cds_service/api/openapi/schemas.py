"""From the types that read and write the wire to JSON Schema: names, types and what is required come from the types.

What a type does not say (the meaning of a member, the form of a string, which members go together) stands beside it in
`requests` and `answers`, member by member. A member without a description, or one that the type has not, is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

Schema = dict[str, Any]

UUID: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_SCHEMAS: Final = "#/components/schemas/"
_OWN_TYPE: Final = frozenset(("type", "const", "enum", "$ref", "anyOf"))
"""Where a member's words have one of these, they replace what the type says."""


@dataclass(frozen=True, slots=True)
class Described:
    """A type of the wire with its words. ``never_sent`` are members that the standard has and this service leaves out.

    ``rules`` hold for the object as a whole. A type that is read and written has a ``name`` of its own on each side.
    """

    struct: type[msgspec.Struct]
    about: str
    members: Mapping[str, Schema]
    never_sent: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()
    rules: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def component(self) -> str:
        """Its name in the document."""
        return self.name or self.struct.__name__


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"{_SCHEMAS}{name}"}


def says(description: str, **constraints: Any) -> Schema:
    """The words of a member, and what its type does not say of its form."""
    return {"description": description, **constraints}


def components(described: Iterable[Described], *, is_sent: bool) -> dict[str, Schema]:
    """The schemas of types by name.

    What the service sends is closed: it has no other member, and none is null. What it reads may hold more.
    """
    described = list(described)
    renamed = {it.struct.__name__: it.name for it in described if it.name}
    return {it.component: _object(it, renamed, is_sent=is_sent) for it in described}


def _object(it: Described, renamed: Mapping[str, str], *, is_sent: bool) -> Schema:
    fields = {one.encode_name: one for one in msgspec.structs.fields(it.struct) if one.encode_name not in it.never_sent}
    if set(it.members) != set(fields):
        raise TypeError(f"{it.struct.__name__}: not described as it is: {set(it.members) ^ set(fields)}")
    properties: dict[str, Schema] = {}
    required: list[str] = []
    config = it.struct.__struct_config__
    if config.tag_field:
        properties[config.tag_field] = {"const": config.tag, "description": "The FHIR resource type."}
        required.append(config.tag_field)
    for name, one in fields.items():
        properties[name] = _member(one.type, it.members[name], renamed, is_sent=is_sent)
        if one.required or name in it.always:
            required.append(name)
    schema: Schema = {"type": "object", "description": it.about, "required": required, "properties": properties}
    if is_sent:
        schema["additionalProperties"] = False
    return {**schema, **it.rules}


def _member(kind: Any, words: Schema, renamed: Mapping[str, str], *, is_sent: bool) -> Schema:
    if _OWN_TYPE & words.keys():
        return words
    (schema,), _ = msgspec.json.schema_components((kind,), schema_hook=_string, ref_template=f"{_SCHEMAS}{{name}}")
    schema = _renamed(schema, renamed)
    if len(branches := schema.get("anyOf", ())) == 2 and branches[1] == {"type": "null"}:
        schema = branches[0] if is_sent else _or_null(branches[0])
    return schema | words


def _or_null(schema: Schema) -> Schema:
    if "type" in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, dict):
        return {key: _renamed(value, names) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_renamed(value, names) for value in schema]
    if isinstance(schema, str) and schema.startswith(_SCHEMAS):
        name = schema.removeprefix(_SCHEMAS)
        return f"{_SCHEMAS}{names.get(name, name)}"
    return schema


def _string(_: type) -> Schema:
    """A type of our own that is a string on the wire, as the access token is."""
    return {"type": "string"}
