"""The endpoints of the standard, answered before any router is asked: discovery, service call, feedback.

Hook calls are many and short, so they do not pass FastAPI's layers; what is not theirs goes on to the app behind.
Here is also the outermost edge: whatever goes wrong in answering becomes an OperationOutcome, inside the CORS and
safety headers, and reaches no server log with a message in it.
"""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cds_service.api.calls import CallHandler, Party
from cds_service.api.door import Door
from cds_service.api.errors import fault, refuse
from cds_service.api.metrics import Metrics
from cds_service.api.middleware import App, Receive, Scope, Send
from cds_service.decision.decide import new_call_id
from cds_service.errors import MethodNotAllowedError, RequestError, UnauthorizedError

_ROOT = "cds-services"
_FEEDBACK = "feedback"
_READ, _WRITE = ("GET", "HEAD"), ("POST",)
_LOG = logging.getLogger("cds_service")


class HookRoutes:
    """``/cds-services``, ``/cds-services/{id}`` and ``/cds-services/{id}/feedback``; slashes too many are forgiven."""

    def __init__(self, app: App, door: Door, calls: CallHandler, metrics: Metrics) -> None:
        """``app`` has all other paths."""
        self.app = app
        self.door = door
        self.calls = calls
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of the standard, or pass it on. Every exception ends here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call_id, path = new_call_id(), _path_of(scope)
        party: Party | None = None
        try:
            if path is None:
                await self.app(scope, receive, send)
                return
            request = Request(scope, receive)
            response = _other_method(request, path)
            if response is None:
                party = await self.door.party(request, path)
                response = await self._answer(request, path, call_id, party)
        except ClientDisconnect:
            _LOG.info("call %s: the client left before its request was complete", call_id)
            self._count_refusal(party, path, None)
            return
        except RequestError as error:
            response = refuse(error)
            if isinstance(error, UnauthorizedError):
                self.metrics.count_token_refusal(error.reason)
        except Exception as error:  # noqa: BLE001  # the outermost edge
            response = fault(error, call_id)
        if response.status_code >= 400:
            self._count_refusal(party, path, response.status_code)
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: list[str], call_id: str, party: Party) -> Response:
        if len(path) == 1:  # GET /cds-services (DIS-1)
            return Response(party.agreement.discovery, media_type="application/json")
        if len(path) == 2:
            return await self.calls.call(request, path[1], call_id, party)
        return await self.calls.feedback(request, path[1], call_id, party)

    def _count_refusal(self, party: Party | None, path: list[str] | None, status: int | None) -> None:
        """Count a hook call or a feedback call that was not answered as asked; None where the client left."""
        client = party.client if party else self.door.stranger
        if path and len(path) == 2:
            self.metrics.count_refusal(client, path[1], status)
        elif path and len(path) == 3:
            self.metrics.count_refused_feedback(client, status)


def _path_of(scope: Scope) -> list[str] | None:
    """The parts of a path of the standard; None for any other."""
    path = [part for part in scope["path"].split("/") if part]
    return path if path[:1] == [_ROOT] and len(path) <= 3 and path[2:] in ([], [_FEEDBACK]) else None


def _other_method(request: Request, path: list[str]) -> Response | None:
    """OPTIONS is told what the path allows, anything but that is refused; None for what is allowed."""
    allowed = _READ if len(path) == 1 else _WRITE
    if request.method in allowed:
        return None
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"allow": ", ".join([*allowed, "OPTIONS"])})
    return refuse(MethodNotAllowedError(allowed))
