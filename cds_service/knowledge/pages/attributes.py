"""The source attributes of a recommendation, answered from the criteria that run."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.domain import criteria as run
from cds_service.domain.recommendations import Recommendation
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import AttributeContent
from cds_service.knowledge.prefetch import asked_by, criteria_behind
from cds_service.knowledge.schema import SourceAttributeEntry


def attributes_of(recommendation: Recommendation, knowledge: Knowledge) -> tuple[AttributeContent, ...]:
    """Every attribute with its answer, in the order of the file."""
    asked = frozenset(asked_by(recommendation))
    return tuple(
        AttributeContent(entry.says, tuple(_answer(entry, recommendation, knowledge, asked)))
        for entry in knowledge.source_attributes.attributes
    )


def _answer(
    entry: SourceAttributeEntry, recommendation: Recommendation, knowledge: Knowledge, asked: frozenset[str]
) -> Iterator[str]:
    if entry.answered_by == "evidence":
        yield from (knowledge.evidence[name].citation for name in recommendation.evidence)
    elif entry.answered_by == "author":
        yield recommendation.stewardship.author
    elif entry.answered_by == "dates":
        yield from _dates(recommendation)
    elif entry.answered_by == "date of birth":
        yield "Used, for the age." if _asks_age(recommendation) else "Not used."
    elif entry.answered_by == "value sets":
        used = [name for name in entry.used_when_asking_for if name in asked]
        yield f"Used where recorded as: {', '.join(used)}." if used else "Not used."
    else:
        yield entry.statement or ""


def _dates(recommendation: Recommendation) -> Iterator[str]:
    it = recommendation.stewardship
    yield f"Version {it.version}, {it.status}"
    yield f"Approved: {it.approval_date.isoformat() if it.approval_date else 'not approved'}"
    yield f"Last reviewed: {it.last_review_date.isoformat() if it.last_review_date else 'not yet'}"


def _asks_age(recommendation: Recommendation) -> bool:
    return any(isinstance(criterion, run.Age) for criterion in criteria_behind(recommendation))
