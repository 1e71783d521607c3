"""What the knowledge says of overrides: for how long each quiets, and whether its reason is about the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.domain.recommendations import Indicator


@dataclass(frozen=True, slots=True)
class ReasonRule:
    """One override reason: about the patient, or about the moment; and days of its own, if it sets any."""

    about_patient: bool
    days: int | None = None


@dataclass(frozen=True, slots=True)
class SnoozeRules:
    """Days by indicator, reasons by system and code, and the conditions whose spells are the episodes.

    ``episode_needs`` are the needs that can show these.
    """

    after_info: int
    after_warning: int
    episode_of: tuple[str, ...]
    episode_needs: frozenset[str]
    reasons: Mapping[tuple[str, str], ReasonRule]

    def days(self, dismissed: Indicator, reason: ReasonRule | None) -> int:
        """For how many days an override of a card that was not critical counts."""
        if reason is not None and reason.days is not None:
            return reason.days
        return self.after_info if dismissed is Indicator.INFO else self.after_warning

    @property
    def longest(self) -> int:
        """How many days back an override may still count."""
        own = (rule.days for rule in self.reasons.values() if rule.days is not None)
        return max(self.after_info, self.after_warning, *own)
