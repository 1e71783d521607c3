"""One file of `recommendations/<group>/<name>.yaml`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from cds_service.knowledge.schema.criteria import Criteria, CriterionEntry
from cds_service.knowledge.schema.entry import Entry, HookName, Name, Names, Sentence


class ForEachEntry(Entry):
    """What is judged one by one: each side with a definition, or each draft of an order."""

    side_with: Name | None = None
    drafted: Names | None = None


class IndicatorEntry(Entry):
    """The card's urgency and what raises it."""

    default: Literal["info", "warning", "critical"]
    warning_when_any: Criteria | None = None
    critical_when_any: Criteria | None = None


class TextEntry(Entry):
    """A sentence shown only when its criteria hold."""

    text: Sentence
    when: Criteria


class DateEntry(Entry):
    """A moment plus a length of time; without a moment, from today."""

    moment: Name | None = None
    plus: Name | None = None


class SlotEntry(Entry):
    """A named piece of text: exactly one source, and what stands there where it is not known."""

    value_of: CriterionEntry | None = None
    date_of: CriterionEntry | None = None
    display_of: CriterionEntry | None = None
    date: DateEntry | None = None
    days_since: Name | None = None
    parameter: Name | None = None
    otherwise: str = ""


class DraftChange(Entry):
    """What is changed in the draft being judged; all else stays as it came."""

    of: Names | None = None
    planned: DateEntry | None = None
    on_hold: Literal[True] | None = None
    priority: Literal["urgent", "asap", "stat"] | None = None
    reason: Name | None = None
    code: Name | None = None


class ActionEntry(Entry):
    """One change: create an orderable, update the draft, or delete it."""

    create: Name | None = None
    for_: CriterionEntry | None = None
    priority: Literal["routine", "urgent", "asap", "stat"] = "routine"
    planned: DateEntry | None = None
    update_draft: DraftChange | None = None
    delete_draft: Literal[True] | None = None
    description: Sentence | None = None


class SuggestionEntry(Entry):
    """A choice on the card."""

    label: Sentence
    recommended: bool = False
    when: Criteria | None = None
    actions: Annotated[list[ActionEntry], Field(min_length=1)]
    does_not_settle: Sentence | None = None


class LinkEntry(Entry):
    """A link to a source in `evidence.yaml`, or to a page of its own."""

    evidence: Name | None = None
    label: Sentence | None = None
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None


class StewardshipEntry(Entry):
    """Status and review, as in FHIR PlanDefinition."""

    status: Literal["draft", "active", "retired"]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    author: Name
    reviewers: list[Name] = []
    approval_date: dt.date | None = None
    last_review_date: dt.date | None = None
    next_review: dt.date
    effective_from: dt.date | None = None
    effective_to: dt.date | None = None


class RecommendationEntry(Entry):
    """One file of `recommendations/<group>/<name>.yaml`."""

    id: Annotated[str, Field(pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)+$")]
    title: Sentence
    place_in_order: int
    sort: Literal["guidance", "critique", "safety critique", "red flag"]
    hooks: Annotated[list[HookName], Field(min_length=1)]
    also_for_children: bool = False
    for_each: ForEachEntry | None = None
    when: Criteria | None = None
    unless: Criteria | None = None
    when_unknown: Literal["withhold", "show"]
    caveat: Name | None = None
    indicator: IndicatorEntry
    summary: Sentence
    detail: Annotated[list[Sentence | TextEntry], Field(min_length=1)]
    slots: dict[Name, SlotEntry] = {}
    select: Literal["any", "at most one"] = "any"
    suggestions: list[SuggestionEntry] = []
    links: list[LinkEntry] = []
    override_reasons: Annotated[list[Name], Field(min_length=1)]
    evidence: Annotated[list[Name], Field(min_length=1)]
    strength: Sentence
    seed_statements: list[Annotated[str, Field(pattern=r"^S\d+$")]] = []
    accepting_does_not_settle: Sentence | None = None
    stewardship: StewardshipEntry
