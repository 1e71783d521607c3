"""Cards and the reports on them are found by the card's uuid, whatever the client: each delivery looks for them."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the indexes."""
    op.drop_index("card_by_uuid", "card")
    op.create_index("card_by_uuid", "card", ["uuid"])
    op.create_index("feedback_by_card", "feedback", ["card_uuid"])
