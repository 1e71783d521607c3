"""Sides of the body. Unspecified is a value of its own and matches either side."""

from enum import IntFlag


class Side(IntFlag):
    """Right, left, both, or not stated."""

    UNSPECIFIED = 0
    RIGHT = 1
    LEFT = 2
    BOTH = 3

    @property
    def words(self) -> str:
        """How a card says it."""
        return _WORDS[self]


_WORDS = ("side not stated", "right", "left", "right and left")
# a table, since a flag's `&` makes a flag each time and this is asked of every record
_SAME = tuple(tuple(not one or not other or bool(one & other) for other in range(4)) for one in range(4))
SIDES_BY_NAME = {"right": Side.RIGHT, "left": Side.LEFT, "both": Side.BOTH}


def same_side(one: int, other: int) -> bool:
    """Whether two records may be about the same side: they overlap, or one does not say."""
    return _SAME[one][other]
