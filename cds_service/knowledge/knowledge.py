"""The knowledge as it runs: everything in ``cards/``, checked, resolved and compiled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cds_service.domain.codes import Coding
from cds_service.domain.queries import Queries
from cds_service.domain.recommendations import Recommendation
from cds_service.domain.situation import Criterion
from cds_service.domain.vocabulary import Vocabulary
from cds_service.errors import KnowledgeError, SettingsError
from cds_service.knowledge.corrections import CorrectionRules
from cds_service.knowledge.names import Names
from cds_service.knowledge.prefetch import HookNeeds
from cds_service.knowledge.queries import Answers, queries_of
from cds_service.knowledge.schema import (
    EHRProfileEntry,
    EvidenceEntry,
    SeedFile,
    ServiceEntry,
    ServicesFile,
    SourceAttributesFile,
)
from cds_service.knowledge.snooze import SnoozeRules

NEXT: Final = "next"
"""The folder of new versions, and of new recommendations, that are live for nobody."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Read once at start. ``fingerprint`` changes when any byte of ``cards/`` that counts changes.

    ``next_versions``, by the id of their recommendation, are live for nobody: a client may run them in shadow.
    """

    fingerprint: str
    words: ServicesFile
    services: tuple[ServiceEntry, ...]
    recommendations: tuple[Recommendation, ...]
    concerns_us: Criterion
    vocabulary: Vocabulary
    evidence: Mapping[str, EvidenceEntry]
    topic_system: str
    names: Names
    hook_needs: Mapping[str, HookNeeds]
    prefetch: Mapping[str, Mapping[str, str]]
    ehr_profiles: Mapping[str, EHRProfileEntry]
    snooze: SnoozeRules
    corrections: CorrectionRules
    seed: SeedFile
    source_attributes: SourceAttributesFile
    warnings: tuple[KnowledgeError, ...] = ()
    next_versions: Mapping[str, Recommendation] = field(default_factory=dict)

    def with_next_versions(self) -> Knowledge:
        """As it would be if every next version were live."""
        kept = (r for r in self.recommendations if r.id not in self.next_versions)
        every = sorted((*kept, *self.next_versions.values()), key=lambda r: r.order)
        return replace(self, recommendations=tuple(every), next_versions={})

    def at_hook(self, hook: str) -> tuple[Recommendation, ...]:
        """The recommendations that speak at a hook, in the order of their files."""
        return tuple(r for r in self.recommendations if hook in r.hooks and r.is_effective)

    def queries(self, profile: str = "") -> Queries:
        """What is asked of a client: by the needs' own queries, or by those of an EHR profile. Raises SettingsError."""
        return self.queries_for(self.answers_of(profile))

    def answers_of(self, profile: str) -> Answers:
        """How the EHR of this profile answers for each need; without a name, none in its own way. SettingsError."""
        if not profile:
            return {}
        if profile not in self.ehr_profiles:
            there = ", ".join(self.ehr_profiles) or "none"
            raise SettingsError(f"there is no EHR profile {profile!r} in ehr_profiles/; there are: {there}")
        return self.ehr_profiles[profile].needs

    def queries_for(self, answers: Answers, local_codes: Mapping[str, Sequence[str]] | None = None) -> Queries:
        """What is asked of such an EHR. ``local_codes``: a code of ours → those of a site that mean the same."""
        asks = {hook: needs.with_local_codes(local_codes or {}) for hook, needs in self.hook_needs.items()}
        return queries_of(asks, self.names.needs, answers)

    def reviews(self, on: dt.date) -> list[str]:
        """What a start-up log says of reviews that are overdue and periods that are over. Nothing stops for a date."""
        said = []
        for recommendation in self.recommendations:
            period = recommendation.stewardship
            if period.effective_to and on > period.effective_to:
                said.append(f"{recommendation.id} is silent: its effective period ended on {period.effective_to}")
            elif period.next_review_date and on > period.next_review_date:
                said.append(f"{recommendation.id}: review was due on {period.next_review_date}")
        return said

    def service(self, service_id: str) -> tuple[ServiceEntry, ...]:
        """The services of an id: one per hook it serves."""
        return tuple(s for s in self.services if s.id == service_id)

    def topic(self, code: str, display: str) -> Coding:
        """The coding by which a card names its recommendation."""
        return Coding(self.topic_system, code, display)
