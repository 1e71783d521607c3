"""The steps from one shape of the tables to the next, run by Alembic before the ledger is used."""
