"""What was returned and what became of it: the embedded journal and its twin in memory."""

from cds_service.errors import LedgerError
from cds_service.ledger.database_url import open_ledger
from cds_service.ledger.journal import Journal
from cds_service.ledger.memory import MemoryLedger

__all__ = ["Journal", "LedgerError", "MemoryLedger", "open_ledger"]
