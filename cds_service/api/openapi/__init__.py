"""The OpenAPI 3.1 description of the service: what every endpoint takes and gives, every refusal among it.

The hook endpoints are answered before FastAPI's router and decode by themselves, so the description is made here: from
the types that read and write the wire, from the table of refusals, and from the knowledge. It is proven by the tests:
every answer that the service gives in them is checked against it (`tests/described.py`), every example is sent and
answered, and requests that are made or broken after its schemas are refused where the schemas say so and nowhere else
(`tests/api/test_openapi.py`).
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from cds_service import __version__
from cds_service.api.discovery import discovery_of
from cds_service.api.openapi import answers, examples, pages, requests
from cds_service.api.openapi.paths import HEALTH, HOOKS, PEOPLE, paths
from cds_service.api.openapi.refusals import HEADERS, responses
from cds_service.api.openapi.schemas import Schema
from cds_service.domain.queries import Queries
from cds_service.knowledge.knowledge import Knowledge

_BASE_URL: Final = "http://127.0.0.1:8080"
_ABOUT: Final = """\
Clinical decision support for foot drop after the CDS Hooks standard. {draft}

- Every refusal is a FHIR OperationOutcome with one issue, which says what to mend and repeats no value that was sent.
- A path that is not here is answered with 404, but for those below `/playground/`: they are that page's own.
- OPTIONS is answered on every path: with 204 and the header Allow, or, as a browser's preflight, by the origins that
  the site allows. HEAD is answered where GET is.
- Every answer says `Cache-Control: no-store`, `X-Content-Type-Options: nosniff` and `Referrer-Policy: no-referrer`.
- In **open mode** the service knows no client and answers the machine it runs on. With **registered clients** every
  request of the standard needs a token that its client has signed.
"""
_TAGS: Final = {
    HOOKS: "The endpoints of the standard: discovery, a service for each hook, feedback.",
    HEALTH: "For whoever runs the service.",
    PEOPLE: "Pages, and the same as data: the knowledge, figures, metrics.",
}
_SECURITY: Final[dict[str, Schema]] = {
    "clientToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The token of a registered client, as the standard has it: signed by the client, new for each "
        "request, with the URL of the endpoint as its audience. In open mode there is none.",
    },
    "adminToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token in the file that CDS_ADMIN_TOKEN_FILE names.",
    },
}


def openapi_of(knowledge: Knowledge, base_url: str = _BASE_URL) -> dict[str, Any]:
    """The document of ``GET /openapi.json``, for a service that is reached at ``base_url``."""
    queries = knowledge.queries()
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": _info(knowledge),
        "externalDocs": {"description": "The CDS Hooks standard", "url": "https://cds-hooks.hl7.org"},
        "servers": [{"url": base_url, "description": "This service"}],
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "paths": paths(knowledge, discovery_of(knowledge, queries), examples.read(base_url)),
        "components": {
            "schemas": _schemas(knowledge, queries),
            "responses": responses(),
            "headers": HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _info(knowledge: Knowledge) -> Schema:
    return {
        "title": "Foot drop CDS",
        "version": __version__,
        "summary": "A CDS Hooks service for foot drop. Its knowledge is a draft and not clinically approved.",
        "description": _ABOUT.format(draft=knowledge.words.draft_notice.strip("*_ ")),
        "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    }


def _schemas(knowledge: Knowledge, queries: Queries) -> dict[str, Schema]:
    """Every schema by name: what is read, what is sent, and the pages."""
    keys = [need.key for need in knowledge.vocabulary.needs.values()]
    hooks = dict.fromkeys(service.hook for service in knowledge.services)
    read = (requests.calls(hook, queries.by_hook.get(hook, ())) for hook in hooks)
    made = [*read, requests.shared(), answers.schemas(keys), pages.insight_schemas(), pages.page_schemas()]
    return dict(chain.from_iterable(part.items() for part in made))
