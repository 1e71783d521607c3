"""What `GET /cds-services` answers (section B)."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec.structs import force_setattr

_PATH_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")


class Service(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One CDS service: what it is for, on which hook, and the data it would like with the call.

    `prefetch` maps keys to query templates and goes out in its own order, which TOK-12 gives a meaning.
    What is empty is left out (JSN-3, JSN-4).
    """

    id: str
    hook: str
    title: str | None = None
    description: str
    usage_requirements: str | None = None
    prefetch: dict[str, str] | None = None
    version: str | None = None
    hook_version: str | None = None
    extension: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a service nobody could call or understand; drop empty optional members."""
        if not _PATH_SAFE.fullmatch(self.id):
            raise ValueError("Service.id must be safe in a URL path: letters, digits, . _ ~ - (DIS-7)")
        for name in ("hook", "description"):
            if not getattr(self, name).strip():
                raise ValueError(f"Service.{name} is empty (JSN-5)")
        for name in ("title", "usage_requirements", "prefetch", "version", "hook_version", "extension"):
            force_setattr(self, name, getattr(self, name) or None)


class ServicesResponse(msgspec.Struct, frozen=True):
    """The list of services: `services` is always there, also when empty (DIS-2, DIS-3)."""

    services: tuple[Service, ...]

    def __post_init__(self) -> None:
        """Refuse two services with the same id and hook: no call could tell them apart (DIS-13)."""
        force_setattr(self, "services", tuple(self.services))
        if len({(service.id, service.hook) for service in self.services}) < len(self.services):
            raise ValueError("two services share both id and hook (DIS-13)")


_ENCODER: Final = msgspec.json.Encoder()


def encode(services: ServicesResponse) -> bytes:
    """The JSON of the discovery answer."""
    return _ENCODER.encode(services)
