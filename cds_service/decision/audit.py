"""What the audit is told: who called what and when, what was returned or why it was refused, and what was loaded.

Nothing here can hold a patient, a user, a token or free text: ids of our own, names from the knowledge and from the
configuration, codes. Standard library only, so that the parts that tell and the part that writes share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that happened. ``at`` has a time zone; ``details`` are names, codes, numbers, and lists of them."""

    event: str
    at: datetime
    details: Mapping[str, object]


class AuditLog(Protocol):
    """Keeps events in their order. Tells nobody what it holds: who may read it, reads what it wrote."""

    def write(self, event: AuditEvent) -> None:
        """Take an event. Returns at once and never raises: what cannot be written is counted, and `health` says so."""
        ...

    @property
    def health(self) -> str:
        """Whether what it takes is written."""
        ...

    def close(self) -> None:
        """Write what is pending and let go."""
        ...
