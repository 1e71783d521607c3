"""A case's plain words → the FHIR resources of a call, coded by the first fitting code of each value set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from cds_service.authoring.cases import PHRASE, CaseEntry, GivenFact, spelt_code
from cds_service.domain.sides import SIDES_BY_NAME, Side
from cds_service.fhir.chart import DO_NOT_PERFORM
from cds_service.fhir.conditions import DUE_TO
from cds_service.knowledge.hook_call import ENCOUNTER
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.schema import CodeEntry

_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/condition-category"
_VERIFICATIONS: Final = {"suspected": "provisional", "entered in error": "entered-in-error"}
_CODE_MEMBERS: Final = {"DeviceRequest": "codeCodeableConcept", "MedicationRequest": "medicationCodeableConcept"}


class CaseBuilder:
    """Builds the resources of one case."""

    def __init__(self, knowledge: Knowledge, now: dt.datetime) -> None:
        """``now`` is the evaluation time."""
        self.knowledge = knowledge
        self.now = now
        self.made = 0

    def build(self, entry: CaseEntry) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The record and the drafts."""
        patient: dict[str, Any] = {"resourceType": "Patient", "id": "case-patient"}
        if entry.born != "not stated":
            patient["birthDate"] = self._birth(entry)
        if entry.deceased:
            patient["deceasedBoolean"] = True
        resources = [patient, *(self.fact(given) for given in entry.given)]
        return resources, [self.order(given, draft=True) for given in entry.drafted]

    def _birth(self, entry: CaseEntry) -> str:
        if entry.born:
            return self.time(entry.born)
        birthday = dt.date.fromisoformat(self.time(entry.birthday)[:10]) if entry.birthday else self.now.date()
        years = entry.age + (birthday > self.now.date())
        return birthday.replace(year=birthday.year - years).isoformat()

    def fact(self, given: GivenFact) -> dict[str, Any]:
        """One fact as a resource."""
        if given.condition:
            return self.condition(given)
        if given.finding:
            return self.finding(given)
        if given.done:
            return self.done(given)
        if given.in_use:
            return self.device(given)
        order = self.order(given, draft=False)
        if given.refused and order["resourceType"] == "DeviceRequest":
            return order | {"modifierExtension": [{"url": DO_NOT_PERFORM, "valueBoolean": True}]}
        return order | {"doNotPerform": True} if given.refused else order

    def condition(self, given: GivenFact) -> dict[str, Any]:
        """A problem."""
        times = {"onsetDateTime": given.onset, "recordedDate": given.recorded, "abatementDateTime": given.ended}
        resource = self._start("Condition", given, times)
        if given.status != "not stated":
            resource["clinicalStatus"] = _coded(_CLINICAL, given.status or ("resolved" if given.ended else "active"))
        if given.certainty != "not stated":
            resource["verificationStatus"] = _coded(_VERIFICATION, _VERIFICATIONS.get(given.certainty, given.certainty))
        category = "encounter-diagnosis" if given.encounter_diagnosis else "problem-list-item"
        resource["category"] = [_coded(_CATEGORY, category)]
        if given.encounter_diagnosis:
            number = ENCOUNTER if given.encounter_diagnosis == "of this encounter" else "an-earlier-encounter"
            resource["encounter"] = {"reference": f"Encounter/{number}"}
        if given.severity:
            resource["severity"] = self.concept(given.severity)
        if given.cause:
            resource["extension"] = [{"url": DUE_TO, "valueCodeableConcept": {"text": given.cause}}]
        return resource

    def finding(self, given: GivenFact) -> dict[str, Any]:
        """An observation; both sides become one with both as its site."""
        resource = self._start("Observation", given, {"effectiveDateTime": given.when}, many=False)
        resource["status"] = given.status or "final"
        if isinstance(given.value, str) and given.value in self.knowledge.names.value_sets:
            resource["valueCodeableConcept"] = self.concept(given.value)
        elif isinstance(given.value, str):
            resource["valueString"] = given.value
        elif isinstance(given.value, int):
            resource["valueInteger"] = given.value
        elif given.value is not None:
            resource["valueQuantity"] = {"value": given.value}
        return resource

    def done(self, given: GivenFact) -> dict[str, Any]:
        """A procedure, a report, or a dose of a medication."""
        if "medication administrations" in self._recorded_in(given.concept):
            times = {"effectiveDateTime": given.when}
            resource = self._start("MedicationAdministration", given, times, key="medicationCodeableConcept")
            resource.pop("bodySite", None)
        elif given.as_ == "DiagnosticReport":
            resource = self._start("DiagnosticReport", given, {"effectiveDateTime": given.when})
            resource.pop("bodySite", None)
            return resource | {"status": given.status or "final"}
        else:
            resource = self._start("Procedure", given, {"performedDateTime": given.when})
        return resource | {"status": given.status or "completed"}

    def order(self, given: GivenFact, *, draft: bool) -> dict[str, Any]:
        """An order of the type in which the concept is recorded, or of the type that the case names."""
        kind = given.as_ or self._type_of_order(given.concept)
        written = given.when or ("now" if draft else None)
        resource = self._start(kind, given, {"authoredOn": written}, key=_CODE_MEMBERS.get(kind, "code"))
        resource |= {"status": given.status or ("draft" if draft else "active"), "intent": "order"}
        site = resource.pop("bodySite", None) if kind != "ServiceRequest" else None
        if kind == "DeviceRequest" and site:
            laterality = self.concept(self.knowledge.vocabulary.laterality_parameter)
            resource["parameter"] = [{"code": laterality, "valueCodeableConcept": site[0]}]
        if given.priority:
            resource["priority"] = given.priority
        if given.planned and kind != "MedicationRequest":
            resource["occurrenceDateTime"] = self.time(given.planned)
        if given.for_:
            resource["reasonCode"] = [self.concept(given.for_)]
        if given.replaces_another:
            resource["replaces" if kind == "ServiceRequest" else "priorRequest"] = [{"display": "an earlier order"}]
        return resource

    def device(self, given: GivenFact) -> dict[str, Any]:
        """A device in use."""
        resource = self._start("DeviceUseStatement", given, {}, many=False, key="")
        resource["contained"] = [{"resourceType": "Device", "id": "d", "type": self.concept(given.concept, given.side)}]
        resource |= {"status": given.status or "active", "device": {"reference": "#d"}}
        period = {"start": given.when, "end": given.ended}
        if given.when or given.ended:
            resource["timingPeriod"] = {name: self.time(phrase) for name, phrase in period.items() if phrase}
        return resource

    def _start(
        self, kind: str, given: GivenFact, times: dict[str, str | None], *, many: bool = True, key: str = "code"
    ) -> dict[str, Any]:
        self.made += 1
        resource: dict[str, Any] = {
            "resourceType": kind,
            "id": f"case-{self.made}",
            "subject": {"reference": "Patient/case-patient"},
        }
        if key:
            resource[key] = self.concept(given.concept, given.side)
        sites = [self.concept(name) for name in (given.at, self._side_set(given.side)) if name]
        if sites:
            resource["bodySite"] = sites if many else sites[-1]
        return resource | {name: self.time(phrase) for name, phrase in times.items() if phrase}

    def _side_set(self, side: str | None) -> str | None:
        if side is None:
            return None
        wanted = self.knowledge.vocabulary.side_codings[side].code
        return next(n for n, v in self.knowledge.names.value_sets.items() if v.codes and v.codes[0].code == wanted)

    def _type_of_order(self, concept: str) -> str:
        places = self._recorded_in(concept)
        if "device requests" in places:
            return "DeviceRequest"
        return "MedicationRequest" if "medication requests" in places else "ServiceRequest"

    def _recorded_in(self, concept: str) -> list[str]:
        value_set = self.knowledge.names.value_sets.get(concept)
        return list(value_set.recorded_in) if value_set else []

    def concept(self, name: str, side: str | None = None) -> dict[str, Any]:
        """A CodeableConcept with the set's first code that fits, asks for no words and leaves the side to its site.

        Where every code names a side, it is the first of that side. A code that is spelt out is that code.
        """
        spelt = spelt_code(name, self.knowledge)
        if spelt:
            return {"coding": [spelt], "text": spelt["display"]}
        codes = list(self._codes(name))
        if not codes:
            raise KeyError(f"the value set {name!r} has no codes")
        free = [code for code in codes if not code.only_when_text_says] or codes
        wanted = (Side.UNSPECIFIED, SIDES_BY_NAME[side]) if side else (Side.UNSPECIFIED,)
        code = next((code for one in wanted for code in free if self._side_of(code) is one), free[0])
        words = (code.only_when_text_says or [""])[0]
        coding = {"system": self.knowledge.names.systems[code.system].uri, "code": code.code}
        return {
            "coding": [coding | ({"display": code.display} if code.display else {})],
            "text": f"{name} {words}".strip(),
        }

    def _side_of(self, code: CodeEntry) -> Side:
        uri = self.knowledge.names.systems[code.system].uri
        meanings = self.knowledge.vocabulary.table.look_up(uri, code.code)
        return next((meaning.side for meaning in meanings), Side.UNSPECIFIED)

    def _codes(self, name: str) -> Iterator[CodeEntry]:
        value_set = self.knowledge.names.value_sets.get(name)
        if value_set is not None:
            yield from value_set.codes
            for included in value_set.includes:
                yield from self._codes(included)

    def time(self, phrase: str) -> str:
        """A time as FHIR writes it: "35 days ago" is a date, "2 hours ago" and "now" an instant, "2026-05" itself."""
        match = PHRASE.match(phrase)
        if match is None or phrase in ("today", "now"):
            return self.now.isoformat() if phrase == "now" else self.now.date().isoformat()
        number, unit, ahead, date = match.groups()
        if date:
            return str(date)
        if ahead:
            return (self.now + dt.timedelta(days=int(ahead))).date().isoformat()
        at = self.now - dt.timedelta(**{f"{unit}s": int(number)})
        return at.date().isoformat() if unit == "day" else at.isoformat()


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
