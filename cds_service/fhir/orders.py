"""ServiceRequest, DeviceRequest, MedicationRequest → orders, refusals, and orders that are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cds_service.domain.codes import Coding
from cds_service.domain.facts import Done, Fact, Order, Priority, Refusal, Stage
from cds_service.domain.sides import Side
from cds_service.domain.times import When
from cds_service.fhir import elements, shapes
from cds_service.fhir.bundles import many
from cds_service.fhir.chart import DO_NOT_PERFORM, Chart, has_unknown_modifier, is_stated, states_reason
from cds_service.fhir.concepts import ConceptReader, Understood
from cds_service.fhir.references import record_key

_OPEN: Final = frozenset(("active", "on-hold"))
_VOID: Final = frozenset(("revoked", "cancelled", "stopped", "entered-in-error"))
_PRIORITIES: Final = {priority.name.lower(): priority for priority in Priority}


@dataclass(frozen=True, slots=True)
class Draft:
    """What this call says about a draft: whether it is about it, and the resource as it came."""

    judged: bool
    resource: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Read:
    """The part of an order that every fact from it shares."""

    reference: str
    concepts: frozenset[str]
    coding: Coding
    side: Side
    doubtful: bool


def read_request(record: shapes.Request, chart: Chart) -> Iterator[Fact]:
    """An order of the record; a status we do not know leaves it open to doubt."""
    read = _read(record, chart) if record.status not in _VOID else None
    if read is None:
        return
    known = record.status in _OPEN or record.status in ("draft", "completed")
    if is_refusal(record):
        yield _refusal(record, read, chart, doubtful=read.doubtful or not known)
    elif record.status == "completed":
        when = _planned(record, chart) or chart.when(record.authored_on)
        yield Done(
            reference=read.reference,
            concepts=read.concepts,
            coding=read.coding,
            side=read.side,
            when=when,
            doubtful=read.doubtful,
        )
    else:
        stage = Stage.DRAFT if record.status == "draft" else Stage.OPEN
        yield _order(record, read, chart, stage=stage, doubtful=read.doubtful or not known)


def read_draft(record: shapes.Request, chart: Chart, draft: Draft) -> Iterator[Fact]:
    """An unsigned order of this call, whatever its status says, unless it is being withdrawn or was carried out."""
    read = _read(record, chart)
    if read is None or record.status in _VOID or record.status == "completed":
        return
    if is_refusal(record):
        yield _refusal(record, read, chart, doubtful=read.doubtful)
        return
    order = _order(record, read, chart, stage=Stage.DRAFT, doubtful=read.doubtful)
    order.in_call = True
    order.judged = draft.judged
    order.resource = draft.resource
    yield order


def is_refusal(record: shapes.Request) -> bool:
    """Whether it is an order not to do something, as element or as R5's modifier extension on R4."""
    if record.do_not_perform:
        return True
    return any(one.url == DO_NOT_PERFORM and one.value_boolean for one in many(record.modifier_extension))


def _read(record: shapes.Request, chart: Chart) -> _Read | None:
    code, in_doubt = _code(record, chart)
    found = chart.understand(code, record.body_site)
    if found is None:
        return None
    parameters = many(record.parameter)
    return _Read(
        reference=record_key(record),
        concepts=found.concepts,
        coding=found.coding,
        side=_side(found, record, chart.codes),
        doubtful=in_doubt
        or chart.is_doubtful(record)
        or any(has_unknown_modifier(one.modifier_extension) for one in parameters),
    )


def side_of_order(record: shapes.Request, codes: ConceptReader) -> Side:
    """The side an order names in its code, its body site, or a laterality parameter."""
    code = record.code_codeable_concept if isinstance(record, shapes.DeviceRequest) else None
    code = record.code if isinstance(record, shapes.ServiceRequest) else code
    found = codes.understand(code, record.body_site)
    return _side(found, record, codes)


def _side(found: Understood | None, record: shapes.Request, codes: ConceptReader) -> Side:
    pairs = ((one.code, one.value_codeable_concept) for one in many(record.parameter))
    return (found.side if found else codes.side(record.body_site)) or codes.side_of_parameters(pairs)


def _code(record: shapes.Request, chart: Chart) -> tuple[elements.Concepts, bool]:
    """What is ordered, and whether the product that is referred to is in doubt."""
    if isinstance(record, shapes.DeviceRequest):
        code, reference = record.code_codeable_concept, record.code_reference
    elif isinstance(record, shapes.MedicationRequest):
        code, reference = record.medication_codeable_concept, record.medication_reference
    elif isinstance(record, shapes.ServiceRequest):
        return record.code, False
    else:
        return None, False
    return (code, False) if code is not None else chart.product(record, reference)


def _refusal(record: shapes.Request, read: _Read, chart: Chart, *, doubtful: bool) -> Refusal:
    return Refusal(
        reference=read.reference,
        concepts=read.concepts,
        coding=read.coding,
        side=read.side,
        when=chart.when(record.authored_on),
        doubtful=doubtful,
        states_reason=states_reason(record.reason_code, record.reason_reference),
    )


def _order(record: shapes.Request, read: _Read, chart: Chart, *, stage: Stage, doubtful: bool) -> Order:
    reasons = chart.codes.concepts(record.reason_code) | chart.concepts_behind(record.reason_reference, record)
    return Order(
        reference=read.reference,
        concepts=read.concepts,
        coding=read.coding,
        side=read.side,
        when=chart.when(record.authored_on),
        doubtful=doubtful,
        stage=stage,
        priority=_PRIORITIES.get(record.priority or "", Priority.ROUTINE),
        planned=_planned(record, chart),
        reasons=reasons,
        states_reason=states_reason(record.reason_code, record.reason_reference),
        replaces=any(is_stated(one) for one in (record.replaces, record.prior_request, record.prior_prescription)),
    )


def _planned(record: shapes.Request, chart: Chart) -> When | None:
    """The day or the start of the time for which it is planned."""
    period, timing = record.occurrence_period, record.occurrence_timing
    events = timing.event if timing is not None else None
    return chart.when(
        record.occurrence_date_time,
        period.start if period else None,
        *(events if isinstance(events, list) else (events,)),
    )
