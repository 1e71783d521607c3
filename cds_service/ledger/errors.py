"""What the ledger raises."""

from cds_service.errors import FootDropError


class LedgerError(FootDropError):
    """The ledger cannot be opened, read or written. The message names no patient, no value and no password."""
