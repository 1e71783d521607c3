"""The files of ``cards/`` as types: what an author may write, and from them the JSON Schema that editors use.

Keys are written with spaces, as they are read aloud. Unknown keys are refused.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag


def _spaced(name: str) -> str:
    return name.rstrip("_").replace("_", " ")


class Entry(BaseModel):  # type: ignore[pydantic-alias]  # as below
    """A mapping in a YAML file: keys with spaces, no key that is not listed."""

    # the aliases are made here, not written: entries are read from YAML only, never made by name in code
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_spaced)  # type: ignore[pydantic-alias]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=Name | list[Name])]
Sentence = Annotated[str, Field(min_length=1)]
SidePattern = Literal["both", "one", "not stated"]
ThatSide = Literal["that side", "any side"]
HookName = Annotated[str, Field(pattern=r"^[a-z][a-z.-]+$")]


# ---- criteria: one mapping, one operator


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
    """An order not to do this (doNotPerform)."""

    refused: Names
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
    are: Annotated[list[SidePattern], BeforeValidator(_listed, json_schema_input_type=SidePattern | list[SidePattern])]


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
    BeforeValidator(_listed, json_schema_input_type=CriterionEntry | list[CriterionEntry]),
]


# ---- a recommendation


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


# ---- shared files


class ParameterEntry(Entry):
    """A threshold: value, unit, meaning, citation, date, steward."""

    value: int | float
    unit: Literal["days", "hours", "years", "MRC grade", "ratio", "count"]
    means: Sentence
    citation: Sentence
    date: dt.date
    steward: Name


class DefinitionEntry(Entry):
    """A named clinical definition: what it says, and the criteria that make it so."""

    says: Sentence
    all: list[CriterionEntry] | None = None
    any: list[CriterionEntry] | None = None
    none: list[CriterionEntry] | None = None


class MomentSource(Entry):
    """One way to find a moment."""

    earliest_date_of: CriterionEntry | None = None
    latest_date_of: CriterionEntry | None = None
    earliest_recording_of: CriterionEntry | None = None
    latest_recording_of: CriterionEntry | None = None
    fall: FallingFindingEntry | None = None


class MomentEntry(Entry):
    """A named point in time: the first way that knows it, and the look-back where none does."""

    says: Sentence
    first_known_of: list[MomentSource] = []
    latest_of: list[Name] = []
    look_back_when_unknown: Name | None = None


class GateEntry(Entry):
    """A criterion over everything: which sorts of recommendation it silences."""

    name: Name
    says: Sentence
    silences: list[Literal["guidance", "critique", "safety critique", "red flag", "for adults only"]]
    when: Criteria


class ReadingEntry(Entry):
    """How records are read: which answers mean yes and no, and how long an encounter's diagnosis stays active."""

    yes_means: Name
    no_means: Name
    laterality_parameter: Name
    an_encounter_diagnosis_stays_active_for: Name


class DefinitionsFile(Entry):
    """`definitions.yaml`."""

    reading: ReadingEntry
    caveats: dict[Name, Sentence]
    gates: list[GateEntry]
    moments: dict[Name, MomentEntry]
    definitions: dict[Name, DefinitionEntry]


class CodeEntry(Entry):
    """One code of a value set."""

    system: Name
    code: Name
    display: str | None = None
    descendants: bool = False
    side: Literal["right", "left", "both"] | None = None
    only_when_text_says: Names | None = None


class NotCodedEntry(Entry):
    """A code that was wanted and not found in a verified table: never guessed."""

    system: Name
    wanted: Sentence


class ScaleEntry(Entry):
    """The grades a finding is read on: whole numbers, with the words around them ("4/5", "4-")."""

    lowest: int
    highest: int


class PlausibleEntry(Entry):
    """The numbers and units in which a finding is understood; what lies outside or has another unit is not read."""

    lowest: int | float
    highest: int | float
    units: list[str]


class ValueSetEntry(Entry):
    """One file of `value_sets/`: codes that mean one thing."""

    name: Name
    title: Sentence
    purpose: Sentence
    steward: Name
    status: Literal["draft", "active", "retired"]
    sources: Annotated[list[Name], Field(min_length=1)]
    includes: list[Name] = []
    codes: list[CodeEntry] = []
    not_at: list[Name] = []
    recorded_in: list[Name] = []
    scale: ScaleEntry | None = None
    plausible: PlausibleEntry | None = None
    words_in_a_stated_cause: list[Name] = []
    not_coded: list[NotCodedEntry] = []


class CodeSystemEntry(Entry):
    """One code system of `code_systems/systems.yaml`."""

    uri: Annotated[str, Field(pattern=r"^(https?://|urn:)")]
    aliases: list[Name] = []
    ignore_dots: bool = False
    table: Name | None = None
    version: Sentence | None = None
    licence: Sentence


class CodingEntry(Entry):
    """A coding that a card or an order carries."""

    system: Name
    code: Name
    display: Sentence | None = None


class OrderableEntry(Entry):
    """What a card may suggest to order."""

    resource: Literal["DeviceRequest", "ServiceRequest"]
    text: Sentence
    codings: Annotated[list[CodingEntry], Field(min_length=1)]
    category: CodingEntry | None = None
    sided: bool = True
    body_site: CodingEntry | None = None


class OverrideReasonEntry(Entry):
    """A coded reason to dismiss a card."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    display: Sentence


class EvidenceEntry(Entry):
    """A source, cited by id; ``short`` is its name on a card."""

    short: Sentence
    citation: Sentence
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    says: Sentence
    kind: Name
    quality: Literal["high", "moderate", "low", "very low"]
    seen: Sentence
    limits: Sentence | None = None


class SeedStatementEntry(Entry):
    """One statement of the text this project was asked to implement, in our own words.

    `printed reference` is the number the text prints beside it; `caveat` what was found when it was checked.
    """

    says: Sentence
    class_: Annotated[list[Name], BeforeValidator(_listed), Field(min_length=1)]
    printed_reference: Annotated[list[int], BeforeValidator(_listed)] = []
    caveat: Sentence | None = None


class SeedFile(Entry):
    """`seed_statements.yaml`."""

    about: Sentence
    statements: dict[Annotated[str, Field(pattern=r"^S\d+$")], SeedStatementEntry]


class SourceAttributeEntry(Entry):
    """One attribute that a regulation asks a decision support intervention to disclose.

    `answered by` says where its answer comes from; `used when asking for` the value sets whose use makes it used.
    """

    says: Sentence
    answered_by: Literal["evidence", "author", "dates", "date of birth", "value sets", "statement"]
    used_when_asking_for: list[Name] = []
    statement: Sentence | None = None


class SourceAttributesFile(Entry):
    """`source_attributes.yaml`."""

    title: Sentence
    note: Sentence
    attributes: Annotated[list[SourceAttributeEntry], Field(min_length=1)]


class NeedEntry(Entry):
    """One kind of patient data: the prefetch key and query, what it can show, and how a clinician calls it."""

    key: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9-]*$")]
    query: Sentence
    resource: Name
    shows: list[Literal["patient", "condition", "finding", "done", "order", "refusal", "device"]]
    words: Sentence


class ServiceEntry(Entry):
    """One CDS service."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    hook: HookName
    hook_version: Name
    title: Sentence
    description: Sentence
    usage_requirements: Sentence


class SourceEntry(Entry):
    """Who stands behind the cards."""

    label: Sentence
    topics: Name
    override_reasons: Name


class GapCardEntry(Entry):
    """The words of the cards that are not a recommendation's own."""

    summary: Sentence
    detail: Sentence
    title: Sentence


class ServicesFile(Entry):
    """`services.yaml`."""

    source: SourceEntry
    services: Annotated[list[ServiceEntry], Field(min_length=1)]
    groups: dict[Name, Sentence] = {}
    needs: dict[Name, NeedEntry]
    concerns_us: Criteria
    review_grace: Name
    data_gap_card: GapCardEntry
    folded_card: GapCardEntry
    unclear: Sentence
    not_read: Sentence
    evidence_line: Sentence
    draft_notice: Sentence


def known_keys() -> list[str]:
    """Every key that stands somewhere in the schema: to suggest the right one for a wrong one."""
    keys: set[str] = set()
    for entry in _subclasses(Entry):
        keys.update(field.alias or name for name, field in entry.model_fields.items())
    return sorted(keys)


def _subclasses(entry: type[Entry]) -> list[type[Entry]]:
    return [entry, *(below for child in entry.__subclasses__() for below in _subclasses(child))]
