"""DeviceUseStatement and Device → devices in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cds_service.domain.facts import Device
from cds_service.domain.times import When
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN, Truth
from cds_service.fhir import elements, shapes
from cds_service.fhir.chart import Chart
from cds_service.fhir.concepts import says_something
from cds_service.fhir.references import record_key

_ERROR: Final = "entered-in-error"
_NOT_IN_USE: Final = frozenset(("completed", "stopped", "on-hold", "intended", "not-done"))


def read_use(record: shapes.DeviceUseStatement, chart: Chart) -> Iterator[Device]:
    """A device that the patient is said to use or to have used."""
    if record.status == _ERROR:
        return
    code, in_doubt = _type(record, chart)
    found = chart.understand(code, record.body_site)
    if found is None:
        return
    period = record.timing_period or elements.Period()
    until = chart.when(period.end)
    yield Device(
        reference=record_key(record),
        concepts=found.concepts,
        coding=found.coding,
        side=found.side,
        when=chart.when(period.start, record.timing_date_time, record.recorded_on),
        doubtful=in_doubt or chart.is_doubtful(record),
        in_use=_in_use(record.status, until, chart),
        until=until,
    )


def _in_use(status: str | None, until: When | None, chart: Chart) -> Truth:
    if status in _NOT_IN_USE:
        return NOT_MET
    if until is not None:
        is_over = chart.has_passed(until)
        if is_over is not False:
            return UNKNOWN if is_over is None else NOT_MET
    return MET if status == "active" else UNKNOWN


def _type(record: shapes.DeviceUseStatement, chart: Chart) -> tuple[elements.Concepts, bool]:
    """What the device is: the Device referred to, or the concept or words in its place; and whether it is in doubt."""
    said = record.device
    if said is None:
        return None, False
    reference = said.reference.reference if isinstance(said.reference, elements.Reference) else said.reference
    device = chart.resolve(reference, record)
    if isinstance(device, shapes.Device):
        chart.described.add(id(device))
        if device.status == _ERROR:
            return None, False
        return device.type, chart.is_doubtful(device)
    if said.concept is not None:
        return said.concept, False
    chart.leave_open(reference, record)
    concept = elements.CodeableConcept(coding=said.coding, text=said.text or said.display)
    return (concept, False) if says_something(concept) else (None, False)


def read_device(record: shapes.Device, chart: Chart) -> Iterator[Device]:
    """A device whose own record names the patient, unless a use statement speaks of it: read those first."""
    if record.status == _ERROR or id(record) in chart.described:
        return
    found = chart.understand(record.type)
    if found is None:
        return
    in_use = {None: MET, "active": MET, "inactive": NOT_MET}.get(record.status, UNKNOWN)
    yield Device(
        reference=record_key(record),
        concepts=found.concepts,
        coding=found.coding,
        side=found.side,
        doubtful=chart.is_doubtful(record),
        in_use=in_use,
    )
