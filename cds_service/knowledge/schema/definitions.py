"""`parameters.yaml` and `definitions.yaml`."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from cds_service.knowledge.schema.criteria import Criteria, CriterionEntry, FallingFindingEntry
from cds_service.knowledge.schema.entry import Entry, Name, Sentence


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
