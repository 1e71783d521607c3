"""What of the knowledge speaks for a client: live, in shadow, or not at all.

A recommendation in shadow is evaluated on the data that the live ones have gathered, and recorded; it is never
returned, asks for no data, leaves no gap and changes no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rollout:
    """The ids of the recommendations that do not simply speak.

    ``off`` are not even evaluated (the kill switch), ``shadow`` run in shadow, and so do the next versions of
    ``next_in_shadow``, beside what is live.
    """

    off: frozenset[str] = frozenset()
    shadow: frozenset[str] = frozenset()
    next_in_shadow: frozenset[str] = frozenset()

    def is_live(self, recommendation_id: str) -> bool:
        """Whether the version that is live for others is so here too."""
        return recommendation_id not in self.off and recommendation_id not in self.shadow


ALL_LIVE: Final = Rollout()
