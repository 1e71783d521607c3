"""Cases: patients in plain words and the cards expected of them, as clinicians write them in ``cards/cases``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cds_service.knowledge.document import Document, Steps, read_document, yaml_files
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.schema import Entry, Name, Names, Sentence

PHRASE = re.compile(r"(?:(\d+) (day|hour)s? ago|in (\d+) days?|today|now|(\d{4}(?:-\d\d){0,2}))\Z")
_HAS_DIGIT = re.compile(r"\d")
_KINDS = ("condition", "finding", "done", "order", "refused", "in_use")


def _phrase(value: Any) -> Any:
    text = str(value)
    if not PHRASE.match(text):
        raise ValueError('say when as "3 days ago", "2 hours ago", "today", "now", "in 7 days", "2026-05" or "2025"')
    return text


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Time = Annotated[str, BeforeValidator(_phrase, json_schema_input_type=str | int)]
Offered = Annotated[list[Name], BeforeValidator(_listed, json_schema_input_type=Name | list[Name])]
OfCondition = Literal["active", "recurrence", "relapse", "inactive", "remission", "resolved", "not stated"]
OfFinding = Literal["final", "amended", "preliminary", "cancelled", "entered-in-error"]
OfAnythingElse = Literal[
    "active", "completed", "in-progress", "not-done", "stopped", "on-hold", "revoked", "draft", "intended"
]
Status = OfCondition | OfFinding | OfAnythingElse


class GivenFact(Entry):
    """One fact of the patient, in plain words: exactly one kind."""

    condition: Name | None = None
    finding: Name | None = None
    done: Name | None = None
    order: Name | None = None
    refused: Name | None = None
    in_use: Name | None = None
    as_: Literal["ServiceRequest", "DeviceRequest", "DiagnosticReport"] | None = None
    side: Literal["right", "left", "both"] | None = None
    at: Name | None = None
    status: Status | None = None
    certainty: Literal["confirmed", "not stated", "suspected", "unconfirmed", "refuted", "entered in error"] = (
        "confirmed"
    )
    severity: Name | None = None
    cause: Sentence | None = None
    encounter_diagnosis: Literal[True, "of this encounter"] | None = None
    onset: Time | None = None
    recorded: Time | None = None
    ended: Time | None = None
    when: Time | None = None
    value: int | float | str | None = None
    priority: Literal["routine", "urgent", "asap", "stat"] | None = None
    planned: Time | None = None
    for_: Name | None = None
    replaces_another: bool = False
    not_selected: bool = False

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        kinds = [kind.replace("_", " ") for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a fact is exactly one of {', '.join(k.replace('_', ' ') for k in _KINDS)}")
        return self

    @property
    def concept(self) -> str:
        """What it is about: the name of a value set."""
        return next(str(getattr(self, kind)) for kind in _KINDS if getattr(self, kind) is not None)


class CaseEntry(Entry):
    """One patient at one hook, and the exact answer.

    `expect` names the cards with their indicator; `says` phrases that stand on a card, `offers` how each of its
    suggestions begins; `silent` the near misses with the reason. `refused`: the call is answered with an error (412).
    A fact is about a value set, or about one code: "ICD-10-CM E23.2 (diabetes insipidus)".
    """

    case: Sentence
    hook: Name = "patient-view"
    age: int = 50
    birthday: Time | None = None
    born: Time | Literal["not stated"] | None = None
    deceased: bool = False
    given: tuple[GivenFact, ...] = ()
    drafted: tuple[GivenFact, ...] = ()
    not_read: tuple[Name, ...] = ()
    user: Name = "Practitioner/case-user"
    expect: dict[Name, Literal["info", "warning", "critical"]] = Field(default_factory=dict)
    says: dict[Name, Names] = Field(default_factory=dict)
    offers: dict[Name, Offered] = Field(default_factory=dict)
    gap_card: bool | None = None
    refused: bool = False
    silent: dict[Name, Sentence] = Field(default_factory=dict)


class CaseFile(Entry):
    """One file of ``cases/<group>/<name>.yaml``. With ``about``, only those recommendations are compared.

    Then the data gap card is compared only where the case says whether there is one: it hangs on all the others too.
    """

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
    """All cases of ``cards/cases``; two with the same words in one file are a mistake."""
    for path in yaml_files(cards / "cases"):
        document = read_document(path, cards)
        file = problems.validated(CaseFile, document)
        if file is None:
            continue
        told: set[str] = set()
        for index, entry in enumerate(file.cases):
            if entry.case in told:
                problems.add(document, ("cases", index, "case"), "two cases have these words", "say what differs")
            told.add(entry.case)
            yield Case(document, index, entry, frozenset(file.about or ()))


def check_names(case: Case, knowledge: Knowledge, problems: Problems) -> bool:
    """Whether every name in a case is known, so that a misspelt one can neither pass nor fail unnoticed."""
    unknown = [named for named in _names_in(case, knowledge) if named[1] not in named[3]]
    for what, name, steps, known in unknown:
        problems.unknown(case.document, steps, what, name, known)
    return not unknown


def _names_in(case: Case, knowledge: Knowledge) -> Iterator[tuple[str, str, Steps, Collection[str]]]:
    entry, here = case.entry, ("cases", case.index)
    sets, needs = knowledge.names.value_sets, knowledge.vocabulary.needs
    recommendations = [recommendation.id for recommendation in knowledge.recommendations]
    for key in ("expect", "says", "offers", "silent"):
        yield from (("recommendation", n, (*here, key, n), recommendations) for n in getattr(entry, key))
    yield from (("recommendation", name, ("about",), recommendations) for name in case.about)
    yield from (("need", name, (*here, "not read", i), needs) for i, name in enumerate(entry.not_read))
    yield "hook", entry.hook, (*here, "hook"), knowledge.prefetch
    for key in ("given", "drafted"):
        for index, fact in enumerate(getattr(entry, key)):
            place = (*here, key, index)
            named = [fact.concept, fact.severity, fact.for_, fact.at]
            if isinstance(fact.value, str) and not _HAS_DIGIT.search(fact.value):
                named.append(fact.value)
            yield from (("value set", n, place, sets) for n in named if n and not spelt_code(n, knowledge))


def spelt_code(name: str, knowledge: Knowledge) -> dict[str, str] | None:
    """A code spelt out as "ICD-10-CM E23.2 (diabetes insipidus)": its system, code and words."""
    for system, entry in knowledge.names.systems.items():
        match = re.fullmatch(re.escape(system) + r" ([\w.-]+)(?: \((.+)\))?", name)
        if match:
            return {"system": entry.uri, "code": match[1], "display": match[2] or match[1]}
    return None
