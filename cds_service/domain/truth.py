"""Three-valued truth, as in CQL: met, not met, unknown.

``and`` is the smallest, ``or`` the largest, ``not`` the mirror: exactly CQL's truth tables
(CQL Author's Guide, "Three-valued logic"), because *unknown* lies between the other two.
"""

from enum import IntEnum


class Truth(IntEnum):
    """Whether a criterion holds for this patient, as far as the record can tell."""

    NOT_MET = 0
    UNKNOWN = 1
    MET = 2

    @property
    def negated(self) -> "Truth":
        """``not``: unknown stays unknown."""
        return _NEGATED[self]

    @property
    def words(self) -> str:
        """The word a clinician reads: met, not met, unknown."""
        return self.name.lower().replace("_", " ")


NOT_MET, UNKNOWN, MET = Truth.NOT_MET, Truth.UNKNOWN, Truth.MET
_NEGATED = (MET, UNKNOWN, NOT_MET)
