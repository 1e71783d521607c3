"""What was returned and what became of it: a journal beside the service, the database behind it."""

from cds_service.errors import JournalFullError, LedgerError
from cds_service.ledger.database import Database
from cds_service.ledger.journal import Journal
from cds_service.ledger.ledger import Ledger, open_database, open_ledger, open_pseudonyms
from cds_service.ledger.pseudonyms import Pseudonymizer

__all__ = [
    "Database",
    "Journal",
    "JournalFullError",
    "Ledger",
    "LedgerError",
    "Pseudonymizer",
    "open_database",
    "open_ledger",
    "open_pseudonyms",
]
