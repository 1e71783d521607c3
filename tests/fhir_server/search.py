"""What a good FHIR R4 server answers to a read or a search of a few resources held in memory.

A parameter that it does not know is an error, so that a search no server could answer is noticed.
"""

import dataclasses
import json
from typing import Any, NamedTuple
from urllib.parse import urlencode

CONTROLS = {"_count", "_format", "_page", "_total"}
CODES = ("code", "type", "codeCodeableConcept", "medicationCodeableConcept")
FHIR_JSON = "application/fhir+json"


class Asked(NamedTuple):
    """One request, as it came: the parameters of the URL and of the form together, header names in lower case."""

    method: str
    resource_type: str
    parameters: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    path: str

    @property
    def id(self) -> str:
        """The id of a read, `_search` of a search by POST; empty for a search by GET."""
        _, found, rest = self.path.rpartition(f"/{self.resource_type}/")
        return rest if found else ""

    def first(self, name: str) -> str | None:
        """The first value of a parameter."""
        return next((value for given, value in self.parameters if given == name), None)

    @property
    def patient(self) -> str:
        """The id of the patient asked for; empty if none is."""
        return (self.first("patient") or self.first("subject") or "").rpartition("/")[2]


@dataclasses.dataclass(frozen=True)
class Answer:
    """An HTTP answer: a JSON value, or the bytes themselves."""

    status: int
    value: Any = None
    body: bytes | None = None
    content_type: str = FHIR_JSON
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def payload(self) -> bytes:
        """The body as it is before compression."""
        return json.dumps(self.value, separators=(",", ":")).encode() if self.body is None else self.body

    def having(self, **members: Any) -> "Answer":
        """The answer with other members."""
        return dataclasses.replace(self, **members)


def outcome(code: str, words: str, severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome with one issue."""
    issue = {"severity": severity, "code": code, "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def answer(asked: Asked, resources: list[dict[str, Any]], base: str, page_size: int | None = None) -> Answer:
    """The answer of a server that does all it should."""
    if asked.method == "GET" and asked.id:
        return _read(asked, resources)
    if asked.method == "GET" or (asked.method, asked.id) == ("POST", "_search"):
        return _search(asked, resources, base, page_size)
    return Answer(405, outcome("not-supported", f"{asked.method} {asked.path}"))


def entry(resource: dict[str, Any], base: str) -> dict[str, Any]:
    """A resource as an entry of a searchset."""
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}


def url_of(asked: Asked, base: str, **changed: str) -> str:
    """The absolute URL of a search, as a GET."""
    query = [(name, value) for name, value in asked.parameters if name not in changed] + list(changed.items())
    return f"{base}/{asked.resource_type}" + (f"?{urlencode(query, safe=',/|')}" if query else "")


def _read(asked: Asked, resources: list[dict[str, Any]]) -> Answer:
    for one in resources:
        if (one["resourceType"], one.get("id")) == (asked.resource_type, asked.id):
            return Answer(200, one)
    return Answer(404, outcome("not-found", f"{asked.resource_type}/{asked.id} is not known"))


def _search(asked: Asked, resources: list[dict[str, Any]], base: str, page_size: int | None) -> Answer:
    unknown = [name for name, value in asked.parameters if not _is_known(name, value)]
    if unknown:
        return Answer(400, outcome("not-supported", f"unknown search parameter, or value of {unknown[0]}"))
    found = [one for one in resources if one["resourceType"] == asked.resource_type and _fits(one, asked)]
    sizes = [int(one) for one in (page_size, asked.first("_count")) if one]
    size = min(sizes) if sizes else max(len(found), 1)
    page = int(asked.first("_page") or 1)
    links = [{"relation": "self", "url": url_of(asked, base)}]
    if page * size < len(found):
        links.append({"relation": "next", "url": url_of(asked, base, _page=str(page + 1))})
    entries = [entry(one, base) for one in found[(page - 1) * size : page * size]]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links}
    return Answer(200, bundle | ({"entry": entries} if entries else {}))


def _is_known(name: str, value: str) -> bool:
    number = name in ("_count", "_page")
    return name in _FILTERS or (name in CONTROLS and (not number or (value.isdecimal() and int(value) > 0)))


def _fits(resource: dict[str, Any], asked: Asked) -> bool:
    return all(_FILTERS[name](resource, value.split(",")) for name, value in asked.parameters if name in _FILTERS)


def _is_of(resource: dict[str, Any], patients: list[str]) -> bool:
    reference = (resource.get("subject") or resource.get("patient") or {}).get("reference", "")
    return reference.rpartition("/")[2] in {one.rpartition("/")[2] for one in patients}


def _has_code(resource: dict[str, Any], tokens: list[str]) -> bool:
    return any(_says(resource[member], tokens) for member in CODES if member in resource)


def _has_category(resource: dict[str, Any], tokens: list[str]) -> bool:
    return _says(resource.get("category", []), tokens)


def _says(concepts: Any, tokens: list[str]) -> bool:
    """Whether one of the concepts carries one of the tokens: `code`, `system|code`, `system|` or `|code`."""
    ones = concepts if isinstance(concepts, list) else [concepts]
    codings = [(coding.get("system", ""), coding.get("code", "")) for one in ones for coding in one.get("coding", [])]
    return any(_is(coding, token) for coding in codings for token in tokens)


def _is(coding: tuple[str, str], token: str) -> bool:
    system, bar, code = token.rpartition("|")
    return (not bar or coding[0] == system) and (coding[1] == code or (bool(bar) and not code))


_FILTERS = {
    "patient": _is_of,
    "subject": _is_of,
    "code": _has_code,
    "type": _has_code,
    "category": _has_category,
    "_id": lambda resource, ids: resource.get("id") in ids,
}
