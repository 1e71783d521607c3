"""The door: who calls, and what was agreed with them. What they ask for is none of its business."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from cds_service.api.calls import Party
from cds_service.decision.agreement import Agreements
from cds_service.decision.callers import OPEN_CLIENT, Authenticator, Caller
from cds_service.errors import ForbiddenError, UnauthorizedError

STRANGER: Final = "unknown"
"""Stands in the metrics for who was not let in."""


@dataclass(frozen=True, slots=True)
class Door:
    """Finds the party of each request. Without an ``authenticator`` everybody is the client of open mode."""

    agreements: Agreements
    base_url: str
    clock: Callable[[], dt.datetime]
    authenticator: Authenticator | None = None

    @property
    def stranger(self) -> str:
        """The client under which a request is counted whose party is not known."""
        return OPEN_CLIENT if self.authenticator is None else STRANGER

    async def party(self, request: Request, path: Sequence[str]) -> Party:
        """Who calls this endpoint. Raises UnauthorizedError, and ForbiddenError for the web page of somebody else."""
        caller = await self._caller(request, path)
        agreement = self.agreements.current.get(caller.client)
        if agreement is None:  # taken out of the file since its token was looked at
            raise UnauthorizedError
        if not agreement.may_come_from(request.headers.get("origin")):
            raise ForbiddenError("service from that web page")
        return Party(agreement, caller.tenant)

    async def _caller(self, request: Request, path: Sequence[str]) -> Caller:
        if self.authenticator is None:
            return Caller(OPEN_CLIENT)
        authorization = [value for name, value in request.headers.raw if name == b"authorization"]
        endpoint = "/".join((self.base_url, *path))
        return await self.authenticator.caller(authorization, endpoint, self.clock())
