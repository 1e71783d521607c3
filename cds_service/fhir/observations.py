"""Observation → findings: its own value, and each component that has a meaning of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cds_service.domain.facts import Finding
from cds_service.domain.sides import Side
from cds_service.domain.times import When
from cds_service.fhir import elements, shapes
from cds_service.fhir.bundles import many
from cds_service.fhir.chart import Chart, has_unknown_modifier, is_stated
from cds_service.fhir.concepts import Understood, says_something
from cds_service.fhir.references import record_key
from cds_service.fhir.values import has_value, read_value

_FINAL: Final = frozenset(("final", "amended", "corrected"))
_IGNORED: Final = frozenset(("registered", "preliminary", "cancelled", "entered-in-error"))


def read_observation(record: shapes.Observation, chart: Chart) -> Iterator[Finding]:
    """The findings of a final observation; one whose status is not known gives doubtful ones."""
    if record.status in _IGNORED:
        return
    parent = chart.understand(record.code, record.body_site)
    if parent is None and not record.component:
        return
    yield from _Findings(record, parent, chart).all()


class _Findings:
    """One observation, taken into findings."""

    def __init__(self, record: shapes.Observation, parent: Understood | None, chart: Chart) -> None:
        self._record = record
        self._parent = parent
        self._chart = chart
        self._parts = [(part, chart.codes.understand(part.code)) for part in many(record.component)]
        self._side = parent.side if parent and parent.side else self._side_around()

    def _side_around(self) -> Side:
        """The side from the site, from a component that only names a side, or from a laterality component."""
        side = self._chart.codes.side(self._record.body_site)
        for part, found in self._parts:
            if not side and found is not None and not found.concepts and not has_value(part):
                side = found.side
        return side or self._chart.parameter_side((part.code, part.value_codeable_concept) for part, _ in self._parts)

    def all(self) -> Iterator[Finding]:
        """The observation's own finding, then its components'."""
        if self._parent is not None and self._is_finding():
            yield self._finding(self._record, self._parent, self._side)
        for part, found in self._parts:
            if found is None or (says_something(part.data_absent_reason) and not has_value(part)):
                continue
            side = found.side or self._side
            if found.concepts:
                yield self._finding(part, found, side)
            elif self._parent is not None and has_value(part):
                yield self._finding(part, self._parent, side)

    def _is_finding(self) -> bool:
        """Without a value it is one only if nothing says why: then it cannot be read, and that counts."""
        record = self._record
        if has_value(record):
            return True
        return not (says_something(record.data_absent_reason) or record.component or is_stated(record.has_member))

    def _finding(self, valued: shapes.Valued, found: Understood, side: Side) -> Finding:
        record, chart = self._record, self._chart
        value = read_value(valued, found.concepts, chart.vocabulary, chart.codes)
        return Finding(
            reference=record_key(record),
            concepts=found.concepts,
            coding=found.coding,
            side=side,
            when=_when(record, chart),
            doubtful=record.status not in _FINAL
            or chart.is_doubtful(record)
            or has_unknown_modifier(valued.modifier_extension),
            number=value.number,
            values=value.values,
            value_text=value.text,
        )


def _when(record: shapes.Observation, chart: Chart) -> When | None:
    """When the patient was examined; when the result was issued, as a last resort."""
    period = record.effective_period or elements.Period()
    return chart.when(record.effective_date_time, record.effective_instant, period.end, period.start, record.issued)
