"""The other shared files: orderables, reasons, evidence, statements, services."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from cds_service.domain.facts import GapReason
from cds_service.knowledge.schema.codes import CodingEntry
from cds_service.knowledge.schema.criteria import Criteria
from cds_service.knowledge.schema.entry import Entry, HookName, Name, Sentence, listed


class OrderableEntry(Entry):
    """What a card may suggest to order."""

    resource: Literal["DeviceRequest", "ServiceRequest"]
    text: Sentence
    codings: Annotated[list[CodingEntry], Field(min_length=1)]
    category: CodingEntry | None = None
    sided: bool = True
    body_site: CodingEntry | None = None


class OverrideReasonEntry(Entry):
    """A coded reason to dismiss a card: about the patient, or only about the moment; quiet for a period of its own.

    `to record` says in words what the record lacks or has wrong, where the reason says that.
    """

    code: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    display: Sentence
    about: Literal["patient", "moment"] = "patient"
    quiet_for: Name | None = None
    to_record: Sentence | None = None


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
    class_: Annotated[list[Name], BeforeValidator(listed), Field(min_length=1)]
    printed_reference: Annotated[list[int], BeforeValidator(listed)] = []
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


class NeedAnswerEntry(Entry):
    """How an EHR answers for one need: by these queries, by the need's own, or not at all."""

    queries: list[Sentence] = []
    unavailable: bool = False


class EHRNeedEntry(NeedAnswerEntry):
    """The same in an EHR profile, with what it rests on."""

    rests_on: Sentence


class EHRProfileEntry(Entry):
    """One EHR: what it answers for each need, and what each line rests on."""

    title: Sentence
    status: Sentence
    needs: dict[Name, EHRNeedEntry]


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


class CorrectionCardEntry(GapCardEntry):
    """The card that offers to correct the record: at which hooks, by which orderable, in which words."""

    hooks: Annotated[list[HookName], Field(min_length=1)]
    order: Name
    summary_of_several: Sentence
    correction: Sentence
    suggestion: Sentence
    description: Sentence
    override_reasons: Annotated[list[Name], Field(min_length=1)]


class SnoozeEntry(Entry):
    """How long a dismissed card stays quiet, and the conditions whose spells are the episodes."""

    after_info: Name
    after_warning: Name
    episode_of: list[Name]


class ServicesFile(Entry):
    """`services.yaml`."""

    source: SourceEntry
    services: Annotated[list[ServiceEntry], Field(min_length=1)]
    groups: dict[Name, Sentence] = {}
    needs: dict[Name, NeedEntry]
    concerns_us: Criteria
    snooze: SnoozeEntry
    review_grace: Name
    data_gap_card: GapCardEntry
    gap_reasons: dict[GapReason, Sentence]
    folded_card: GapCardEntry
    record_correction_card: CorrectionCardEntry
    unclear: Sentence
    not_read: Sentence
    to_do_by_hand: Sentence
    evidence_line: Sentence
    draft_notice: Sentence

    @field_validator("gap_reasons")
    @classmethod
    def _every_reason(cls, reasons: dict[GapReason, str]) -> dict[GapReason, str]:
        missing = ", ".join(reason.value for reason in GapReason if reason not in reasons)
        if missing:
            raise ValueError(f"say in words also: {missing}")
        return reasons
