"""Procedure, DiagnosticReport, doses → what was done, or is under way as good as ordered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from cds_service.domain.facts import Done, Fact, Order, Stage
from cds_service.domain.times import When
from cds_service.fhir import elements, shapes
from cds_service.fhir.chart import Chart
from cds_service.fhir.concepts import Understood
from cds_service.fhir.references import record_key

Dose = shapes.MedicationAdministration | shapes.MedicationStatement


class _Statuses(NamedTuple):
    """Which statuses of a type mean done, under way, and nothing; any other is doubtful."""

    done: frozenset[str]
    under_way: frozenset[str]
    nothing: frozenset[str]


_PROCEDURE: Final = _Statuses(
    frozenset(("completed",)),
    frozenset(("preparation", "in-progress", "on-hold")),
    frozenset(("not-done", "stopped", "entered-in-error")),
)
_REPORT: Final = _Statuses(
    frozenset(("final", "amended", "corrected", "appended")),
    frozenset(),
    frozenset(("registered", "partial", "preliminary", "cancelled", "entered-in-error")),
)
_DOSE: Final = _Statuses(
    frozenset(("completed", "in-progress")),
    frozenset(),
    frozenset(("not-done", "on-hold", "stopped", "entered-in-error")),
)
_TAKEN: Final = _Statuses(
    frozenset(("active", "completed")),
    frozenset(),
    frozenset(("not-taken", "intended", "on-hold", "stopped", "entered-in-error")),
)


def read_procedure(record: shapes.Procedure, chart: Chart) -> Iterator[Fact]:
    """A procedure; one that has begun counts as ordered."""
    found = chart.understand(record.code, record.body_site)
    if found is not None:
        period = record.performed_period or elements.Period()
        when = chart.when(record.performed_date_time, period.end, period.start)
        yield from _event(record, found, when, _PROCEDURE, chart)


def read_report(record: shapes.DiagnosticReport, chart: Chart) -> Iterator[Fact]:
    """A report; one that is not final tells nothing yet, and the order behind it speaks for itself."""
    found = chart.understand(record.code)
    if found is not None:
        period = record.effective_period or elements.Period()
        when = chart.when(record.effective_date_time, period.end, period.start, record.issued)
        yield from _event(record, found, when, _REPORT, chart)


def read_dose(record: Dose, chart: Chart) -> Iterator[Fact]:
    """A dose given, or a medicine said to be taken."""
    statuses = _DOSE if isinstance(record, shapes.MedicationAdministration) else _TAKEN
    if record.status in statuses.nothing:
        return
    code, in_doubt = record.medication_codeable_concept, False
    if code is None:
        code, in_doubt = chart.product(record, record.medication_reference)
    found = chart.understand(code)
    if found is None:
        return
    period = record.effective_period or elements.Period()
    when = chart.when(record.effective_date_time, period.end, period.start)
    yield from _event(record, found, when, statuses, chart, in_doubt=in_doubt)


def _event(
    record: shapes.Event,
    found: Understood,
    when: When | None,
    statuses: _Statuses,
    chart: Chart,
    *,
    in_doubt: bool = False,
) -> Iterator[Fact]:
    status = record.status
    if status in statuses.nothing:
        return
    doubtful = in_doubt or chart.is_doubtful(record)
    if status in statuses.under_way:
        yield Order(
            reference=record_key(record),
            concepts=found.concepts,
            coding=found.coding,
            side=found.side,
            when=when,
            doubtful=doubtful,
            stage=Stage.OPEN,
        )
    else:
        yield Done(
            reference=record_key(record),
            concepts=found.concepts,
            coding=found.coding,
            side=found.side,
            when=when,
            doubtful=doubtful or status not in statuses.done,
        )
