"""Who calls: the port behind which client tokens are judged. The real one lives in ``trust``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

OPEN_CLIENT: Final = "open"
"""The client of open mode: whoever calls, without a token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A registered client, and the organisation on whose behalf it calls where its token names one."""

    client: str
    tenant: str = ""


class Authenticator(Protocol):
    """Tells who calls. Does not decide what a caller may use."""

    async def caller(self, authorization: Sequence[bytes], endpoint: str, at: dt.datetime) -> Caller:
        """Who sent a request with these ``Authorization`` headers to this URL, the exact public one.

        Raises UnauthorizedError, whatever is wrong; OverloadedError where no more tokens can be told apart.
        """
        ...
