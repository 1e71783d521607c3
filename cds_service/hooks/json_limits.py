"""How much JSON a body holds, told from its bytes alone: before a parser descends into it or builds anything of it.

What stands in strings does not count. Each step is one of Python's own passes over bytes, so that a usual body costs
some microseconds, and the largest and worst about a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cds_service.errors import TooLargeError

_BYTES: Final = frozenset(range(256))
_BUT_BRACKETS: Final = bytes(_BYTES - set(b'{}[]"'))
_BUT_MARKS: Final = bytes(_BYTES - set(b'{}[],"'))
_BRACES_AS_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_BYTES_PER_ELEMENT: Final = 2
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_BYTES_PER_ESCAPE: Final = 40
"""Where escapes are rarer than this, one at a time is the faster way to take them out; else all of a kind at once."""


@dataclass(frozen=True, slots=True)
class JSONLimits:
    """The most levels of nesting, and the most elements: members of objects, items of arrays."""

    levels: int
    elements: int

    def check(self, body: bytes) -> None:
        """Raise TooLargeError for what is nested too deep or holds too many elements. Says nothing of other faults."""
        body = _without_escapes(body)
        if len(body) > _BYTES_PER_ELEMENT * self.elements:
            marks = _outside_strings(body, _BUT_MARKS)
            if marks.count(b",") + marks.count(b"[") > self.elements:
                raise TooLargeError("elements", self.elements)
        if self._is_deep(_outside_strings(body, _BUT_BRACKETS)):
            raise TooLargeError("levels of nesting", self.levels)

    def _is_deep(self, brackets: bytes) -> bool:
        """Take away the innermost pairs, level after level: what is left then lies deeper, or was never closed."""
        for taken in range(self.levels):
            if len(brackets) <= 2 * (self.levels - taken):
                return False
            rest = brackets.replace(b"[]", b"")
            if len(rest) == len(brackets):
                return True
            brackets = rest
        return bool(brackets)


def _without_escapes(body: bytes) -> bytes:
    """A body in which each quotation mark begins or ends a string."""
    escapes = body.count(b"\\")
    if escapes * _BYTES_PER_ESCAPE < len(body):
        return _ESCAPE.sub(b"", body) if escapes else body
    return body.replace(b"\\\\", b"").replace(b'\\"', b"")


def _outside_strings(body: bytes, dropped: bytes) -> bytes:
    """What is left of such a body without its strings and these bytes; braces as brackets."""
    kept = body.translate(_BRACES_AS_BRACKETS, dropped).replace(b'""', b"")
    return b"".join(kept.split(b'"')[::2]) if b'"' in kept else kept
