"""What the knowledge says about reading a record: which codes mean what, and how their values are understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cds_service.domain.codes import CodeTable, Coding
from cds_service.domain.times import Window


@dataclass(frozen=True, slots=True)
class Need:
    """One kind of patient data: its prefetch key, the resource type it answers with, and what it can show."""

    name: str
    key: str
    resource: str
    shows: frozenset[str]
    words: str


@dataclass(frozen=True, slots=True)
class Plausible:
    """The numbers and units in which a finding is understood; no unit at all is understood too."""

    lowest: float
    highest: float
    units: frozenset[str]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Handed to whoever turns records into facts.

    ``scales`` gives lowest and highest grade of a finding that is read on a scale; ``not_at`` the body sites at which a
    concept does not count; ``side_codings`` the coding an order carries for right, left and both; ``cause_words`` the
    words by which a stated cause of a condition names a concept; ``plausible`` the numbers and units of a finding.
    """

    table: CodeTable
    needs: Mapping[str, Need]
    yes_means: str
    no_means: str
    laterality_parameter: str
    laterality_parameter_coding: Coding
    encounter_diagnosis_window: Window
    scales: Mapping[str, tuple[int, int]]
    not_at: Mapping[str, frozenset[str]]
    side_codings: Mapping[str, Coding]
    cause_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plausible: Mapping[str, Plausible] = field(default_factory=dict)
