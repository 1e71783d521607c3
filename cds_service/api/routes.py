"""The endpoints of the standard, answered before any router is asked: discovery, service call, feedback.

Hook calls are many and short, so they do not pass FastAPI's layers; what is not theirs goes on to the app behind.
Here is also the outermost edge: whatever goes wrong in answering becomes an OperationOutcome, inside the CORS and
safety headers, and reaches no server log with a message in it.
"""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cds_service.api.calls import CallHandler
from cds_service.api.door import Door
from cds_service.api.errors import fault, refuse
from cds_service.api.exchanges import UNKNOWN, Endpoint, Exchange, ExchangeLog
from cds_service.api.limits import CallLimits, ClientLimits
from cds_service.api.metrics import Metrics
from cds_service.api.middleware import App, Receive, Scope, Send
from cds_service.decision.decide import new_call_id
from cds_service.errors import MethodNotAllowedError, RequestError, UnauthorizedError

_ROOT = "cds-services"
_FEEDBACK = "feedback"
_READ, _WRITE = ("GET", "HEAD"), ("POST",)
_ENDPOINTS: tuple[Endpoint, ...] = ("discovery", "call", "feedback")


class HookRoutes:
    """``/cds-services``, ``/cds-services/{id}`` and ``/cds-services/{id}/feedback``; slashes too many are forgiven."""

    def __init__(
        self,
        app: App,
        door: Door,
        calls: CallHandler,
        metrics: Metrics,
        log: ExchangeLog,
        limits: CallLimits,
    ) -> None:
        """``app`` has all other paths."""
        self.app = app
        self.door = door
        self.calls = calls
        self.metrics = metrics
        self.log = log
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of the standard, or pass it on. Every exception ends here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = _path_of(scope)
        exchange = Exchange(new_call_id(), _ENDPOINTS[len(path) - 1] if path else "page", self.door.stranger)
        response: Response | None = None
        try:
            if path is None:
                await self.app(scope, receive, send)
                return
            response = await self._answer(Request(scope, receive), path, exchange)
        except ClientDisconnect:
            exchange.reason = "client-left"
        except RequestError as error:
            self._refuse(exchange, error)
            response = refuse(error)
        except Exception as error:  # noqa: BLE001  # the outermost edge
            exchange.reason = "fault"
            response = fault(error, exchange.call_id)
        self._close(exchange, response)
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, request: Request, path: list[str], exchange: Exchange) -> Response:
        if len(path) > 1:
            exchange.service = path[1] if self.calls.has(path[1]) else UNKNOWN
        allowed = _READ if len(path) == 1 else _WRITE
        if request.method not in allowed:
            return _other_method(request, allowed)
        party = await self.door.party(request, path)
        exchange.client, exchange.tenant = party.client, party.tenant
        if len(path) == 1:  # GET /cds-services (DIS-1)
            return Response(party.agreement.discovery, media_type="application/json")
        agreed = ClientLimits(party.agreement.calls_a_minute, party.agreement.calls_at_once)
        with self.limits.admit(exchange.client, agreed):
            if len(path) == 2:
                return await self.calls.call(request, path[1], exchange, party)
            return await self.calls.feedback(request, path[1], exchange, party)

    def _refuse(self, exchange: Exchange, error: RequestError) -> None:
        """Take note of a refusal; a token with a good signature names its client even where it is refused."""
        exchange.refuse(error)
        if isinstance(error, UnauthorizedError):
            self.metrics.count_token_refusal(error.reason)
            exchange.client = error.client or exchange.client

    def _close(self, exchange: Exchange, response: Response | None) -> None:
        """Count what was not answered as asked, and tell the log and the audit what came of the exchange."""
        exchange.status = response.status_code if response else None
        if exchange.status is None or exchange.status >= 400:
            if exchange.endpoint == "call":
                self.metrics.count_refusal(exchange.client, exchange.service, exchange.status)
            elif exchange.endpoint == "feedback":
                self.metrics.count_refused_feedback(exchange.client, exchange.status)
        self.log.close(exchange)


def _path_of(scope: Scope) -> list[str] | None:
    """The parts of a path of the standard; None for any other."""
    path = [part for part in scope["path"].split("/") if part]
    return path if path[:1] == [_ROOT] and len(path) <= 3 and path[2:] in ([], [_FEEDBACK]) else None


def _other_method(request: Request, allowed: tuple[str, ...]) -> Response:
    """OPTIONS is told what the path allows; raises MethodNotAllowedError for anything else."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"allow": ", ".join([*allowed, "OPTIONS"])})
    raise MethodNotAllowedError(allowed)
