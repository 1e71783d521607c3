"""docs/api.md, from the OpenAPI document that the service itself gives out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cds_service.api.openapi import openapi_of
from cds_service.knowledge.loader import load_knowledge
from docs.references.json_example import example
from docs.references.json_schema import named_schemas, schema_parts
from docs.references.markdown import anchor, code, page, table

CARDS = Path(__file__).resolve().parents[2] / "cards"
HEAD = (
    "Every endpoint for machines, made from what the running service gives out at `GET /openapi.json`: OpenAPI "
    "{version}, for tools that read that. It has more examples than this page, and the members of the pages as data, "
    "of which [insight.md](insight.md#json-and-csv) has the figures.\n\n"
    "The shapes are those of [CDS Hooks](https://cds-hooks.hl7.org); [conformance.md](conformance.md) goes through the "
    "standard row by row, and [patient-data.md](patient-data.md) tells how patient data is had. The knowledge behind "
    "the answers is a draft, not clinically approved."
)
REFUSALS = (
    "Every refusal has a FHIR OperationOutcome as its body. Its `diagnostics` name the member or the prefetch keys at "
    "fault, never a value that was sent, and a client does not show them to its users. [operations.md]"
    "(operations.md#what-is-refused) has the limits and their settings. Where an endpoint means something else by a "
    "status than stands here, it says so."
)
_SERVICE = re.compile(r"(?<=^/cds-services/)[^/{]+")
_EXPLAINED = ("/cds-services", "/health")
"""What is below these paths has its schemas on the page."""


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
        for operation in _operations(document):
            self.groups.setdefault(operation.heading, []).append(operation)
        explained = [it.spec for it in self._operations() if it.path.startswith(_EXPLAINED)]
        self.schemas = named_schemas(document, explained)
        self.usual = self._usual()
        self.everywhere = self._everywhere()

    def text(self) -> str:
        """The whole page."""
        overview = table(
            ("Endpoint", "Does"),
            ((f"[`{name}`](#{anchor(name)})", self._title(members)) for name, members in self.groups.items()),
        )
        about = self.document.get("info", {}).get("description", "").strip()
        parts = [HEAD.format(version=self.document["openapi"]), overview, "## What holds everywhere", about]
        parts += [self._security()]
        parts += [self._group(name, members) for name, members in self.groups.items()]
        return page("API", *parts, self._refusals(), self._schemas())

    def _operations(self) -> Iterator[Operation]:
        for members in self.groups.values():
            yield from members

    def _usual(self) -> dict[str, tuple[str, str]]:
        """What each refusal says at most endpoints, and the first one's headers."""
        said = Counter(
            (status, answer.get("description", ""))
            for operation in self._operations()
            for status, answer in self._answers(operation)
            if not status.startswith("2")
        )
        found: dict[str, tuple[str, str]] = {}
        for (status, words), _ in said.most_common():
            found.setdefault(status, (words, ""))
        return found

    def _everywhere(self) -> set[str]:
        """The headers that every answer has."""
        answers = [set(answer.get("headers", {})) for it in self._operations() for _, answer in self._answers(it)]
        return set.intersection(*answers) if answers else set()

    @staticmethod
    def _title(members: Sequence[Operation]) -> str:
        titles = sorted({member.spec.get("summary", "") for member in members})
        shared = {title.partition(":")[0] for title in titles}
        return shared.pop() if len(shared) == 1 else f"A call of one of {len(titles)} services"

    def _security(self) -> str:
        schemes = self.document.get("components", {}).get("securitySchemes", {})
        rows = [
            (
                code(name),
                " ".join(filter(None, map(it.get, ("type", "scheme", "bearerFormat")))),
                it.get("description", ""),
            )
            for name, it in schemes.items()
        ]
        return table(("Authentication", "Kind", "Meaning"), rows) if rows else ""

    def _group(self, name: str, members: Sequence[Operation]) -> str:
        """What all of them say once; what only one says under its own path; examples of the first."""
        parts = [f"## {name}", self._paths(members), self._same(members, self._words)]
        parts += [self._same(members, part) for part in (self._security_of, self._parameters, self._body)]
        parts += self._examples(self._resolved(members[0].spec.get("requestBody", {})))
        parts += [self._same(members, self._successes)]
        for status, answer in self._answers(members[0]):
            parts += self._examples(answer) if status.startswith("2") else ()
        return "\n\n".join(part for part in [*parts, self._same(members, self._refused)] if part)

    @staticmethod
    def _same(members: Sequence[Operation], render: Callable[[Operation], str]) -> str:
        rendered = {member.path: render(member) for member in members}
        if len(set(rendered.values())) == 1:
            return rendered[members[0].path]
        if render.__name__ == "_words":
            rests = {_first_sentence(text)[1] for text in rendered.values()}
            return rests.pop() if len(rests) == 1 else ""  # the table of paths has the first
        return "\n\n".join(f"**`{path}`:** {text}" for path, text in rendered.items() if text)

    def _paths(self, members: Sequence[Operation]) -> str:
        if len(members) == 1:
            return ""
        differ = len({self._words(member) for member in members}) > 1
        rows = (
            (code(it.path), it.spec.get("summary", ""), _first_sentence(self._words(it))[0])
            if differ
            else (code(it.path), "", "")
            for it in members
        )
        return table(("Path", "Service", "Does"), rows)

    @staticmethod
    def _words(operation: Operation) -> str:
        return str(operation.spec.get("description") or f"{operation.spec.get('summary', '')}.")

    def _security_of(self, operation: Operation) -> str:
        secured = operation.spec.get("security", self.document.get("security"))
        if secured is None:
            return ""
        named = [" and ".join(code(name) for name in one) or "none" for one in secured]
        return f"Authentication: {' or '.join(named) or 'none'}."

    def _parameters(self, operation: Operation) -> str:
        rows = [
            (code(it["name"]), it["in"], "yes" if it.get("required") else "", it.get("description", ""))
            for it in map(self._resolved, operation.spec["parameters"])
        ]
        return table(("Parameter", "In", "Required", "Meaning"), rows) if rows else ""

    def _body(self, operation: Operation) -> str:
        body = self._resolved(operation.spec.get("requestBody", {}))
        return f"Request: {self._contents(body)}" if body else ""

    def _successes(self, operation: Operation) -> str:
        return "\n\n".join(
            f"**Answer {status}:** {' '.join([answer.get('description', ''), self._headers(answer)]).strip()} "
            f"{self._contents(answer)}".strip()
            for status, answer in self._answers(operation)
            if status.startswith("2")
        )

    def _refused(self, operation: Operation) -> str:
        refused = [(status, answer) for status, answer in self._answers(operation) if not status.startswith("2")]
        rows = [
            (status, words)
            for status, answer in refused
            for words in [answer.get("description", "")]
            if words != self.usual[status][0]
        ]
        if not refused:
            return ""
        sentence = f"[Refused](#refusals) with {', '.join(status for status, _ in refused)}."
        return "\n\n".join([sentence, *([table(("Status", "Means here"), rows)] if rows else [])])

    def _contents(self, holder: Mapping[str, Any]) -> str:
        """The media types, those with the same schema together, and what their schema says."""
        found: dict[str, list[str]] = {}
        for media_type, content in holder.get("content", {}).items():
            parts = "\n\n".join(schema_parts(content.get("schema", {}), "", self.schemas))
            found.setdefault(parts, []).append(code(media_type))
        return "\n\n".join(
            f"{' or '.join(types)}, {parts}" if "\n" not in parts else f"{' or '.join(types)}\n\n{parts}"
            for parts, types in found.items()
        )

    def _examples(self, holder: Mapping[str, Any]) -> Iterator[str]:
        for content in holder.get("content", {}).values():
            for name, it in content.get("examples", {}).items():
                resolved = self._resolved(it)
                yield example(str(resolved.get("summary") or name), resolved.get("value"))
            if "example" in content:
                yield example("", content["example"])

    def _refusals(self) -> str:
        headers: dict[str, str] = {}
        for operation in self._operations():
            for status, answer in self._answers(operation):
                headers[status] = headers.get(status) or self._headers(answer)
        rows = (
            (f"{status} {_phrase(status)}".strip(), words, headers[status])
            for status, (words, _) in sorted(self.usual.items())
        )
        return "\n\n".join(["## Refusals", REFUSALS, table(("Status", "Meaning", "Headers"), rows)])

    def _schemas(self) -> str:
        parts = ["## Schemas"] if self.schemas else []
        for name, schema in self.schemas.items():
            parts += [f"### {name}", *schema_parts(schema, schema.get("description", ""), self.schemas)]
        return "\n\n".join(parts)

    def _answers(self, operation: Operation) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for status, answer in operation.spec["responses"].items():
            yield str(status), self._resolved(answer)

    def _headers(self, holder: Mapping[str, Any]) -> str:
        found = {
            name: self._resolved(it) for name, it in holder.get("headers", {}).items() if name not in self.everywhere
        }
        return "; ".join(f"`{name}`: {it.get('description', '')}".rstrip(" :.") for name, it in found.items())

    def _resolved(self, it: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a `$ref` points at."""
        while "$ref" in it:
            target: Any = self.document
            for part in it["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            it = target
        return it


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, spec in item.items():
            if isinstance(spec, dict) and "responses" in spec:
                shared = {"parameters": [*item.get("parameters", []), *spec.get("parameters", [])]}
                yield Operation(path, method, {**spec, **shared})


def api_page() -> str:
    """The API as people read it."""
    return Reference(openapi_of(load_knowledge(CARDS))).text()


def _first_sentence(text: str) -> tuple[str, str]:
    """It, and what follows."""
    first, dot, rest = text.partition(". ")
    return first + dot.strip(), rest


def _phrase(status: str) -> str:
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return ""
