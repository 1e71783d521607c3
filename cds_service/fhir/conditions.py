"""Condition → what the record says about a problem: active or not, how certain, since when, from what cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cds_service.domain.facts import NO_CONCEPTS, Certainty, Condition
from cds_service.domain.times import When
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN, Truth
from cds_service.fhir import shapes
from cds_service.fhir.bundles import is_there, many
from cds_service.fhir.chart import Chart, is_stated
from cds_service.fhir.concepts import codes_of, each_concept, says_something, texts_of
from cds_service.fhir.references import record_key

DUE_TO: Final = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"
_VOID: Final = frozenset(("refuted", "entered-in-error"))
_ACTIVE: Final = frozenset(("active", "recurrence", "relapse"))
_NOT_ACTIVE: Final = frozenset(("inactive", "remission", "resolved"))
_OF_AN_ENCOUNTER: Final = "encounter-diagnosis"


def read_condition(record: shapes.Condition, chart: Chart) -> Iterator[Condition]:
    """The problem, unless it is refuted, entered in error, or nothing we know."""
    found = chart.understand(record.code, record.body_site)
    certainty = codes_of(record.verification_status)
    if found is None or certainty & _VOID:
        return
    onset = chart.when(record.onset_date_time, record.onset_period.start if record.onset_period else None)
    recorded = chart.when(record.recorded_date)
    has_cause, causes = _cause(record, chart)
    is_over, ended = _end(record, chart)
    yield Condition(
        reference=record_key(record),
        concepts=found.concepts,
        coding=found.coding,
        side=found.side,
        when=onset,
        doubtful=chart.is_doubtful(record),
        active=min(_activity(record, is_over), _of_an_encounter(record, (onset, recorded), chart)),
        certainty=_certainty(record, certainty),
        recorded=recorded,
        ended=ended,
        severity=chart.codes.concepts(record.severity),
        has_cause=has_cause,
        causes=causes,
    )


def _certainty(record: shapes.Condition, codes: frozenset[str]) -> Certainty:
    """Gate G4: confirmed, or nothing said; whatever we do not recognise is only suspected."""
    said_nothing = not says_something(record.verification_status)
    return Certainty.CONFIRMED if said_nothing or "confirmed" in codes else Certainty.SUSPECTED


def _activity(record: shapes.Condition, is_over: bool) -> Truth:
    """Gate G3: an active status and no abatement; no status counts as active."""
    status = codes_of(record.clinical_status) | {text.strip().lower() for text in texts_of(record.clinical_status)}
    if is_over or status & _NOT_ACTIVE:
        return NOT_MET
    if status & _ACTIVE or not says_something(record.clinical_status):
        return MET
    return UNKNOWN


def _end(record: shapes.Condition, chart: Chart) -> tuple[bool, When | None]:
    """Whether an abatement is stated that is not still to come, and its date where it has one."""
    period = record.abatement_period
    if record.abatement_date_time or period is not None:
        end = chart.when(record.abatement_date_time, period.end if period else None)
        moment = end or chart.when(period.start if period else None)
        if moment is not None and chart.is_to_come(moment):
            return False, None
        return True, end
    unread = (record.abatement_age, record.abatement_range, record.abatement_string)
    return any(is_there(raw) for raw in unread), None


def _of_an_encounter(record: shapes.Condition, dates: tuple[When | None, ...], chart: Chart) -> Truth:
    """Gate G3 for a diagnosis of one encounter: it counts in that encounter and for a while after its dates."""
    categories = [codes_of(category) for category in each_concept(record.category)]
    if not categories or not all(_OF_AN_ENCOUNTER in codes for codes in categories):
        return MET
    if chart.is_this_encounter(record.encounter):
        return MET
    window = chart.vocabulary.encounter_diagnosis_window
    return max((window.holds(date, chart.now) for date in dates if date is not None), default=UNKNOWN)


def _cause(record: shapes.Condition, chart: Chart) -> tuple[bool, frozenset[str]]:
    """Whether a cause is stated, coded or in words, and what its codes mean."""
    stated, causes = False, NO_CONCEPTS
    for extension in many(record.extension):
        if extension.url != DUE_TO:
            continue
        stated = stated or says_something(extension.value_codeable_concept) or is_stated(extension.value_reference)
        causes |= chart.codes.concepts(extension.value_codeable_concept)
        causes |= chart.codes.causes_named(extension.value_codeable_concept)
        causes |= chart.concepts_behind(extension.value_reference, record)
    return stated, causes
