"""What belongs to all recommendations together: index, seed matrix, parameters, sources."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cds_service.domain.recommendations import Recommendation
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import EvidenceContent, ParameterContent, SeedContent, Stamp
from cds_service.knowledge.pages.wording import names_used


@dataclass(frozen=True, slots=True)
class Entry:
    """A recommendation in the index."""

    id: str
    title: str
    sort: str
    indicators: tuple[str, ...]
    hooks: tuple[str, ...]
    status: str
    version: str
    next_review: dt.date | None
    review_is_overdue: bool
    seed_statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The recommendations of one group, in table order."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class GateContent:
    """A gate: its sentence and the sorts of recommendation it silences."""

    name: str
    says: str
    silences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexContent:
    """The index."""

    stamp: Stamp
    hooks: tuple[str, ...]
    groups: tuple[Group, ...]
    gates: tuple[GateContent, ...]
    seed_about: str
    seed: tuple[SeedContent, ...]
    parameters: tuple[ParameterContent, ...]
    evidence: tuple[EvidenceContent, ...]


def index_of(knowledge: Knowledge, stamp: Stamp, group_titles: dict[str, str]) -> IndexContent:
    """Everything on the index page. ``group_titles`` by the group's folder."""
    by_group: dict[str, list[Entry]] = {}
    for recommendation in knowledge.recommendations:
        by_group.setdefault(recommendation.group, []).append(_entry(recommendation, knowledge, stamp.date))
    used: dict[str, list[str]] = {}
    for recommendation_id, names in names_used(knowledge).items():
        for name in names.parameters:
            used.setdefault(name, []).append(recommendation_id)
    return IndexContent(
        stamp=stamp,
        hooks=tuple(service.hook for service in knowledge.services),
        groups=tuple(Group(group_titles[name], tuple(entries)) for name, entries in by_group.items()),
        gates=_gates(knowledge),
        seed_about=knowledge.seed.about,
        seed=tuple(seed_content(name, knowledge) for name in knowledge.seed.statements),
        parameters=tuple(parameter_content(n, knowledge, tuple(used.get(n, ()))) for n in knowledge.names.parameters),
        evidence=tuple(evidence_content(name, knowledge) for name in knowledge.evidence),
    )


def _entry(it: Recommendation, knowledge: Knowledge, today: dt.date) -> Entry:
    next_review = it.stewardship.next_review_date
    return Entry(
        id=it.id,
        title=it.title,
        sort=it.sort.value,
        indicators=(it.indicator.value, *(level.value for level, _ in it.raised_when)),
        hooks=tuple(s.hook for s in knowledge.services if s.hook in it.hooks),
        status=it.stewardship.status,
        version=it.stewardship.version,
        next_review=next_review,
        review_is_overdue=next_review is not None and next_review < today,
        seed_statements=it.seed_statements,
    )


def _gates(knowledge: Knowledge) -> tuple[GateContent, ...]:
    """The gates in their order, as they are attached to recommendations."""
    silenced: dict[str, dict[str, None]] = {}
    for recommendation in knowledge.recommendations:
        for gate in recommendation.gates:
            silenced.setdefault(gate.text, {})[recommendation.id] = None
    says = knowledge.names.says
    order = [name for name in says if name in silenced]
    return tuple(GateContent(name.partition(": ")[2], says[name], tuple(silenced[name])) for name in order)


def parameter_content(name: str, knowledge: Knowledge, used_by: tuple[str, ...] = ()) -> ParameterContent:
    """One threshold."""
    entry = knowledge.names.parameters[name]
    value = f"{entry.value:g}" + ("" if entry.unit in ("count", "ratio") else f" {entry.unit}")
    return ParameterContent(name, value, entry.means, entry.citation, entry.date, entry.steward, used_by)


def evidence_content(name: str, knowledge: Knowledge) -> EvidenceContent:
    """One source."""
    entry = knowledge.evidence[name]
    return EvidenceContent(
        id=name,
        citation=entry.citation,
        url=entry.url or "",
        says=entry.says,
        kind=entry.kind,
        quality=entry.quality,
        seen=entry.seen,
        limits=entry.limits or "",
        used_by=tuple(r.id for r in knowledge.recommendations if name in r.evidence),
    )


def seed_content(name: str, knowledge: Knowledge) -> SeedContent:
    """One statement of the seed."""
    entry = knowledge.seed.statements[name]
    users = tuple(r.id for r in knowledge.recommendations if name in r.seed_statements)
    return SeedContent(name, entry.says, tuple(entry.class_), tuple(entry.printed_reference), entry.caveat or "", users)
