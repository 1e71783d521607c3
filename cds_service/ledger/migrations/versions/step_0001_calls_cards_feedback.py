"""The first tables: calls, their cards, feedback, and how far each journal has been taken over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "call",
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("call_id", sa.String(36), primary_key=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("service_id", sa.String(64), nullable=False),
        sa.Column("hook", sa.String(64), nullable=False),
        sa.Column("hook_instance", sa.String(64), nullable=False),
        sa.Column("knowledge_fingerprint", sa.String(80), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("gaps", sa.JSON, nullable=False),
        sa.Column("parse_ms", sa.Float, nullable=False),
        sa.Column("fetch_ms", sa.Float, nullable=False),
        sa.Column("decide_ms", sa.Float, nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("encounter", sa.String(64), nullable=False),
        sa.Column("episode", sa.String(64), nullable=False),
    )
    op.create_index("call_by_time", "call", ["at"])
    op.create_table(
        "card",
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("call_id", sa.String(36), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("hook", sa.String(64), nullable=False),
        sa.Column("recommendation_id", sa.String(64), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("indicator", sa.String(10), nullable=False),
        sa.Column("suggestion_uuids", sa.JSON, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("sides", sa.Integer, nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("encounter", sa.String(64), nullable=False),
        sa.Column("episode", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(10)),
        sa.Column("outcome_at", _INSTANT),
        sa.Column("reason_system", sa.String(200)),
        sa.Column("reason_code", sa.String(64)),
        sa.Column("accepted_suggestions", sa.String),
        sa.Column("said", sa.String(64)),
    )
    op.create_index("card_by_uuid", "card", ["client", "uuid"])
    op.create_index("card_by_patient", "card", ["client", "patient", "outcome"])
    op.create_index("card_by_time", "card", ["at"])
    op.create_table(
        "feedback",
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("card_uuid", sa.String(36), primary_key=True),
        sa.Column("outcome_at", _INSTANT, primary_key=True),
        sa.Column("said", sa.String(64), primary_key=True),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("accepted_suggestions", sa.String, nullable=False),
        sa.Column("reason_system", sa.String(200), nullable=False),
        sa.Column("reason_code", sa.String(64), nullable=False),
        sa.Column("service_id", sa.String(64), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
    )
    op.create_index("feedback_by_time", "feedback", ["received_at"])
    op.create_table(
        "delivery",
        sa.Column("journal", sa.String(36), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
