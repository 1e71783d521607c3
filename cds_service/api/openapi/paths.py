"""The endpoints: what each is for, who may use it, what is sent and what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from cds_service.api.metrics import CONTENT_TYPE
from cds_service.api.openapi import pages
from cds_service.api.openapi.examples import Example
from cds_service.api.openapi.refusals import headers, refused
from cds_service.api.openapi.requests import request_name
from cds_service.api.openapi.schemas import Schema, ref
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.schema import ServiceEntry

Examples = Mapping[str, Sequence[Example]]
HOOKS, HEALTH, PEOPLE = "CDS Hooks", "Health", "People"
_EVERYWHERE: Final = ("OtherMethod", "TooSlow", "HeadersTooLarge", "Fault")
_PAGE: Final = ("NoAdminToken", "ForbiddenPage", *_EVERYWHERE)
_BODY: Final = ("NoClientToken", "TooLarge", "NotDeclaredAsJSON", "TooManyCalls", "Overloaded", *_EVERYWHERE)
_OPEN_OR_TOKEN: Final[list[Schema]] = [{}, {"clientToken": []}]
_FOR_PEOPLE: Final[list[Schema]] = [{}, {"adminToken": []}]
_WHO: Final = (
    "It answers the bearer of the admin token, users whom the trusted proxy has logged in, and in open mode "
    "connections from the machine itself."
)
_SERVICES: Final = "/cds-services"


def paths(knowledge: Knowledge, discovery: bytes, examples: Examples) -> dict[str, Schema]:
    """Every path with its operations. ``discovery`` is the answer of open mode."""
    by_id: dict[str, list[ServiceEntry]] = {}
    for service in knowledge.services:
        by_id.setdefault(service.id, []).append(service)
    made: dict[str, Schema] = {_SERVICES: {"get": _discovery(msgspec.json.decode(discovery))}}
    for name, services in by_id.items():
        path = f"{_SERVICES}/{name}"
        made[path] = {"post": _call(services, examples.get(path, ()))}
        feedback = examples.get(f"{path}/feedback") or examples.get("feedback", ())
        made[f"{path}/feedback"] = {"post": _feedback(services, feedback)}
    return made | _health(knowledge) | _for_people(knowledge)


# ---- the standard


def _discovery(example: Any) -> Schema:
    return _operation(
        "discover",
        HOOKS,
        "List the CDS services",
        "Which services there are, each with its hook and its prefetch templates. A registered client sees those "
        "that it may use, with templates for its own EHR.",
        _OPEN_OR_TOKEN,
        {
            "200": _json(
                "The services.", ref("ServicesResponse"), {"open-mode": {"summary": "Open mode", "value": example}}
            )
        },
        ("NoClientToken", "Forbidden", "Overloaded", *_EVERYWHERE),
    )


def _call(services: Sequence[ServiceEntry], examples: Sequence[Example]) -> Schema:
    first = services[0]
    schemas = [ref(request_name(service.hook)) for service in services]
    body = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    answers = _merged(one.of_answer for one in examples if one.status == 200)
    words = "The cards, perhaps none. Each answer is kept in the ledger before it leaves."
    return _operation(
        f"call{_title(first.id)}",
        HOOKS,
        first.title,
        f"{first.description} {first.usage_requirements}",
        _OPEN_OR_TOKEN,
        {"200": _json(words, ref("CDSResponse"), answers)},
        ("BadCall", "Forbidden", "CouldNotCheck", *_BODY),
        _body(body, _merged(one.of_request for one in examples)),
    )


def _feedback(services: Sequence[ServiceEntry], examples: Sequence[Example]) -> Schema:
    first = services[0]
    return _operation(
        f"report{_title(first.id)}",
        HOOKS,
        f"What users did with the cards: {first.title}",
        "Report that suggestions were accepted or cards dismissed. Sending the same again changes nothing. A card that "
        "is not known yet is told and not refused. Free text and names are not kept.",
        _OPEN_OR_TOKEN,
        {"200": _json("What became of each entry.", ref("FeedbackAnswer"), _merged(one.of_answer for one in examples))},
        ("BadFeedback", "ForbiddenFeedback", *_BODY),
        _body(ref("FeedbackRequest"), _merged(one.of_request for one in examples)),
    )


def _title(service_id: str) -> str:
    return "".join(word.capitalize() for word in service_id.split("-"))


def _merged(examples: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for example in examples for name, value in example.items()}


def _body(schema: Schema, examples: dict[str, Any]) -> Schema:
    content = {"schema": schema} | ({"examples": examples} if examples else {})
    kinds = {"application/json": content, "application/fhir+json": {"schema": schema}}
    return {"required": True, "description": "JSON in UTF-8.", "content": kinds}


# ---- health


def _health(knowledge: Knowledge) -> dict[str, Schema]:
    ready = {
        "status": "ready",
        "knowledge": knowledge.fingerprint,
        "ledger": {"database": "up", "journal": {"waiting": 0, "limit": 100_000}},
        "clients": "read",
        "audit": "in the log",
    }
    refusals = ("ForbiddenMachine", *_EVERYWHERE)
    open_to_all: list[Schema] = []
    return {
        "/health/live": {
            "get": _operation(
                "isLive",
                HEALTH,
                "Whether the process lives",
                "It answers everybody who may connect, without a token. A process that does not answer is to be "
                "started again.",
                open_to_all,
                {"200": _json("It lives.", ref("Live"), _one("live", "Live", {"status": "live"}))},
                refusals,
            )
        },
        "/health/ready": {
            "get": _operation(
                "isReady",
                HEALTH,
                "Whether it can answer, and how its parts are",
                "It answers everybody who may connect, without a token. Where a part fails and calls can still be "
                "answered, the status stays 200 and the part says what is wrong.",
                open_to_all,
                {"200": _json("It is ready.", ref("Ready"), _one("ready", "Everything is well", ready))},
                refusals,
            )
        },
    }


# ---- pages for people, and what programs may read of them


def _for_people(knowledge: Knowledge) -> dict[str, Schema]:
    return {
        "/": _page("start", "The start page", "In open mode the playground.", {"200": _html("The page.")}),
        "/cards/{page}": _cards(knowledge),
        "/insight": _page(
            "insight",
            "What became of the advice",
            "Figures, charts and tables for one setting of the filters.",
            {
                "200": _html("The page."),
                "400": _html("The address cannot be read: the page says what is wrong with it."),
                "503": _html("The ledger cannot be read at the moment: the page says so.", "Retry-After"),
            },
            parameters=pages.filters(),
        ),
        "/insight.json": _page(
            "insightAsJSON",
            "The same figures as JSON",
            "All figures and tables for one setting of the filters. The names of the members do not change.",
            {"200": _json("The figures.", ref("Insight"), {})},
            ("BadQuery", "NoFigures"),
            pages.filters(),
        ),
        "/insight.csv": _page(
            "insightAsCSV",
            "One table of the figures as CSV",
            "RFC 4180 with a header line. A rate is three columns. No cell is a formula for the program that opens it.",
            {"200": _text("The table.", "text/csv", "week,returned\r\n2026-11-16,3\r\n")},
            ("BadQuery", "NoFigures"),
            pages.filters(with_table=True),
        ),
        "/metrics": _page(
            "metrics",
            "Metrics for Prometheus",
            "No label holds anything that a client sent. docs/operations.md has the list.",
            {"200": _text("The metrics.", CONTENT_TYPE, 'cds_knowledge_info{fingerprint="0"} 1.0\n')},
        ),
        "/openapi.json": _page(
            "openapi",
            "This document",
            "The OpenAPI description of the service with the knowledge that runs.",
            {"200": _json("The document.", {"type": "object", "required": ["openapi", "info", "paths"]}, {})},
        ),
    }


def _cards(knowledge: Knowledge) -> Schema:
    first = knowledge.recommendations[0]
    page: Schema = {
        "name": "page",
        "in": "path",
        "required": True,
        "description": "The id of a recommendation, the name of the page of a value set, index or coverage; with "
        ".json or .html behind it, or nothing, which is HTML.",
        "schema": {"type": "string"},
        "example": f"{first.id}.json",
    }
    short = {"id": first.id, "title": first.title}
    answer = _json("The page.", ref("Page"), _one("short", "The beginning of a page", short))
    answer["content"] |= _html("")["content"]
    return _page(
        "page",
        "The page behind a card",
        "What a recommendation says, on what it rests, when it speaks and who keeps it: as HTML, and the same as "
        "JSON. A card links to it. It shows the knowledge of the service and nothing of any patient.",
        {"200": answer},
        ("NotFound",),
        [page],
    )


def _page(
    operation_id: str,
    summary: str,
    description: str,
    answers: dict[str, Schema],
    refusals: Sequence[str] = (),
    parameters: Sequence[Schema] = (),
) -> Schema:
    said = f"{description} {_WHO}"
    usual = (*_PAGE, *refusals, *(() if "503" in answers or "NoFigures" in refusals else ("Overloaded",)))
    made = _operation(operation_id, PEOPLE, summary, said, _FOR_PEOPLE, answers, usual)
    return {"get": made | ({"parameters": list(parameters)} if parameters else {})}


# ---- parts


def _operation(
    operation_id: str,
    tag: str,
    summary: str,
    description: str,
    security: list[Schema],
    answers: dict[str, Schema],
    refusals: Iterable[str],
    body: Schema | None = None,
) -> Schema:
    made: Schema = {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "security": security,
    }
    if body:
        made["requestBody"] = body
    return made | {"responses": dict(sorted((refused(refusals) | answers).items()))}


def _one(name: str, summary: str, value: Any) -> dict[str, Any]:
    return {name: {"summary": summary, "value": value}}


def _json(description: str, schema: Schema, examples: dict[str, Any]) -> Schema:
    content = {"schema": schema} | ({"examples": examples} if examples else {})
    return {"description": description, "headers": headers(), "content": {"application/json": content}}


def _html(description: str, *more: str) -> Schema:
    content = {"text/html": {"schema": {"type": "string"}}}
    return {"description": description, "headers": headers(*more), "content": content}


def _text(description: str, media_type: str, example: str) -> Schema:
    content = {media_type: {"schema": {"type": "string"}, "example": example}}
    return {"description": description, "headers": headers(), "content": content}
