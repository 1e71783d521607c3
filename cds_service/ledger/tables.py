"""The tables of the ledger, the same on SQLite and PostgreSQL.

Every table has the client in its key: what one EHR sends never meets what another was shown. Whom a call was about
stands there as keyed hashes; there is no column for words of a record or of a card, and what a user wrote is encrypted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

from cds_service.decision.records import Pseudonyms


class Instant(TypeDecorator[datetime]):
    """A time with a zone: kept in UTC, given back in UTC. SQLite knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """A time without a zone names no instant: ValueError."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone names no instant")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


metadata = MetaData()


def _client() -> Column[Any]:
    return Column("client", String(64), primary_key=True)


def _whom() -> tuple[Column[Any], ...]:
    return tuple(Column(name, String(64), nullable=False) for name in Pseudonyms._fields)


call = Table(
    "call",
    metadata,
    _client(),
    Column("call_id", String(36), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("service_id", String(64), nullable=False),
    Column("hook", String(64), nullable=False),
    Column("hook_instance", String(64), nullable=False),
    Column("knowledge_fingerprint", String(80), nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("gaps", JSON, nullable=False),
    Column("parse_ms", Float, nullable=False),
    Column("fetch_ms", Float, nullable=False),
    Column("decide_ms", Float, nullable=False),
    *_whom(),
    Index("call_by_time", "at"),
)

# A card and what stands for it: the feedback with the latest outcome timestamp.
card = Table(
    "card",
    metadata,
    _client(),
    Column("call_id", String(36), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False),
    Column("at", Instant, nullable=False),
    Column("hook", String(64), nullable=False),
    Column("recommendation_id", String(64), nullable=False),
    Column("version", String(40), nullable=False),
    Column("indicator", String(10), nullable=False),
    Column("suggestion_uuids", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    Column("sides", Integer, nullable=False),
    *_whom(),
    Column("outcome", String(10)),
    Column("outcome_at", Instant),
    Column("reason_system", String(200)),
    Column("reason_code", String(64)),
    Column("accepted_suggestions", String),
    Column("said", String(64)),
    Index("card_by_uuid", "uuid"),
    Index("card_by_patient", "client", "patient", "outcome"),
    Index("card_by_time", "at"),
)

# Every entry as it came; `said` is a digest of what it says, which tells a repeat from another entry.
feedback = Table(
    "feedback",
    metadata,
    _client(),
    Column("card_uuid", String(36), primary_key=True),
    Column("outcome_at", Instant, primary_key=True),
    Column("said", String(64), primary_key=True),
    Column("outcome", String(10), nullable=False),
    Column("accepted_suggestions", String, nullable=False),
    Column("reason_system", String(200), nullable=False),
    Column("reason_code", String(64), nullable=False),
    Column("service_id", String(64), nullable=False),
    Column("received_at", Instant, nullable=False),
    Index("feedback_by_time", "received_at"),
    Index("feedback_by_card", "card_uuid"),
)

# What is counted, see `counting`: a week is its Monday. Names nobody, so that no purge takes from it.
figure = Table(
    "figure",
    metadata,
    Column("measure", String(20), primary_key=True),
    _client(),
    Column("week", Date, primary_key=True),
    Column("hook", String(64), primary_key=True),
    Column("recommendation_id", String(64), primary_key=True),
    Column("version", String(40), primary_key=True),
    Column("indicator", String(10), primary_key=True),
    Column("detail", String(300), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

OF_AN_ENTRY: Final = ("client", "card_uuid", "outcome_at", "said")

# What users wrote, encrypted, each with its entry in `feedback` and for a time; nothing else in the ledger tells of it.
comment = Table(
    "comment",
    metadata,
    _client(),
    Column("card_uuid", String(36), primary_key=True),
    Column("outcome_at", Instant, primary_key=True),
    Column("said", String(64), primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Index("comment_by_expiry", "expires_at"),
)

# How far each journal has been taken over, in the transaction that took it: so nothing is taken twice.
delivery = Table(
    "delivery",
    metadata,
    Column("journal", String(36), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

# Client tokens that were seen, each until it has lapsed: `token` is a hash of its name. See `seen_tokens`.
seen_token = Table(
    "seen_token",
    metadata,
    _client(),
    Column("token", String(64), primary_key=True),
    Column("until", Instant, nullable=False),
    Index("seen_token_by_end", "until"),
)
