"""Between records and the rows of the journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cds_service.decision.records import CardRecord, DecisionRecord, FeedbackEntry

_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode  # made once: making it costs more than using it


def instant(moment: datetime) -> str:
    """An aware datetime as text of fixed width in UTC, so that text order is time order.

    Raises `ValueError` for a datetime without a time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone names no instant")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def decision_row(record: DecisionRecord) -> tuple[Any, ...]:
    """The row of table `decision`."""
    return (
        record.client,
        record.call_id,
        instant(record.at),
        record.service_id,
        record.hook,
        record.hook_instance,
        record.knowledge_fingerprint,
        record.outcome,
        _as_json(record.gaps),
        record.duration_ms,
    )


def card_rows(record: DecisionRecord) -> list[tuple[Any, ...]]:
    """The rows of table `card`, in the order of the answer."""
    return [
        (
            record.client,
            record.call_id,
            position,
            card.uuid,
            card.recommendation_id,
            card.version,
            card.indicator,
            _as_json(card.suggestion_uuids),
            card.state,
        )
        for position, card in enumerate(record.cards)
    ]


def feedback_row(client: str, service_id: str, entry: FeedbackEntry, received_at: datetime) -> tuple[Any, ...]:
    """The row of table `feedback`; its first seven members tell a repeat from a new entry."""
    return (
        client,
        entry.card,
        entry.outcome,
        instant(entry.outcome_timestamp),
        _as_json(sorted(entry.accepted_suggestions)),
        entry.reason_system or "",
        entry.reason_code or "",
        service_id,
        instant(received_at),
    )


def decision_from(row: Sequence[Any], cards: Iterable[Sequence[Any]]) -> DecisionRecord:
    """The record that `decision_row` and `card_rows` took apart."""
    client, call_id, at, service_id, hook, hook_instance, knowledge_fingerprint, outcome, gaps, duration_ms = row
    return DecisionRecord(
        call_id=call_id,
        at=datetime.fromisoformat(at),
        client=client,
        service_id=service_id,
        hook=hook,
        hook_instance=hook_instance,
        knowledge_fingerprint=knowledge_fingerprint,
        outcome=outcome,
        gaps=tuple(json.loads(gaps)),
        duration_ms=duration_ms,
        cards=tuple(card_from(card) for card in cards),
    )


def card_from(row: Sequence[Any]) -> CardRecord:
    """The record of one row of `card`, from its uuid on."""
    uuid, recommendation_id, version, indicator, suggestion_uuids, state = row
    return CardRecord(uuid, recommendation_id, version, indicator, tuple(json.loads(suggestion_uuids)), state)


def feedback_from(row: Sequence[Any]) -> FeedbackEntry:
    """The entry of one row of `feedback`, from its card to its reason."""
    card, outcome, outcome_timestamp, accepted_suggestions, reason_system, reason_code = row
    return FeedbackEntry(
        card=card,
        outcome=outcome,
        outcome_timestamp=datetime.fromisoformat(outcome_timestamp),
        accepted_suggestions=tuple(json.loads(accepted_suggestions)),
        reason_system=reason_system or None,
        reason_code=reason_code or None,
    )


def _as_json(words: Iterable[str]) -> str:
    return _ENCODE(list(words))
