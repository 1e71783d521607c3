"""The OpenAPI description: the endpoints of the standard for each service, and health. Made once at start.

The hook endpoints are answered before FastAPI's router, so FastAPI does not know them. The shapes of requests and cards
are the standard's own and not repeated in full: what is required is named, the rest is at cds-hooks.hl7.org.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cds_service import __version__
from cds_service.hooks.contexts import CONTEXTS
from cds_service.knowledge.knowledge import Knowledge

_OUTCOME: Final = {"type": "object", "required": ["resourceType", "issue"], "description": "FHIR OperationOutcome"}
_FEEDBACK: Final = {
    "type": "object",
    "required": ["feedback"],
    "properties": {
        "feedback": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["card", "outcome", "outcomeTimestamp"]},
        }
    },
}
_REFUSALS: Final[Mapping[str, str]] = {
    "400": "Not JSON, a required member missing or wrong, or another patient's resource",
    "401": "No client token, or a bad one: it is not said why. In open mode never",
    "403": "A service, a FHIR server or a web page that is not this client's",
    "408": "The body did not arrive in time",
    "412": "Patient data that the answer needs could not be had; the missing prefetch keys are named",
    "413": "Too many bytes, elements, resources or levels",
    "415": "Not declared as JSON",
    "429": "This client sends too many calls: come back after Retry-After",
    "500": "A fault of this service, with the id of the call",
    "503": "Too many calls at once, or it cannot be kept now and has to be: come back after Retry-After",
}
_FEEDBACK_REFUSALS: Final = {status: words for status, words in _REFUSALS.items() if status != "412"} | {
    "403": "A card that was shown to another client, or a service or a web page that is not this client's"
}


def openapi_of(knowledge: Knowledge) -> dict[str, Any]:
    """The document of ``GET /openapi.json``."""
    refused = {status: _REFUSALS[status] for status in ("401", "403")}
    discovery = _operation("The services (CDS Hooks discovery)", _object("services"), refused)
    paths: dict[str, Any] = {"/cds-services": {"get": discovery}}
    for service in knowledge.services:
        path = f"/cds-services/{service.id}"
        call = _operation(service.title, _object("cards"), _REFUSALS)
        paths[path] = {"post": call | _body(_call(service.hook))}
        report = _operation("What users did with the cards", _object("feedback"), _FEEDBACK_REFUSALS)
        paths[f"{path}/feedback"] = {"post": report | _body(_FEEDBACK)}
    for path, words in (("/health/live", "Whether the process lives"), ("/health/ready", "Whether it can answer")):
        paths[path] = {"get": _operation(words, _object("status"))}
    return {"openapi": "3.1.0", "info": {"title": "Foot drop CDS", "version": __version__}, "paths": paths}


def _operation(words: str, answer: dict[str, Any], refusals: Mapping[str, str] | None = None) -> dict[str, Any]:
    answers = {"200": {"description": "Success", "content": {"application/json": {"schema": answer}}}}
    for status, why in (refusals or {}).items():
        answers[status] = {"description": why, "content": {"application/fhir+json": {"schema": _OUTCOME}}}
    return {"summary": words, "responses": answers}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _call(hook: str) -> dict[str, Any]:
    """A hook call: its required members, and those of its context as the service itself reads them."""
    required = [field.encode_name for field in msgspec.structs.fields(CONTEXTS[hook]) if field.required]
    context = _object(*required)
    schema = _object("hook", "hookInstance", "context")
    return schema | {"properties": {"hook": {"const": hook}, "context": context, "prefetch": {"type": "object"}}}


def _object(*required: str) -> dict[str, Any]:
    return {"type": "object", "required": list(required)}
