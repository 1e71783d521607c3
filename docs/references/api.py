"""docs/api.md, from the OpenAPI document that the service itself gives out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cds_service.api.openapi import openapi_of
from cds_service.knowledge.loader import load_knowledge
from docs.references.json_schema import schema_parts
from docs.references.markdown import anchor, code, fenced, folded, page, table

CARDS = Path(__file__).resolve().parents[2] / "cards"
HEAD = (
    "Every endpoint for machines. It is made from `GET /openapi.json`, which the running service gives out in OpenAPI "
    "{version}, for tools that read that.\n\n"
    "The shapes are those of [CDS Hooks](https://cds-hooks.hl7.org); [conformance.md](conformance.md) goes through the "
    "standard row by row. What patient data each service asks for stands in its discovery entry, and in "
    "[patient-data.md](patient-data.md). The knowledge behind the answers is a draft, not clinically approved."
)
REFUSALS = (
    "Every refusal has a FHIR OperationOutcome as its body. Its `diagnostics` name the member or the prefetch keys at "
    "fault, never a value that was sent, and a client does not show them to its users. [operations.md]"
    "(operations.md#what-is-refused) has the limits and their settings. What a status says that is not repeated at "
    "an endpoint stands here."
)
_SERVICE = re.compile(r"(?<=^/cds-services/)[^/{]+")
_LONG = 30


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    spec: Mapping[str, Any]

    @property
    def heading(self) -> str:
        """How the services' endpoints are called together."""
        return f"{self.method.upper()} {_SERVICE.sub('{id}', self.path)}"


class Reference:
    """The page of one OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.groups: dict[str, list[Operation]] = {}
        for path, item in document["paths"].items():
            for method, spec in item.items():
                if isinstance(spec, dict) and "responses" in spec:
                    shared = {"parameters": [*item.get("parameters", []), *spec.get("parameters", [])]}
                    operation = Operation(path, method, {**spec, **shared})
                    self.groups.setdefault(operation.heading, []).append(operation)
        said = Counter(
            (status, answer.get("description", ""))
            for operation in self._operations()
            for status, answer in self._answers(operation)
            if not status.startswith("2")
        )
        self.usual: dict[str, str] = {}
        for (status, words), _ in said.most_common():
            self.usual.setdefault(status, words)

    def text(self) -> str:
        """The whole page."""
        overview = table(
            ("Endpoint", "Does"),
            ((f"[`{name}`](#{anchor(name)})", self._title(members)) for name, members in self.groups.items()),
        )
        parts = [HEAD.format(version=self.document["openapi"]), overview, self._security()]
        parts += [self._group(name, members) for name, members in self.groups.items()]
        return page("API", *parts, self._refusals(), self._schemas())

    def _operations(self) -> Iterator[Operation]:
        for members in self.groups.values():
            yield from members

    def _title(self, members: Sequence[Operation]) -> str:
        titles = list(dict.fromkeys(member.spec.get("summary", "") for member in members))
        return titles[0] if len(titles) == 1 else f"A call of one of {len(titles)} services"

    def _security(self) -> str:
        schemes = self.document.get("components", {}).get("securitySchemes", {})
        rows = [
            (code(name), " ".join(filter(None, [it.get("type"), it.get("scheme"), it.get("bearerFormat")])), words)
            for name, it in schemes.items()
            for words in [it.get("description", "")]
        ]
        return "\n\n".join(["## Who may call", table(("Scheme", "Kind", "Meaning"), rows)]) if rows else ""

    def _group(self, name: str, members: Sequence[Operation]) -> str:
        """What all of them say once; what only one says under its own path."""
        parts = [f"## {name}"]
        if len(members) > 1:
            titles = {member.spec.get("summary", "") for member in members}
            rows = ((code(member.path), member.spec.get("summary", "") * (len(titles) > 1)) for member in members)
            parts.append(table(("Path", "Service"), rows))
        for render in (self._words, self._parameters, self._body, self._successes, self._refused):
            rendered = {member.path: render(member) for member in members}
            if len(set(rendered.values())) == 1:
                parts.append(rendered[members[0].path])
            else:
                parts += (f"**`{path}`**\n\n{text}" for path, text in rendered.items() if text)
        return "\n\n".join(part for part in parts if part)

    def _words(self, operation: Operation) -> str:
        secured = operation.spec.get("security", self.document.get("security"))
        named = [" and ".join(code(name) for name in one) or "none" for one in secured or []]
        is_one_of_many = len(self.groups[operation.heading]) > 1  # then the table of paths has the summaries
        words = operation.spec.get("description", "" if is_one_of_many else operation.spec.get("summary", "") + ".")
        said = [f"Authentication: {' or '.join(named)}."] if named else []
        return "\n\n".join(part for part in [words, *said] if part)

    def _parameters(self, operation: Operation) -> str:
        rows = [
            (code(it["name"]), it["in"], "yes" if it.get("required") else "", it.get("description", ""))
            for it in map(self._resolved, operation.spec["parameters"])
        ]
        return table(("Parameter", "In", "Required", "Meaning"), rows) if rows else ""

    def _body(self, operation: Operation) -> str:
        body = self._resolved(operation.spec.get("requestBody", {}))
        return "\n\n".join(["**Request**", *self._contents(body)]) if body else ""

    def _successes(self, operation: Operation) -> str:
        parts = []
        for status, answer in self._answers(operation):
            if status.startswith("2"):
                parts += [f"**Answer {status}:** {answer.get('description', '')}", *self._contents(answer)]
        return "\n\n".join(parts)

    def _refused(self, operation: Operation) -> str:
        rows = [
            (f"[{status}](#refusals)", words if words != self.usual[status] else "", self._headers(answer))
            for status, answer in self._answers(operation)
            if not status.startswith("2")
            for words in [answer.get("description", "")]
        ]
        if not any(words or headers for _, words, headers in rows):
            return f"Refused with {', '.join(status for status, _, _ in rows)}." if rows else ""
        return table(("Refused with", "Here", "Headers"), rows)

    def _contents(self, holder: Mapping[str, Any]) -> Iterator[str]:
        headers = self._headers(holder)
        if headers:
            yield f"Headers: {headers}"
        for media_type, content in holder.get("content", {}).items():
            yield code(media_type) + ":"
            yield from schema_parts(content.get("schema", {}), "")
            yield from self._examples(content)

    def _examples(self, content: Mapping[str, Any]) -> Iterator[str]:
        found = {name: self._resolved(it) for name, it in content.get("examples", {}).items()}
        if "example" in content:
            found["example"] = {"value": content["example"]}
        for name, it in found.items():
            shown = json.dumps(it.get("value"), indent=2, ensure_ascii=False)
            title = f"Example: {it.get('summary') or name}" if name != "example" else "Example"
            block = fenced(shown, "json")
            yield folded(title, block) if shown.count("\n") > _LONG else f"{title}\n\n{block}"

    def _refusals(self) -> str:
        rows = [(f"{status} {_phrase(status)}".strip(), words) for status, words in sorted(self.usual.items())]
        return "\n\n".join(["## Refusals", REFUSALS, table(("Status", "Meaning"), rows)])

    def _schemas(self) -> str:
        schemas = self.document.get("components", {}).get("schemas", {})
        parts = ["## Schemas"] if schemas else []
        for name, schema in schemas.items():
            parts += [f"### {name}", *schema_parts(schema, schema.get("description", ""))]
            parts += self._examples(
                {"examples": {str(n): {"value": v} for n, v in enumerate(schema.get("examples", []), 1)}}
            )
        return "\n\n".join(part for part in parts if part)

    def _answers(self, operation: Operation) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for status, answer in operation.spec["responses"].items():
            yield str(status), self._resolved(answer)

    def _headers(self, holder: Mapping[str, Any]) -> str:
        found = {name: self._resolved(it) for name, it in holder.get("headers", {}).items()}
        return "; ".join(f"`{name}` {it.get('description', '')}".strip() for name, it in found.items())

    def _resolved(self, it: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a `$ref` points at."""
        while "$ref" in it:
            target: Any = self.document
            for part in it["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            it = target
        return it


def api_page() -> str:
    """The API as people read it."""
    return Reference(openapi_of(load_knowledge(CARDS))).text()


def _phrase(status: str) -> str:
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return ""
