"""The pages as plain data: what HTML and JSON are both made from, so that they cannot differ.

Everything that a page states about patients or codes comes from ``cards/``; nothing is written beside the criteria.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, NamedTuple, Protocol

from cds_service.domain.recommendations import OfferedLink


class Span(NamedTuple):
    """A piece of a line: its text, and what it refers to (``kind`` is empty for plain words)."""

    text: str
    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One criterion in words. ``says`` is a definition's sentence; ``above`` marks one unfolded earlier on the page.

    ``joins`` is "all", "any" or "none" where the line only joins its parts.
    """

    spans: tuple[Span, ...]
    name: str = ""
    says: str = ""
    parts: tuple[Line, ...] = ()
    above: bool = False
    joins: str = ""

    @property
    def text(self) -> str:
        """The line without its references."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Conditional:
    """A text of the card; ``when`` is empty where it always stands."""

    text: str
    when: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotContent:
    """What stands in a pair of brackets: where it comes from, and what stands there where that is not known."""

    name: str
    shows: tuple[Line, ...]
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class CodeContent:
    """A code with its system and its words."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class OverrideReasonContent:
    """A reason to dismiss the card, and what a later call then offers to record; empty where it offers nothing."""

    system: str
    code: str
    display: str
    to_record: str = ""


@dataclass(frozen=True, slots=True)
class ActionContent:
    """One change that a suggestion makes. ``order`` is empty where it changes or deletes the draft."""

    does: str
    description: str
    order: str = ""
    resource: str = ""
    codings: tuple[CodeContent, ...] = ()
    category: CodeContent | None = None
    body_site: CodeContent | None = None
    priority: str = ""
    planned: Line | None = None
    reason: tuple[Line, ...] = ()
    names_the_side: bool = False


@dataclass(frozen=True, slots=True)
class SuggestionContent:
    """A choice on the card. ``unsettled_because`` is empty where accepting it settles the card."""

    label: str
    recommended: bool
    actions: tuple[ActionContent, ...]
    when: tuple[Line, ...] = ()
    unsettled_because: str = ""


@dataclass(frozen=True, slots=True)
class CardContent:
    """The card as its file writes it, slots in brackets."""

    title: str
    summary: str
    detail: tuple[Conditional, ...]
    slots: tuple[SlotContent, ...]
    suggestions: tuple[SuggestionContent, ...]
    at_most_one: bool
    override_reasons: tuple[OverrideReasonContent, ...]
    links: tuple[OfferedLink, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Raised:
    """A level to which the indicator is raised, and when."""

    indicator: str
    when: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class MomentContent:
    """A point in time that the criteria speak of: its sentence, how it is found, the look-back where it is not."""

    name: str
    says: str
    found_by: tuple[Line, ...]
    look_back: str = ""


@dataclass(frozen=True, slots=True)
class ParameterContent:
    """A threshold with its meaning and source."""

    name: str
    value: str
    means: str
    citation: str
    date: dt.date
    steward: str
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NeedContent:
    """A kind of patient data, what it decides here, and what happens where it cannot be read."""

    words: str
    decides: tuple[str, ...]
    when_not_read: str


@dataclass(frozen=True, slots=True)
class EvidenceContent:
    """A source, with our own appraisal."""

    id: str
    citation: str
    url: str
    says: str
    kind: str
    quality: str
    seen: str
    limits: str
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeedContent:
    """A statement of the seed text in our own words, and the recommendations that carry it."""

    id: str
    says: str
    classes: tuple[str, ...]
    printed_references: tuple[int, ...]
    caveat: str
    recommendations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseContent:
    """A case about a recommendation: the patient in words, and what is expected."""

    case: str
    hook: str
    expected: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class ExampleSuggestion:
    """A suggestion of an example card."""

    label: str
    recommended: bool
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExampleCard:
    """A card as the service answered it for one of the cases."""

    case: str
    patient: tuple[str, ...]
    hook: str
    date: dt.date
    indicator: str
    summary: str
    detail: str
    suggestions: tuple[ExampleSuggestion, ...]
    override_reasons: tuple[str, ...]
    links: tuple[OfferedLink, ...]
    source: str


class Exhibits(Protocol):
    """The cases behind a recommendation. Whoever can run cases hands this in; the pages themselves cannot."""

    def cases_of(self, recommendation_id: str) -> tuple[CaseContent, ...]:
        """The cases about it."""
        ...

    def example_of(self, recommendation_id: str) -> ExampleCard | None:
        """A card of one of the cases where it stands."""
        ...


class NoExhibits:
    """Where no cases can be run."""

    def cases_of(self, recommendation_id: str) -> tuple[CaseContent, ...]:  # noqa: ARG002  # the protocol's name
        """None."""
        return ()

    def example_of(self, recommendation_id: str) -> ExampleCard | None:  # noqa: ARG002  # the protocol's name
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class AttributeContent:
    """A source attribute and its answer."""

    says: str
    answer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StewardshipContent:
    """Who keeps it and how far its review has come, on the day of the page."""

    status: str
    version: str
    author: str
    reviewers: tuple[str, ...]
    approval_date: dt.date | None
    last_review_date: dt.date | None
    next_review: dt.date | None
    effective_from: dt.date | None
    effective_to: dt.date | None
    review_is_overdue: bool


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which knowledge a page shows, and on which day."""

    fingerprint: str
    date: dt.date
    notice: str


@dataclass(frozen=True, slots=True)
class RecommendationContent:
    """Everything on the page of one recommendation."""

    stamp: Stamp
    id: str
    title: str
    group: str
    sort: str
    moments_of_work: tuple[str, ...]
    judged_for: str
    card: CardContent
    example: ExampleCard | None
    when: tuple[Line, ...]
    unless: tuple[Line, ...]
    gates: tuple[Line, ...]
    when_exclusion_unknown: str
    caveat: str
    indicator: str
    raised: tuple[Raised, ...]
    definitions: tuple[Line, ...]
    moments: tuple[MomentContent, ...]
    parameters: tuple[ParameterContent, ...]
    needs: tuple[NeedContent, ...]
    strength: str
    evidence: tuple[EvidenceContent, ...]
    seed_statements: tuple[SeedContent, ...]
    not_coded: Mapping[str, tuple[str, ...]]
    cases: tuple[CaseContent, ...]
    attributes_title: str
    attributes_note: str
    attributes: tuple[AttributeContent, ...]
    stewardship: StewardshipContent


def as_json(value: Any) -> Any:
    """Plain data: a line is its text with its parts and references, empty members are left out."""
    if isinstance(value, Line):
        return _line(value)
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, as_json(getattr(value, f.name))) for f in fields(value))
        return {name: plain for name, plain in pairs if plain not in (None, "", [], {})}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _line(line: Line) -> dict[str, Any]:
    found: dict[str, Any] = {"text": line.text}
    if line.name:
        found["definition"] = line.name
    if line.says:
        found["says"] = line.says
    for kind, key in (("value set", "value_sets"), ("parameter", "parameters"), ("moment", "moments")):
        names = list(dict.fromkeys(span.name for span in line.spans if span.kind == kind))
        if names:
            found[key] = names
    if line.above:
        found["unfolded_above"] = True
    if line.parts:
        found["parts"] = [_line(part) for part in line.parts]
    return found
