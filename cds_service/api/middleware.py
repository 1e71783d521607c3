"""In front of the routes: who may connect in open mode, headers that every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware

from cds_service.api.errors import refuse
from cds_service.errors import ForbiddenError, RequestError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refused = Callable[[RequestError], None]

FORWARDED = (b"forwarded", b"x-forwarded-", b"x-real-ip")
"""How the headers begin in which a proxy says for whom it asks."""
ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
"""Headers that every answer carries."""
_NO_STORE = (b"cache-control", b"no-store")


def name_in(host: bytes) -> str:
    """The name or address in a Host header, without its port; empty where it cannot be read."""
    try:
        return urlsplit(f"//{host.decode('ascii')}").hostname or ""
    except ValueError:
        return ""


class CORS(CORSMiddleware):
    """Answers browsers by the origins of the settings, or by those that are registered at the moment."""

    def __init__(self, app: Any, /, is_allowed: Callable[[str], bool] | None = None, **options: Any) -> None:
        """``is_allowed`` says of an origin whether it is registered."""
        super().__init__(app, **options)
        self._is_allowed = is_allowed

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether a page of this origin may read the answers."""
        return self._is_allowed(origin) if self._is_allowed else super().is_allowed_origin(origin)


class OpenModeGuard:
    """Open mode answers this machine only: no other Host (DNS rebinding), nothing that came through a proxy."""

    def __init__(
        self,
        app: App,
        is_local: Callable[[str], bool],
        may_forward: Callable[[Scope], bool] = lambda _: False,
        refused: Refused = lambda _: None,
    ) -> None:
        """``is_local`` says whether a host name is this machine, ``may_forward`` whether a request may name a proxy.

        ``refused`` is told of each refusal.
        """
        self.app = app
        self.refused = refused
        self.is_local = is_local
        self.may_forward = may_forward

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let local calls through, refuse others with 403."""
        if scope["type"] == "http" and not self._allows(scope):
            error = ForbiddenError("service from another machine: it runs in open mode")
            self.refused(error)
            await refuse(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        forwarded = any(name.startswith(FORWARDED) for name, _ in scope["headers"])
        if len(hosts) > 1 or (forwarded and not self.may_forward(scope)):
            return False
        return not hosts or self.is_local(name_in(hosts[0]))


class SafeHeaders:
    """The headers that every answer carries. It is kept nowhere, unless it says itself how long it may be."""

    def __init__(self, app: App, hsts_seconds: int = 0) -> None:
        """For so many seconds browsers shall come by HTTPS only; 0: nothing is said of that."""
        self.app = app
        self._headers = [*ALWAYS]
        if hsts_seconds:
            self._headers.append((b"strict-transport-security", b"max-age=%d" % hsts_seconds))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the start of each response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", []))
                is_kept = any(name.lower() == _NO_STORE[0] for name, _ in own)
                message["headers"] = [*own, *self._headers, *([] if is_kept else [_NO_STORE])]
            await send(message)

        await self.app(scope, receive, with_headers)
