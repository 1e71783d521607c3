"""One call's prefetch and context → the patient's facts, with what came of each data need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cds_service.domain.facts import Fact, NeedState, PatientFacts, Subject
from cds_service.domain.times import Now
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN
from cds_service.domain.vocabulary import Vocabulary
from cds_service.fhir import shapes
from cds_service.fhir.chart import Chart
from cds_service.fhir.concepts import ConceptReader
from cds_service.fhir.conditions import read_condition
from cds_service.fhir.devices import read_device, read_use
from cds_service.fhir.drafts import Drafts
from cds_service.fhir.events import read_dose, read_procedure, read_report
from cds_service.fhir.intake import Intake
from cds_service.fhir.observations import read_observation
from cds_service.fhir.orders import read_request
from cds_service.fhir.references import Server, record_id
from cds_service.hooks.contexts import HookContext, OrderSignContext
from cds_service.hooks.request import CDSRequest

_Reader = Callable[[Any, Chart], Iterator[Fact]]

# in this order: devices come last, since a use statement may speak for one
_READERS: Final[Mapping[type[shapes.Record], _Reader]] = {
    shapes.Condition: read_condition,
    shapes.Observation: read_observation,
    shapes.Procedure: read_procedure,
    shapes.DiagnosticReport: read_report,
    shapes.MedicationAdministration: read_dose,
    shapes.MedicationStatement: read_dose,
    shapes.ServiceRequest: read_request,
    shapes.DeviceRequest: read_request,
    shapes.MedicationRequest: read_request,
    shapes.DeviceUseStatement: read_use,
    shapes.Device: read_device,
}


class PrefetchReader:
    """Reads the facts out of a hook call's own data. Built once; calls do not know of each other."""

    def __init__(self, vocabulary: Vocabulary, zone: dt.tzinfo, max_resources: int) -> None:
        self._vocabulary = vocabulary
        self._codes = ConceptReader(vocabulary)
        self._zone = zone
        self._max_resources = max_resources
        self._keys = frozenset(need.key for need in vocabulary.needs.values())
        asked = {need.resource for need in vocabulary.needs.values()}
        self._readers = {
            shape: read
            for shape, read in _READERS.items()
            if shape is not shapes.MedicationStatement or shape.__name__ in asked
        }

    def read(self, request: CDSRequest, context: HookContext, now: Now) -> PatientFacts:
        """The facts of this call.

        Raises ForeignPatientError if any resource is about another patient than the context's, and TooLargeError.
        What is merely broken is counted in the facts' `reading`.
        """
        server = Server(request.fhir_server)
        chart = Chart(self._vocabulary, self._codes, now, self._zone, server, context.encounter_id)
        intake = Intake(request, context, self._keys, self._max_resources)
        intake.bind(context.patient_id, server, chart)
        subject = _subject(intake.records, context.patient_id, chart)
        facts = self._facts(intake, context, server, chart)
        unused = [
            orphan
            for orphan in intake.orphans
            if id(orphan) not in chart.used and not isinstance(orphan, shapes.OperationOutcome)
        ]
        for orphan in unused:
            chart.count_invalid(orphan.kind)
        chart.reading.resources = intake.resources
        chart.reading.doubtful = sum(fact.doubtful for fact in facts)
        needs = self._needs(intake, subject)
        if chart.reading.invalid:
            self._mark_partial(needs, intake, {id(orphan) for orphan in unused})
        return PatientFacts(subject, facts, needs, chart.reading)

    def _mark_partial(self, needs: dict[str, NeedState], intake: Intake, unused: set[int]) -> None:
        """A need whose answer holds a resource that could not be used proves no absence."""
        for name, need in self._vocabulary.needs.items():
            if needs[name].proves_absence and need.resource != "Patient":
                answers = intake.answers_for(need.key, need.resource)
                if any(answer.has_unusable(need.resource, unused) for answer in answers):
                    needs[name] = NeedState.PARTIAL

    def _facts(self, intake: Intake, context: HookContext, server: Server, chart: Chart) -> list[Fact]:
        """The facts of the drafts, then of the record, leaving out the orders that are those drafts."""
        facts: list[Fact] = []
        records = intake.records
        if isinstance(context, OrderSignContext):
            drafts = Drafts(intake.drafts, context, server)
            facts.extend(drafts.facts(chart))
            chart.reading.ignored_selections = drafts.count_ignored(intake.draft_items)
            records = [record for record in records if not drafts.include(record)]
        by_shape: dict[type[shapes.Record], list[shapes.Record]] = {}
        for record in records:
            by_shape.setdefault(type(record), []).append(record)
        for shape, read in self._readers.items():
            for record in by_shape.get(shape, ()):
                facts.extend(read(record, chart))
        return facts

    def _needs(self, intake: Intake, subject: Subject | None) -> dict[str, NeedState]:
        """What came of each need. A Patient is read by id, so that without one nothing is empty but failed."""
        states = {}
        for name, need in self._vocabulary.needs.items():
            answer = intake.answers.get(need.key)
            if need.resource == "Patient" and subject is not None:
                states[name] = NeedState.PRESENT
            elif answer is None:
                states[name] = NeedState.ABSENT
            elif need.resource == "Patient":
                states[name] = answer.failure or NeedState.FAILED
            else:
                states[name] = answer.state(need.resource)
        return states


def _subject(records: list[shapes.Record], patient_id: str, chart: Chart) -> Subject | None:
    """The patient, from the own record rather than from one that it replaces."""
    patients = [record for record in records if isinstance(record, shapes.Patient)]
    patients.sort(key=lambda patient: record_id(patient) != patient_id)
    if not patients:
        return None
    patient = patients[0]
    if chart.is_doubtful(patient):
        return Subject(birth=None, deceased=UNKNOWN)
    deceased = patient.deceased_boolean or bool(patient.deceased_date_time)
    return Subject(birth=chart.when(patient.birth_date), deceased=MET if deceased else NOT_MET)
