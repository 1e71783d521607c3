"""Cases: patients in plain words and the cards expected of them, as clinicians write them in ``cards/cases``.

A case becomes FHIR resources through the value sets, and is decided by the way a real call takes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cds_service.errors import RequestError
from cds_service.knowledge.document import Document, read_document, yaml_files
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.schema import CodeEntry, Entry, Name, Names, Sentence
from cds_service.authoring.trying import Attempt, Tried

DEFAULT_TIME = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)
_AGO = re.compile(r"(?:(\d+) (day|hour)s? ago|in (\d+) days?|today|now)\Z")
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


def _phrase(value: Any) -> Any:
    if isinstance(value, str) and not _AGO.match(value):
        raise ValueError('say when as "3 days ago", "2 hours ago", "today", "now" or "in 7 days"')
    return value


Time = Annotated[str, BeforeValidator(_phrase)]


class GivenFact(Entry):
    """One fact of the patient, in plain words: exactly one kind."""

    condition: Name | None = None
    finding: Name | None = None
    done: Name | None = None
    order: Name | None = None
    refused: Name | None = None
    in_use: Name | None = None
    side: Literal["right", "left", "both"] | None = None
    status: str | None = None
    certainty: Literal["confirmed", "suspected", "refuted"] = "confirmed"
    severity: Name | None = None
    cause: Sentence | None = None
    encounter_diagnosis: bool = False
    onset: Time | None = None
    recorded: Time | None = None
    ended: Time | None = None
    when: Time | None = None
    value: int | float | str | None = None
    priority: Literal["routine", "urgent", "asap", "stat"] | None = None
    planned: Time | None = None
    for_: Name | None = None
    replaces_another: bool = False
    at: Name | None = None


class CaseEntry(Entry):
    """One patient at one hook, and the exact answer."""

    case: Sentence
    hook: Name = "patient-view"
    age: int = 50
    deceased: bool = False
    given: list[GivenFact] = []
    drafted: list[GivenFact] = []
    not_read: list[Name] = []
    user: Name = "Practitioner/case-user"
    expect: dict[Name, Literal["info", "warning", "critical"]] = {}
    gap_card: bool = False
    refused: bool = False
    silent: dict[Name, Sentence] = {}


class CaseFile(Entry):
    """One file of ``cases/<group>/<name>.yaml``. With ``about``, only those recommendations are compared."""

    about: Annotated[Names, Field()] | None = None
    cases: Annotated[list[CaseEntry], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Case:
    """A case with its place."""

    document: Document
    index: int
    entry: CaseEntry
    about: frozenset[str]

    @property
    def name(self) -> str:
        """Where it stands and what it says."""
        return f"{self.document.name}:{self.document.line(('cases', self.index))} {self.entry.case}"


def read_cases(cards: Path, problems: Problems) -> Iterator[Case]:
    """All cases of ``cards/cases``."""
    for path in yaml_files(cards / "cases"):
        document = read_document(path, cards)
        file = problems.validated(CaseFile, document)
        if file is not None:
            for index, entry in enumerate(file.cases):
                yield Case(document, index, entry, frozenset(file.about or ()))


class CaseRunner:
    """Turns cases into calls and compares the answers."""

    def __init__(self, attempt: Attempt) -> None:
        """``attempt`` decides, at its own time, without folding."""
        self.attempt = attempt
        self.knowledge = attempt.knowledge

    def run(self, case: Case) -> list[str]:
        """What differs from the expected answer; nothing when it is exact."""
        entry = case.entry
        try:
            tried = self.fire(case)
        except RequestError as error:
            return [] if entry.refused else [f"refused: {error}"]
        if entry.refused:
            return ["answered, though a refusal was expected"]
        shown = {c.source.topic.code: c.indicator.value for c in tried.response.cards if c.source.topic}
        gap = shown.pop("data-gap", None) is not None
        compared = {k: v for k, v in shown.items() if not case.about or k in case.about}
        differences = [f"{k} shown as {v}, not expected" for k, v in compared.items() if k not in entry.expect]
        differences += [f"{k} not shown, {v} expected" for k, v in entry.expect.items() if k not in shown]
        differences += [
            f"{k} is {shown[k]}, {v} expected" for k, v in entry.expect.items() if k in shown and shown[k] != v
        ]
        differences += [f"{k} shown, silent expected: {why}" for k, why in entry.silent.items() if k in shown]
        if gap != entry.gap_card:
            differences.append(f"{'a' if gap else 'no'} data gap card, {'one' if entry.gap_card else 'none'} expected")
        return differences

    def fire(self, case: Case) -> Tried:
        """The case as a call, decided."""
        return self.attempt.answer(self.request(case))

    def request(self, case: Case) -> dict[str, Any]:
        """The case as a request."""
        builder = CaseBuilder(self.knowledge, self.attempt.at)
        resources, drafts = builder.build(case.entry)
        return self.attempt.request(
            resources, case.entry.hook, drafts, user=case.entry.user, unread=case.entry.not_read
        )


class CaseBuilder:
    """Plain words → FHIR resources, coded by the first fitting code of each value set."""

    def __init__(self, knowledge: Knowledge, now: dt.datetime) -> None:
        """``now`` is the evaluation time."""
        self.knowledge = knowledge
        self.now = now
        self.made = 0

    def build(self, entry: CaseEntry) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The record and the drafts."""
        birth = self.now.date().replace(year=self.now.year - entry.age, day=1)
        patient: dict[str, Any] = {"resourceType": "Patient", "id": "case-patient", "birthDate": birth.isoformat()}
        if entry.deceased:
            patient["deceasedBoolean"] = True
        resources = [patient, *(self.fact(f) for f in entry.given)]
        return resources, [self.order(f, f.order or "", draft=True) for f in entry.drafted]

    def fact(self, given: GivenFact) -> dict[str, Any]:
        """One fact as a resource."""
        if given.condition:
            return self.condition(given, given.condition)
        if given.finding:
            return self.finding(given, given.finding)
        if given.done:
            return self.done(given, given.done)
        if given.order:
            return self.order(given, given.order, draft=False)
        if given.refused:
            return {**self.order(given, given.refused, draft=False), **self._refusal(given.refused)}
        return self.device(given, given.in_use or "")

    def condition(self, given: GivenFact, concept: str) -> dict[str, Any]:
        """A problem."""
        resource = self._start(
            "Condition",
            given,
            concept,
            {"onsetDateTime": given.onset, "recordedDate": given.recorded, "abatementDateTime": given.ended},
        )
        verification = {"confirmed": "confirmed", "suspected": "provisional", "refuted": "refuted"}[given.certainty]
        resource["clinicalStatus"] = _coded(_CLINICAL, given.status or ("resolved" if given.ended else "active"))
        resource["verificationStatus"] = _coded(_VERIFICATION, verification)
        resource["category"] = [
            _coded(_CATEGORY, "encounter-diagnosis" if given.encounter_diagnosis else "problem-list-item")
        ]
        if given.severity:
            resource["severity"] = self.concept(given.severity)
        if given.cause:
            resource["extension"] = [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/condition-dueTo",
                    "valueCodeableConcept": {"text": given.cause},
                }
            ]
        return resource

    def finding(self, given: GivenFact, concept: str) -> dict[str, Any]:
        """An observation; both sides become one with both as its site."""
        resource = self._start("Observation", given, concept, {"effectiveDateTime": given.when}, many=False)
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

    def done(self, given: GivenFact, concept: str) -> dict[str, Any]:
        """A procedure, or a dose of a medication."""
        if "medication administrations" in self._recorded_in(concept):
            resource = self._start(
                "MedicationAdministration",
                given,
                concept,
                {"effectiveDateTime": given.when},
                key="medicationCodeableConcept",
            )
            resource.pop("bodySite", None)
        else:
            resource = self._start("Procedure", given, concept, {"performedDateTime": given.when})
        resource["status"] = given.status or "completed"
        return resource

    def order(self, given: GivenFact, concept: str, *, draft: bool) -> dict[str, Any]:
        """An order of the type in which the concept is recorded."""
        places = self._recorded_in(concept)
        kind = (
            "DeviceRequest"
            if "device requests" in places
            else "MedicationRequest"
            if "medication requests" in places
            else "ServiceRequest"
        )
        key = {"DeviceRequest": "codeCodeableConcept", "MedicationRequest": "medicationCodeableConcept"}.get(
            kind, "code"
        )
        resource = self._start(kind, given, concept, {"authoredOn": given.when or ("now" if draft else None)}, key=key)
        resource |= {"status": given.status or ("draft" if draft else "active"), "intent": "order"}
        if kind != "ServiceRequest":
            site = resource.pop("bodySite", None)
            if kind == "DeviceRequest" and site:
                resource["parameter"] = [
                    {
                        "code": self.concept(self.knowledge.vocabulary.laterality_parameter),
                        "valueCodeableConcept": site[0],
                    }
                ]
        if given.priority:
            resource["priority"] = given.priority
        if given.planned and kind != "MedicationRequest":
            resource["occurrenceDateTime"] = self.time(given.planned)
        if given.for_:
            resource["reasonCode"] = [self.concept(given.for_)]
        if given.replaces_another:
            resource["replaces" if kind == "ServiceRequest" else "priorRequest"] = [{"display": "an earlier order"}]
        return resource

    def _refusal(self, concept: str) -> dict[str, Any]:
        if "device requests" in self._recorded_in(concept):
            url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DeviceRequest.doNotPerform"
            return {"modifierExtension": [{"url": url, "valueBoolean": True}]}
        return {"doNotPerform": True}

    def device(self, given: GivenFact, concept: str) -> dict[str, Any]:
        """A device in use."""
        resource = self._start("DeviceUseStatement", given, concept, {}, many=False, key="")
        resource["contained"] = [{"resourceType": "Device", "id": "d", "type": self.concept(concept)}]
        resource |= {"status": given.status or "active", "device": {"reference": "#d"}}
        if given.when:
            resource["timingPeriod"] = {"start": self.time(given.when)} | (
                {"end": self.time(given.ended)} if given.ended else {}
            )
        return resource

    def _start(
        self,
        kind: str,
        given: GivenFact,
        concept: str,
        times: dict[str, str | None],
        *,
        many: bool = True,
        key: str = "code",
    ) -> dict[str, Any]:
        self.made += 1
        resource: dict[str, Any] = {
            "resourceType": kind,
            "id": f"case-{self.made}",
            "subject": {"reference": "Patient/case-patient"},
        }
        if key:
            resource[key] = self.concept(concept)
        sites = [self.concept(name) for name in (given.at, self._side_set(given.side)) if name]
        if sites:
            resource["bodySite"] = sites if many else sites[-1]
        resource |= {name: self.time(phrase) for name, phrase in times.items() if phrase}
        return resource

    def _side_set(self, side: str | None) -> str | None:
        if side is None:
            return None
        wanted = self.knowledge.vocabulary.side_codings[side].code
        return next(n for n, v in self.knowledge.names.value_sets.items() if v.codes and v.codes[0].code == wanted)

    def _recorded_in(self, concept: str) -> list[str]:
        value_set = self.knowledge.names.value_sets.get(concept)
        return list(value_set.recorded_in) if value_set else []

    def concept(self, name: str) -> dict[str, Any]:
        """A CodeableConcept with the set's first code that names no side and asks for no words."""
        codes = list(self._codes(name))
        if not codes:
            raise KeyError(f"{name!r} is no value set with codes")
        code = next((c for c in codes if not c.side and not c.only_when_text_says), codes[0])
        words = (code.only_when_text_says or [""])[0]
        coding = {"system": self.knowledge.names.systems[code.system].uri, "code": code.code}
        return {
            "coding": [coding | ({"display": code.display} if code.display else {})],
            "text": f"{name} {words}".strip(),
        }

    def _codes(self, name: str) -> Iterator[CodeEntry]:
        value_set = self.knowledge.names.value_sets.get(name)
        if value_set is not None:
            yield from value_set.codes
            for included in value_set.includes:
                yield from self._codes(included)

    def time(self, phrase: str) -> str:
        """ "35 days ago" as a date, "2 hours ago" and "now" as an instant."""
        match = _AGO.match(phrase)
        if match and match.group(1):
            span = dt.timedelta(**{f"{match.group(2)}s": int(match.group(1))})
            at = self.now - span
            return at.date().isoformat() if match.group(2) == "day" else at.isoformat()
        if match and match.group(3):
            return (self.now + dt.timedelta(days=int(match.group(3)))).date().isoformat()
        return self.now.isoformat() if phrase == "now" else self.now.date().isoformat()


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
