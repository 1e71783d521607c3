"""One call's prefetch and context → the patient's facts, with what came of each data need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cds_service.domain.facts import Fact, NeedState, PatientFacts, Subject
from cds_service.domain.times import Now
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN
from cds_service.domain.vocabulary import Vocabulary
from cds_service.errors import ForeignPatientError, TooLargeError
from cds_service.fhir import shapes
from cds_service.fhir.bundles import Answer, Item, read_answer, read_contained, take_apart
from cds_service.fhir.chart import Chart
from cds_service.fhir.concepts import ConceptReader
from cds_service.fhir.conditions import read_condition
from cds_service.fhir.devices import read_device, read_use
from cds_service.fhir.drafts import Drafts
from cds_service.fhir.events import read_dose, read_procedure, read_report
from cds_service.fhir.observations import read_observation
from cds_service.fhir.orders import read_request
from cds_service.fhir.references import Binder, Owner, Server, record_id, record_key
from cds_service.hooks.contexts import HookContext, OrderSignContext, ProblemListItemCreateContext
from cds_service.hooks.request import CDSRequest

_READERS: Final[dict[type[shapes.Record], Callable[[Any, Chart], Iterator[Fact]]]] = {
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


@dataclass(slots=True)
class _Source:
    """One answer and the member of the request it stands under."""

    member: str
    answer: Answer
    is_context: bool = False
    is_asked: bool = True


class PrefetchReader:
    """Reads the facts out of a hook call's own data. Built once; each call is independent of the others."""

    def __init__(self, vocabulary: Vocabulary, zone: dt.tzinfo, max_resources: int) -> None:
        self._vocabulary = vocabulary
        self._codes = ConceptReader(vocabulary)
        self._zone = zone
        self._max_resources = max_resources
        self._keys = frozenset(need.key for need in vocabulary.needs.values())
        types = {need.resource for need in vocabulary.needs.values()}
        self._readers = {
            shape: read
            for shape, read in _READERS.items()
            if shape is not shapes.MedicationStatement or shape.__name__ in types
        }

    def read(self, request: CDSRequest, context: HookContext, now: Now) -> PatientFacts:
        """The facts of this call.

        Raises ForeignPatientError if any resource is about another patient than the context's, and TooLargeError.
        What is merely broken is counted in the facts' `reading`.
        """
        return _Call(self, request, context, now).facts()

    def chart(self, server: Server, context: HookContext, now: Now) -> Chart:
        """An empty chart for one call, in the site's time zone."""
        return Chart(self._vocabulary, self._codes, now._replace(zone=self._zone), server, context.encounter_id)

    def sources(self, request: CDSRequest, context: HookContext) -> list[_Source]:
        """Everything the request holds, decoded: the context first, since what it says is newest."""
        sources = []
        if isinstance(context, OrderSignContext):
            drafts = take_apart(context.draft_orders, is_bundle=True)
            sources.append(_Source("context.draftOrders", drafts, is_context=True))
