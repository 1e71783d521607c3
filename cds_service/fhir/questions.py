"""A query with the values of one call: what is put to a FHIR server."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.domain.queries import Query
from cds_service.fhir.bundles import Answer


@dataclass(frozen=True, slots=True)
class Question:
    """``text`` is the read or search, relative to the server's base.

    ``after`` is the page that prefetch brought, where only those behind it are wanted.
    """

    query: Query
    text: str
    after: Answer | None = None
