"""Criteria as authors write them: one mapping, one operator."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from cds_service.knowledge.schema.entry import Entry, Name, Names, SidePattern, ThatSide, listed


class AllOf(Entry):
    """Every criterion must hold."""

    all: list[CriterionEntry]


class AnyOf(Entry):
    """At least one criterion must hold."""

    any: list[CriterionEntry]


class NoneOf(Entry):
    """No criterion may hold."""

    none: list[CriterionEntry]


class ConditionEntry(Entry):
    """A problem or diagnosis on record, active unless `status` says otherwise."""

    condition: Names
    on: ThatSide = "any side"
    certainty: Literal["confirmed", "suspected", "any"] = "any"
    status: Literal["active", "not active", "any"] = "active"
    severity: Names | None = None
    stated_cause: bool | None = None
    apart_from: Names | None = None
    onset_within: Name | None = None
    onset_at_least: Name | None = None
    onset_more_than: Name | None = None
    caused_by: Names | None = None
    recorded_within: Name | None = None


class Shown(Entry):
    """What an observation must show, and when it was made."""

    is_: Names | None = None
    at_most: Name | None = None
    at_least: Name | None = None
    below: Name | None = None
    equals: Name | None = None
    within: Name | None = None
    since: Name | None = None
    newer_than_the_end_of: Names | None = None
    on: ThatSide = "any side"


class FindingEntry(Shown):
    """Some observation of this kind that shows this: `is`, or a bound."""

    finding: Names


class LatestFindingEntry(Shown):
    """The latest observation of this kind, per side. `recorded: yes` asks only that there is one."""

    latest_finding: Names
    recorded: bool = False


class FallingFindingEntry(Entry):
    """The latest observation lies lower than an earlier one, without recovery between them."""

    falling_finding: Names
    by_at_least: Name
    over_at_most: Name
    latest_within: Name | None = None
    both_within: Name | None = None
    on: ThatSide = "any side"


class DoneEntry(Entry):
    """Something completed: a procedure, a final report, a completed order, a dose given."""

    done: Names
    within: Name | None = None
    since: Name | None = None
    on: ThatSide = "any side"


class OrderOptions(Entry):
    """What an order must be like."""

    within: Name | None = None
    since: Name | None = None
    priority_at_least: Literal["urgent", "asap", "stat"] | None = None
    for_: Names | None = None
    on: ThatSide = "any side"


class OpenOrderEntry(OrderOptions):
    """An order that is active or on hold, or drafted: other than the draft being judged."""

    open_order: Names


class EarlierOrderEntry(OrderOptions):
    """An order that stood before: active or on hold on record, or a draft that this call does not judge."""

    earlier_order: Names


class DraftedEntry(Entry):
    """A draft order of this call; on order-select, one that was selected."""

    drafted: Names


class InUseEntry(Entry):
    """A device in use, with `used within` since lately; with `stopped within`, one that was given up."""

    in_use: Names
    used_within: Name | None = None
    stopped_within: Name | None = None
    on: ThatSide = "any side"


class RefusedEntry(Entry):
    """An order not to do this (doNotPerform). `with reason: yes` asks that it says why."""

    refused: Names
    with_reason: bool = False
    on: ThatSide = "any side"


class PlannedBefore(Entry):
    """The latest of some moments, plus a length of time."""

    latest_of: Names
    plus: Name


class DraftTests(Entry):
    """What the draft being judged must be like."""

    is_: Names | None = None
    is_not: Names | None = None
    planned_before: PlannedBefore | None = None
    for_: Names | None = None
    for_or_without_reason: Names | None = None
    replaces_another: bool | None = None


class ThatDraftEntry(Entry):
    """A test of the draft being judged."""

    that_draft: DraftTests


class MomentTest(Entry):
    """A named moment that lies within a window before now, or at least a window ago."""

    moment: Name
    within: Name | None = None
    at_least: Name | None = None
    more_than: Name | None = None


class AgeTest(Entry):
    """A bound in completed years."""

    at_least: Name | None = None
    under: Name | None = None


class AgeEntry(Entry):
    """The patient's age."""

    age: AgeTest


class HookEntry(Entry):
    """The hook of this call."""

    hook: Names


class DeceasedEntry(Entry):
    """The patient has died."""

    deceased: Literal[True]


class SidesWithEntry(Entry):
    """On which sides a definition holds."""

    sides_with: Name
    are: Annotated[list[SidePattern], BeforeValidator(listed, json_schema_input_type=SidePattern | list[SidePattern])]


OPERATORS: dict[str, type[Entry]] = {
    "all": AllOf,
    "any": AnyOf,
    "none": NoneOf,
    "condition": ConditionEntry,
    "finding": FindingEntry,
    "latest finding": LatestFindingEntry,
    "falling finding": FallingFindingEntry,
    "done": DoneEntry,
    "open order": OpenOrderEntry,
    "earlier order": EarlierOrderEntry,
    "drafted": DraftedEntry,
    "in use": InUseEntry,
    "refused": RefusedEntry,
    "that draft": ThatDraftEntry,
    "moment": MomentTest,
    "age": AgeEntry,
    "hook": HookEntry,
    "deceased": DeceasedEntry,
    "sides with": SidesWithEntry,
}


def _operator(value: Any) -> str | None:
    """Which operator a criterion uses: a bare word is the name of a definition."""
    if isinstance(value, str):
        return "definition"
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    found = [name for name in OPERATORS if name in keys or name.replace(" ", "_") in keys]
    return found[0] if len(found) == 1 else None


CriterionEntry = Annotated[
    Annotated[Name, Tag("definition")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[NoneOf, Tag("none")]
    | Annotated[ConditionEntry, Tag("condition")]
    | Annotated[FindingEntry, Tag("finding")]
    | Annotated[LatestFindingEntry, Tag("latest finding")]
    | Annotated[FallingFindingEntry, Tag("falling finding")]
    | Annotated[DoneEntry, Tag("done")]
    | Annotated[OpenOrderEntry, Tag("open order")]
    | Annotated[EarlierOrderEntry, Tag("earlier order")]
    | Annotated[DraftedEntry, Tag("drafted")]
    | Annotated[InUseEntry, Tag("in use")]
    | Annotated[RefusedEntry, Tag("refused")]
    | Annotated[ThatDraftEntry, Tag("that draft")]
    | Annotated[MomentTest, Tag("moment")]
    | Annotated[AgeEntry, Tag("age")]
    | Annotated[HookEntry, Tag("hook")]
    | Annotated[DeceasedEntry, Tag("deceased")]
    | Annotated[SidesWithEntry, Tag("sides with")],
    Discriminator(_operator, custom_error_type="operator", custom_error_message="exactly one operator is needed"),
]
for _entry in (AllOf, AnyOf, NoneOf):
    _entry.model_rebuild()
Criteria = Annotated[
    list[CriterionEntry],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=CriterionEntry | list[CriterionEntry]),
]
