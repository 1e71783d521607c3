"""The discovery answer: made once for each client, from the services and the needs of their recommendations."""

from __future__ import annotations

from cds_service.domain.queries import Queries
from cds_service.hooks.discovery import Service, ServicesResponse, encode
from cds_service.knowledge.knowledge import Knowledge

SPECIFICATION = "3.0.0"


def discovery_of(knowledge: Knowledge, queries: Queries, only: frozenset[str] | None = None) -> bytes:
    """The JSON of ``GET /cds-services`` (DIS-2 to DIS-11), with the services that a client may use."""
    services = tuple(
        Service(
            id=service.id,
            hook=service.hook,
            title=service.title,
            description=service.description,
            usage_requirements=service.usage_requirements,
            prefetch=queries.prefetch(service.hook) or None,
            version=SPECIFICATION,
            hook_version=service.hook_version,
        )
        for service in knowledge.services
        if only is None or service.id in only
    )
    return encode(ServicesResponse(services=services))
