"""What was agreed with one CDS client, joined: how its calls are read, decided and answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cds_service.decision.decide import Decider
from cds_service.decision.ports import Records
from cds_service.decision.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Agreement:
    """One client. ``services``, ``fhir_servers`` and ``origins`` are None where there is no limit to them.

    ``discovery`` is the answer of the discovery endpoint; ``calls_a_minute`` and ``calls_at_once`` are 0 for no limit.
    """

    client: str
    decider: Decider
    records: Records
    rollout: Rollout
    discovery: bytes
    services: frozenset[str] | None = None
    fhir_servers: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    calls_a_minute: int = 0
    calls_at_once: int = 0

    def may_use(self, service_id: str) -> bool:
        """Whether a service is among those of this client."""
        return self.services is None or service_id in self.services

    def may_name(self, fhir_server: str | None) -> bool:
        """Whether a call may come with this FHIR server; one that names none may."""
        return fhir_server is None or self.fhir_servers is None or fhir_server.rstrip("/") in self.fhir_servers

    def lists(self, origin: str) -> bool:
        """Whether a web page of this origin is among those that may call for this client."""
        return self.origins is not None and origin in self.origins

    def may_come_from(self, origin: str | None) -> bool:
        """Whether a web page of this origin may call for this client; a call that comes from no page may."""
        return origin is None or self.origins is None or origin in self.origins


class Agreements(Protocol):
    """What was agreed with each client. May change between two calls, never within one."""

    @property
    def current(self) -> Mapping[str, Agreement]:
        """The agreements as they are now, by client."""
        ...
