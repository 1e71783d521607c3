"""The ledger in memory: for tests, and for trying the service without leaving a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cds_service.decision.records import CardRecord, DecisionRecord, FeedbackEntry, FeedbackReport
from cds_service.errors import LedgerError


class MemoryLedger:
    """Behaves as `Journal` does, and forgets everything with the process. It grows with every call."""

    def __init__(self) -> None:
        self._decisions: dict[tuple[str, str], DecisionRecord] = {}
        self._shown: set[tuple[str, str]] = set()
        self._feedback: dict[tuple[str, str], list[FeedbackEntry]] = {}
        self._closed = False

    async def record(self, record: DecisionRecord) -> None:
        """Keep one call with its cards. Raises `LedgerError` for a call id that this client has already."""
        self._refuse_if_closed()
        _require_time_zone(record.at)
        key = (record.client, record.call_id)
        if key in self._decisions:
            raise LedgerError("The ledger could not be written: this client has a call of this id already.")
        self._decisions[key] = record
        self._shown.update((record.client, card.uuid) for card in record.cards)

    async def record_feedback(
        self,
        client: str,
        service_id: str,  # noqa: ARG002 - the journal's signature; nothing in memory reads it
        entries: Sequence[FeedbackEntry],
        received_at: datetime,
    ) -> FeedbackReport:
        """Keep what users did with cards; an entry that is known already changes nothing."""
        self._refuse_if_closed()
        for moment in (received_at, *(entry.outcome_timestamp for entry in entries)):
            _require_time_zone(moment)
        stored = sum(self._is_stored(client, entry) for entry in entries)
        unknown = sum((client, entry.card) not in self._shown for entry in entries)
        return FeedbackReport(stored=stored, repeated=len(entries) - stored, unknown=unknown)

    async def decision_for(self, client: str, call_id: str) -> DecisionRecord | None:
        """The record of one call of a client."""
        return self._decisions.get((client, call_id))

    async def cards_shown(self, client: str, call_id: str) -> tuple[CardRecord, ...]:
        """The cards of one call of a client, in the order of the answer; none for a call that is not known."""
        decision = self._decisions.get((client, call_id))
        return decision.cards if decision else ()

    async def feedback_for(self, client: str, card_uuid: str) -> FeedbackEntry | None:
        """What stands for a card: the entry with the latest outcome timestamp, of equals the last to arrive."""
        arrived_last_first = reversed(self._feedback.get((client, card_uuid), []))
        return max(arrived_last_first, key=lambda entry: entry.outcome_timestamp, default=None)

    def close(self) -> None:
        """Refuse further writing. Calling it again does nothing; reading stays possible."""
        self._closed = True

    def _is_stored(self, client: str, entry: FeedbackEntry) -> bool:
        """Keep an entry unless it is a repeat; whether it was kept."""
        entry = replace(entry, accepted_suggestions=tuple(sorted(entry.accepted_suggestions)))
        known = self._feedback.setdefault((client, entry.card), [])
        if entry in known:
            return False
        known.append(entry)
        return True

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise LedgerError("The ledger is closed.")


def _require_time_zone(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone names no instant")
