"""What Alembic runs: the steps that are missing, on the connection that the ledger hands over."""

from alembic import context

from cds_service.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
