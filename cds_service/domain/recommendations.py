"""A recommendation: the guideline statement made computable, with its words, its offers and its stewardship.

Everything here was checked and resolved at load; nothing is looked up by name during a call.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from cds_service.domain.codes import Coding
from cds_service.domain.criteria import All
from cds_service.domain.facts import Priority
from cds_service.domain.situation import Criterion, Moment
from cds_service.domain.times import Window


class Indicator(StrEnum):
    """How urgent a card is, in rising order (CARD-4)."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 2 for critical."""
        return _RANKS[self.value]


_RANKS = {"info": 0, "warning": 1, "critical": 2}


class Sort(Enum):
    """What kind of advice it is; the gates and the treatment of unknowns depend on it."""

    GUIDANCE = "guidance"
    CRITIQUE = "critique"
    SAFETY_CRITIQUE = "safety critique"
    RED_FLAG = "red flag"


@dataclass(frozen=True, slots=True)
class ForEach:
    """What is judged one by one: the sides on which a definition holds, or the drafts of an order."""

    text: str
    sides_with: Criterion | None = None
    drafted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A criterion that silences, and what happens where it is unknown: withhold, or show with a named caveat."""

    criterion: Criterion
    show_when_unknown: bool = False
    caveat: str = ""


class SlotSource(Enum):
    """Where a slot's text comes from."""

    FACT_DATE = "date"
    FACT_VALUE = "value"
    FACT_DISPLAY = "display"
    DAYS_AGO = "days ago"


@dataclass(frozen=True, slots=True)
class Slot:
    """A named piece of a card's text: from a criterion's facts, from a moment, or ``fixed`` (a parameter in words).

    ``otherwise`` stands where the record says nothing.
    """

    name: str
    shows: SlotSource
    criterion: Criterion | None = None
    moment: Moment | None = None
    plus: Window | None = None
    otherwise: str = ""
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence with slots, shown only when its criterion holds."""

    template: str
    when: Criterion | None = None


class Offer(Enum):
    """What a suggestion does."""

    CREATE = "create"
    UPDATE_DRAFT = "update draft"
    DELETE_DRAFT = "delete draft"


@dataclass(frozen=True, slots=True)
class Orderable:
    """What a card may suggest to order."""

    name: str
    resource: str
    text: str
    codings: tuple[Coding, ...]
    category: Coding | None = None
    sided: bool = True
    body_site: Coding | None = None


@dataclass(frozen=True, slots=True)
class PlannedDate:
    """A date for an order: a moment plus a window, never earlier than today."""

    moment: Moment | None
    plus: Window


@dataclass(frozen=True, slots=True)
class OfferedAction:
    """One change inside a suggestion. ``of_drafts`` names the drafts to update where none is being judged."""

    offer: Offer
    description: str
    orderable: Orderable | None = None
    reason: Criterion | None = None
    priority: Priority = Priority.ROUTINE
    planned: PlannedDate | None = None
    add_reason: Coding | None = None
    on_hold: bool = False
    new_code: Orderable | None = None
    of_drafts: tuple[str, ...] = ()
    new_priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class OfferedSuggestion:
    """A choice on the card. ``unsettled_because`` says why accepting it leaves the card standing, where it does."""

    label: str
    actions: tuple[OfferedAction, ...]
    recommended: bool = False
    when: Criterion | None = None
    unsettled_because: str = ""


@dataclass(frozen=True, slots=True)
class OfferedLink:
    """A link to a source; ``url`` is absolute."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Stewardship:
    """Who keeps the recommendation and how far its review has come, as in FHIR PlanDefinition."""

    status: str
    version: str
    author: str
    reviewers: tuple[str, ...] = ()
    approval_date: dt.date | None = None
    last_review_date: dt.date | None = None
    next_review_date: dt.date | None = None
    effective_from: dt.date | None = None
    effective_to: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One file of ``cards/recommendations``, compiled."""

    id: str
    title: str
    group: str
    sort: Sort
    hooks: frozenset[str]
    order: int
    for_each: ForEach | None
    when: All
    unless: tuple[Exclusion, ...]
    gates: tuple[Criterion, ...]
    indicator: Indicator
    raised_when: tuple[tuple[Indicator, Criterion], ...]
    summary: str
    detail: tuple[Text, ...]
    slots: Mapping[str, Slot]
    suggestions: tuple[OfferedSuggestion, ...]
    select_any: bool
    links: tuple[OfferedLink, ...]
    override_reasons: tuple[Coding, ...]
    evidence: tuple[str, ...]
    strength: str
    seed_statements: tuple[str, ...]
    stewardship: Stewardship
    path: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_effective(self) -> bool:
        """Whether it takes part in decisions: a retired recommendation does not."""
        return self.stewardship.status != "retired"
