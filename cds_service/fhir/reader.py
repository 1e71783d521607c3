"""One call's data → the patient's facts, with what came of each data need."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from cds_service.decision.records import Asked
from cds_service.domain.facts import Fact, GapReason, NeedState, PatientFacts, Subject
from cds_service.domain.queries import Queries, Query
from cds_service.domain.times import Now
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN
from cds_service.domain.vocabulary import Vocabulary
from cds_service.errors import InvalidRequestError
from cds_service.fhir import shapes
from cds_service.fhir.bundles import Answer
from cds_service.fhir.chart import Chart
from cds_service.fhir.concepts import ConceptReader
from cds_service.fhir.conditions import read_condition
from cds_service.fhir.devices import read_device, read_use
from cds_service.fhir.drafts import Drafts
from cds_service.fhir.events import read_dose, read_procedure, read_report
from cds_service.fhir.intake import Intake
from cds_service.fhir.observations import read_observation
from cds_service.fhir.orders import read_request
from cds_service.fhir.questions import Question
from cds_service.fhir.references import Server, record_id
from cds_service.hooks.contexts import HookContext, OrderSignContext
from cds_service.hooks.prefetch import fill
from cds_service.hooks.reading import split_reference
from cds_service.hooks.request import CDSRequest

if TYPE_CHECKING:  # reading takes no HTTP client
    from cds_service.fhir.client.fhir_client import FHIRClient
    from cds_service.fhir.client.session import Session

_MOST_REFERENCES: Final = 20
_PRODUCTS: Final = frozenset(("Device", "Medication"))
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


class RecordReader:
    """Reads the facts out of a call's data. Built once; calls do not know of each other."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        queries: Queries,
        zone: dt.tzinfo,
        max_resources: int,
        fhir_client: FHIRClient | None = None,
    ) -> None:
        """``queries`` tells under which prefetch keys the data of each need comes. Without a client none is fetched."""
        self.fhir_client = fhir_client
        self.vocabulary = vocabulary
        self.queries = queries
        self.codes = ConceptReader(vocabulary)
        self.zone = zone
        self.max_resources = max_resources
        asked = {need.resource for need in vocabulary.needs.values()}
        self.readers = {
            shape: read
            for shape, read in _READERS.items()
            if shape is not shapes.MedicationStatement or shape.__name__ in asked
        }

    def open(self, request: CDSRequest, context: HookContext, now: Now, until: float = 0.0) -> PatientRecord:
        """What this call brings of its patient's record, and its server to ask for more ``until`` a time of the loop.

        Raises TooLargeError, and InvalidRequestError where the server's token is for another patient.
        """
        granted = request.fhir_authorization
        if granted and granted.patient and granted.patient != context.patient_id:
            raise InvalidRequestError("fhirAuthorization.patient", "is another patient than context.patientId")
        return PatientRecord(self, request, context, now, until)

    def read(self, request: CDSRequest, context: HookContext, now: Now) -> PatientFacts:
        """The facts of what this call brings. Raises ForeignPatientError, and TooLargeError."""
        return self.open(request, context, now).facts()


class PatientRecord:
    """What is had of one patient's record in one call: what the call brought, and what was fetched since."""

    def __init__(self, reader: RecordReader, request: CDSRequest, context: HookContext, now: Now, until: float) -> None:
        """``reader`` has what is the same for all calls."""
        self._reader = reader
        self._request = request
        self._until = until
        self._session: Session | None = None
        self._awaited: dict[asyncio.Task[Answer], Question] = {}
        self._unresolved: dict[str, str] = {}
        self._context = context
        self._now = now
        self._server = Server(request.fhir_server)
        self._keys = reader.queries.keys_of(request.hook)
        every_key = [key for keys in self._keys.values() for key in keys]
        self._intake = Intake(request, context, every_key, reader.max_resources)
        self.seconds_fetching = 0.0
        self.size = sum(len(value) for value in (request.prefetch or {}).values())

    def facts(self) -> PatientFacts:
        """The facts of what is there so far.

        Raises ForeignPatientError if any resource of the request is about another patient than the context's.
        What is merely broken is counted in the facts' `reading`.
        """
        reader, intake, context = self._reader, self._intake, self._context
        chart = Chart(reader.vocabulary, reader.codes, self._now, reader.zone, self._server, context.encounter_id)
        intake.bind(context.patient_id, self._server, chart)
        subject = _subject(intake.records, context.patient_id, chart)
        facts = self._facts(chart)
        unused = [
            orphan
            for orphan in intake.orphans
            if id(orphan) not in chart.used and not isinstance(orphan, shapes.OperationOutcome)
        ]
        for orphan in unused:
            chart.count_invalid(orphan.kind)
        chart.reading.resources = intake.resources
        chart.reading.doubtful = sum(fact.doubtful for fact in facts)
        self._unresolved = chart.unresolved
        needs, reasons = self._needs(subject)
        self._mark_partial(needs, reasons, chart, {id(orphan) for orphan in unused})
        return PatientFacts(subject, facts, needs, chart.reading, reasons)

    @property
    def is_blank(self) -> bool:
        """Whether the call brought nothing of it."""
        return self._intake.is_empty

    @property
    def asked(self) -> list[Asked]:
        """What was asked of the FHIR server, and what became of it."""
        return self._session.asked if self._session else []

    async def fetch(self, needs: frozenset[str]) -> bool:
        """Ask the FHIR server for what of these needs was not asked yet; False if nothing is left to ask.

        Waits until all is there or half of the call's time is gone, so that one slow answer does not keep the rest of
        the questions from being asked.
        """
        client = self._reader.fhir_client
        questions = [*self._questions(needs), *self._references(needs)] if client else []
        if not client or not questions or self._request.fhir_server is None:
            return False
        if self._session is None:
            self._session = await client.session(self._request, self._context.patient_id, self._until)
        for question in questions:
            self._awaited[asyncio.create_task(self._session.answer(question))] = question
        left = self._until - asyncio.get_running_loop().time()
        await self._await(max(left / 2, 0))
        return True

    async def wait(self) -> bool:
        """Wait for the answers that are still to come; False if there are none."""
        if not self._awaited:
            return False
        await self._await(None)
        return True

    def stop(self) -> None:
        """Wait for no answer any more."""
        if self._session:
            self._session.stop()

    async def _await(self, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.wait(self._awaited, timeout=seconds)
        self.seconds_fetching += loop.time() - started
        self._take()

    @property
    def _asked_for(self) -> set[str]:
        """The keys of the queries that are answered or on their way."""
        return {*self._intake.fetched, *(question.query.key for question in self._awaited.values())}

    def _take(self) -> None:
        """Take in the answers that have come. They wait until then: a judgement may be under way beside the loop."""
        for task in [task for task in self._awaited if task.done()]:
            question, answer = self._awaited.pop(task), task.result()
            self._intake.add(question.query.key, answer, continues=question.after is not None)
            self.size += answer.size

    def _questions(self, needs: frozenset[str]) -> Iterator[Question]:
        """What prefetch did not answer. An error that the client reports there is not asked for again (PFD-4)."""
        asked_for = self._asked_for
        for query in self._reader.queries.of(self._request.hook, needs):
            sent = self._intake.answers.get(query.key)
            if query.key in asked_for:
                continue
            if sent is not None and (sent.said_so or sent.state(query.resource).proves_absence):
                continue
            text = fill(query.template, self._context.token_values)
            yield Question(query, text, sent.page_to_follow() if sent else None)

    def _references(self, needs: frozenset[str]) -> Iterator[Question]:
        """The devices and medicines to which records of these needs point, and which did not come."""
        wanted = {need.resource: name for name, need in self._reader.vocabulary.needs.items() if name in needs}
        asked_for = self._asked_for
        room = _MOST_REFERENCES - sum("/" in key for key in asked_for)
        for reference, holder in self._unresolved.items():
            kind, name = split_reference(reference) or ("", "")  # strict: it becomes a path on the server
            key = f"{kind}/{name}"
            if room > 0 and holder in wanted and kind in _PRODUCTS and key not in asked_for:
                room -= 1
                yield Question(Query(wanted[holder], key, kind, f"{kind}/id"), key)

    def _mark_partial(
        self, needs: dict[str, NeedState], reasons: dict[str, GapReason], chart: Chart, unused: set[int]
    ) -> None:
        """A need whose answer holds something that could not be used proves no absence."""
        if not (chart.reading.invalid or chart.unresolved):
            return
        for name, need in self._reader.vocabulary.needs.items():
            if needs[name].proves_absence and need.resource != "Patient":
                answers = self._intake.answers_for(self._keys.get(name, ()), need.resource)
                if any(answer.has_unusable(need.resource, unused) for answer in answers):
                    needs[name] = NeedState.PARTIAL
                elif need.resource in chart.unresolved.values():  # what a record is about did not come
                    needs[name], reasons[name] = NeedState.PARTIAL, GapReason.INCOMPLETE

    def _facts(self, chart: Chart) -> list[Fact]:
        """The facts of the drafts, then of the record, leaving out the orders that are those drafts."""
        facts: list[Fact] = []
        records = self._intake.records
        if isinstance(self._context, OrderSignContext):
            drafts = Drafts(self._intake.drafts, self._context, self._server)
            facts.extend(drafts.facts(chart))
            chart.unresolved.clear()  # what a draft is about is no answer to a query
            chart.reading.ignored_selections = drafts.count_ignored(self._intake.draft_items)
            records = [record for record in records if not drafts.include(record)]
        by_shape: dict[type[shapes.Record], list[shapes.Record]] = {}
        for record in records:
            by_shape.setdefault(type(record), []).append(record)
        for shape, read in self._reader.readers.items():
            for record in by_shape.get(shape, ()):
                facts.extend(read(record, chart))
        return facts

    def _needs(self, subject: Subject | None) -> tuple[dict[str, NeedState], dict[str, GapReason]]:
        """What came of each need, and why where it is known. A Patient is read by id: without one nothing is empty."""
        states: dict[str, NeedState] = {}
        reasons: dict[str, GapReason] = {}
        for name, need in self._reader.vocabulary.needs.items():
            keys = self._keys.get(name, ())
            if need.resource == "Patient" and subject is not None:
                states[name] = NeedState.PRESENT
                continue
            parts = [self._intake.state(key, need.resource) for key in keys]
            states[name], reason = _worst(parts) if parts else (self._unasked(name), None)
            if need.resource == "Patient" and states[name].was_had:
                reason = GapReason.UNREADABLE if states[name] is NeedState.PRESENT else GapReason.NOT_SENT
                states[name] = NeedState.FAILED
            if reason is not None:
                reasons[name] = reason
        return states, reasons

    def _unasked(self, name: str) -> NeedState:
        return NeedState.NOT_ASKED if name in self._reader.queries.unavailable else NeedState.ABSENT


def _worst(parts: list[tuple[NeedState, GapReason | None]]) -> tuple[NeedState, GapReason | None]:
    """The state of a need whose answer comes in parts: whole only if each part is."""
    for part in parts:
        if not part[0].proves_absence:
            return part
    return next((part for part in parts if part[0] is NeedState.PRESENT), parts[0])


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
