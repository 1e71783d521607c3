"""Criteria, moments and dates as text. Read off the criteria that run, so that the export cannot say something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.domain.criteria import All, AnyOf, Definition, NoneOf
from cds_service.domain.moments import Extreme, FallOf, LatestOf, NamedMoment
from cds_service.domain.recommendations import PlannedDate
from cds_service.domain.situation import Criterion, Moment
from cds_service.domain.times import Window

_JOINS = (All, AnyOf, NoneOf)


def read_aloud(criterion: Criterion) -> str:
    """A criterion with its parts as an indented list; a named definition is only named: the Library says it once."""
    return "\n".join(_lines(_lifted(criterion), 0))


def read_body(definition: Definition) -> str:
    """What a name stands for."""
    return read_aloud(definition.body)


def bullets(texts: Iterable[str]) -> str:
    """A list, each text with its own lines indented below it."""
    return "\n".join("- " + text.replace("\n", "\n  ") for text in texts)


def _lines(criterion: Criterion, depth: int) -> Iterator[str]:
    indent = "  " * (depth - 1) + "- " if depth else ""
    parts = criterion.parts() if isinstance(criterion, _JOINS) else ()
    yield f"{indent}{criterion.text}{':' if parts else ''}"
    for part in parts:
        yield from _lines(_lifted(part), depth + 1)


def _lifted(criterion: Criterion) -> Criterion:
    """A list of one criterion is that criterion."""
    if isinstance(criterion, All | AnyOf) and len(criterion.criteria) == 1:
        return _lifted(criterion.criteria[0])
    return criterion


def moment_sources(moment: NamedMoment) -> Iterator[str]:
    """The ways to find a moment, in the order in which they are tried."""
    for source in moment.sources:
        if isinstance(source, Extreme):
            yield f"the {'latest' if source.latest else 'earliest'} of {read_aloud(source.records)}"
        elif isinstance(source, FallOf):
            yield read_aloud(source.fall)
        elif isinstance(source, LatestOf):
            yield f"the latest of {', '.join(moment_name(one) for one in source.moments)}"


def moment_name(moment: Moment) -> str:
    """How `cards/` calls a moment."""
    return moment.name


def planned_date(planned: PlannedDate) -> str:
    """When an order is planned for. Relative to the patient's course, which FHIR's timing cannot express."""
    start = moment_name(planned.moment) if planned.moment else "today"
    plus = f", plus {length(planned.plus)}" if planned.plus.amount else ""
    return f"Planned for: {start}{plus}; never earlier than today."


def length(window: Window) -> str:
    """A length of time in words."""
    return f"{window.amount} {'hours' if window.hours else 'days'}"
