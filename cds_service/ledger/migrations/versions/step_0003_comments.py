"""What users wrote about cards, encrypted and for a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "comment",
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("card_uuid", sa.String(36), primary_key=True),
        sa.Column("outcome_at", _INSTANT, primary_key=True),
        sa.Column("said", sa.String(64), primary_key=True),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
    )
    op.create_index("comment_by_expiry", "comment", ["expires_at"])
