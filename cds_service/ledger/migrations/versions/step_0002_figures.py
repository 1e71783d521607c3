"""What is counted of calls, cards and feedback. Counting begins here: what came before is in no figure."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "figure",
        sa.Column("measure", sa.String(20), primary_key=True),
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("week", sa.Date, primary_key=True),
        sa.Column("hook", sa.String(64), primary_key=True),
        sa.Column("recommendation_id", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(40), primary_key=True),
        sa.Column("indicator", sa.String(10), primary_key=True),
        sa.Column("detail", sa.String(300), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
