"""What a token's SMART scopes allow to ask, in the syntax of version 1 and of version 2.

They decide only what is *not* asked: the server decides what it answers. Scopes that speak of no resource type at all
say nothing about what may be read, so that then everything is asked.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

_SCOPE: Final = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<rights>\*|read|write|c?r?u?d?s?)(?P<narrowed>\?.+)?"
)


class Right(Enum):
    """How far a resource type may be read."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


class Scopes:
    """The scopes of one token."""

    def __init__(self, scope: str) -> None:
        """``scope`` is the space-separated list as sent."""
        self._granted = [found for word in scope.split() if (found := _SCOPE.fullmatch(word))]

    def right(self, resource_type: str, *, search: bool) -> Right:
        """Whether resources of this type may be searched, or read by id; SOME where a scope narrows them by a query."""
        if not self._granted:
            return Right.ALL
        granted = [
            one
            for one in self._granted
            if one["type"] in ("*", resource_type) and _allows(one["rights"], search=search)
        ]
        if not granted:
            return Right.NONE
        return Right.SOME if all(one["narrowed"] for one in granted) else Right.ALL


def _allows(rights: str, *, search: bool) -> bool:
    if rights in ("*", "read"):
        return True
    return rights != "write" and ("s" if search else "r") in rights
