"""A small FHIR R4 server of the example patients: for the CDS Hooks Sandbox, for ``cds-service try``, for the tests.

python -m fhir_examples.server                 at http://127.0.0.1:8090/fhir
python -m fhir_examples.server --port 8091 --at 2026-11-22T12:00:00Z

It listens on this machine only, asks for no token and changes nothing. It answers /metadata, reads by id, and searches
by GET and by POST with the parameters that ``fhir_examples.search`` knows; one that it does not know is refused with
400, whatever ``Prefer`` says. It has no history, no versions, no _include, no _sort, no _summary and no writes. The
relative dates of the patients are filled in once, at its start: stop it and start it anew the next day.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cds_service.examples import SERVER, read_examples
from cds_service.knowledge.hook_call import USER
from cds_service.settings import Settings
from fhir_examples.search import (
    REFERENCES,
    SEARCHES,
    NotOfferedError,
    Parameters,
    Resource,
    UnknownTypeError,
    read,
    search,
    searchset,
)

HOST: Final = urlsplit(SERVER).hostname or ""
PORT: Final = urlsplit(SERVER).port or 0
_JSON: Final = ("json", "application/json", "application/fhir+json", "application/json+fhir", "text/json")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_FORM: Final = "application/x-www-form-urlencoded"
_ISSUES: Final = {400: "not-supported", 404: "not-found", 405: "not-supported", 406: "not-supported", 415: "invalid"}


def resources_at(now: dt.datetime) -> list[Resource]:
    """Every resource of every example patient, and the practitioner who looks at them, with dates as at ``now``."""
    bundles = [example.bundle(now) for example in read_examples()]
    practitioner = {"resourceType": "Practitioner", "id": USER.partition("/")[2], "name": [{"text": "Example user"}]}
    return [practitioner, *(entry["resource"] for bundle in bundles for entry in bundle["entry"])]


def create_server(now: dt.datetime) -> Starlette:
    """The server as an ASGI app, under ``/fhir``, with the patients as they are at ``now``."""
    handler = _Handler(resources_at(now), now)
    settings = Settings()
    return Starlette(
        routes=[
            Route("/fhir/metadata", handler.metadata, methods=["GET"]),
            Route("/fhir/{type}", handler.search, methods=["GET"]),
            Route("/fhir/{type}/_search", handler.search, methods=["POST"]),
            Route("/fhir/{type}/{id}", handler.read, methods=["GET"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,  # the Sandbox, and pages of this machine, as the service itself
                allow_origin_regex=settings.origin_pattern,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "Prefer"],
                allow_private_network=True,  # Chromium asks before a public page, as the Sandbox is, calls this machine
            )
        ],
        exception_handlers={HTTPException: _on_http_error},
    )


class _Handler:
    """Answers the requests, from resources that never change."""

    def __init__(self, resources: Sequence[Resource], now: dt.datetime) -> None:
        self._resources = resources
        self._now = now

    async def metadata(self, request: Request) -> Response:
        """The CapabilityStatement."""
        return _fhir(capabilities(self._now, _base(request)))

    async def read(self, request: Request) -> Response:
        """One resource by its id."""
        _take_controls(list(request.query_params.multi_items()))
        resource_type, id_ = request.path_params["type"], request.path_params["id"]
        try:
            found = read(self._resources, resource_type, id_)
        except UnknownTypeError as error:
            raise HTTPException(404, str(error)) from None
        if found is None:
            raise HTTPException(404, f"there is no {resource_type}/{id_}")
        return _fhir(found)

    async def search(self, request: Request) -> Response:
        """One page of the resources that fit."""
        asked = [*request.query_params.multi_items(), *await _form(request)]
        parameters, count, offset = _take_controls(asked)
        try:
            found = search(self._resources, request.path_params["type"], parameters)
        except UnknownTypeError as error:
            raise HTTPException(404, str(error)) from None
        except NotOfferedError as error:
            raise HTTPException(400, str(error)) from None
        return _fhir(_page(found, parameters, count, offset, f"{_base(request)}/{request.path_params['type']}"))


async def _form(request: Request) -> Parameters:
    if request.method != "POST":
        return []
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415, f"a search by POST is {_FORM}")
    return parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True)


def _take_controls(asked: Parameters) -> tuple[Parameters, int | None, int]:
    """What is searched by; how many a page shall have, and from where on. Raises 400 or 406 for what is not JSON."""
    controls = dict(one for one in asked if one[0] in ("_count", "_format", "_offset"))
    if controls.get("_format", "json").partition(";")[0].replace(" ", "+") not in _JSON:  # "+" means " " in a query
        raise HTTPException(406, "only JSON is spoken here")
    for name in ("_count", "_offset"):
        if not _NUMBER.fullmatch(controls.get(name, "0")):
            raise HTTPException(400, f"{name} is no number of a page")
    count = int(controls["_count"]) if "_count" in controls else None
    return [one for one in asked if one[0] not in controls], count, int(controls.get("_offset", 0))


def _page(found: list[Resource], parameters: Parameters, count: int | None, offset: int, url: str) -> Resource:
    """A page with its links; ``total`` counts all pages, and a page of none has the total only."""
    end = len(found) if count is None else offset + count
    more = [] if count is None else [("_count", str(count))]

    def link(relation: str, start: int) -> dict[str, str]:
        query = urlencode([*parameters, *more, *([("_offset", str(start))] if start else [])], safe=",/|:")
        return {"relation": relation, "url": f"{url}?{query}" if query else url}

    links = [link("self", offset), *([link("next", end)] if count and end < len(found) else [])]
    page = searchset(found[offset:end])
    for entry in page.get("entry", []):
        entry["fullUrl"] = f"{url}/{entry['resource']['id']}"
    return {**page, "total": len(found), "link": links}


def capabilities(now: dt.datetime, base: str) -> Resource:
    """What this server can do, as FHIR says it."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "experimental": True,
        "date": now.isoformat(timespec="seconds"),
        "kind": "instance",
        "software": {"name": "Synthetic example patients of Foot drop CDS"},
        "implementation": {"description": "Synthetic patients, read only", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server", "resource": [_capability(one, known) for one, known in SEARCHES.items()]}],
    }


def _capability(resource_type: str, known: Mapping[str, str]) -> dict[str, Any]:
    names = {"_id": "token", **{name: "reference" if name in REFERENCES else "token" for name in known}}
    return {
        "type": resource_type,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": [{"name": name, "type": kind} for name, kind in names.items()],
    }


def _base(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/fhir"


def _fhir(resource: Resource, status: int = 200) -> Response:
    return Response(json.dumps(resource), status, media_type="application/fhir+json")


async def _on_http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = error.detail if isinstance(error, HTTPException) else "a fault of this server"
    issue = {"severity": "error", "code": _ISSUES.get(status, "processing"), "diagnostics": words}
    return _fhir({"resourceType": "OperationOutcome", "issue": [issue]}, status)


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=PORT, help=f"where it listens on {HOST} (default {PORT})")
    parser.add_argument(
        "--at", type=dt.datetime.fromisoformat, help="the moment that the dates count from (default now)"
    )
    options = parser.parse_args(arguments)
    now = (options.at or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    print(f"Synthetic patients at http://{HOST}:{options.port}/fhir, with the dates of {now.date()}:", flush=True)
    for example in read_examples():
        print(f"  {example.name:22} {example.title}", flush=True)
    uvicorn.run(create_server(now), host=HOST, port=options.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
