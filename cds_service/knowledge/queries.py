"""What is asked of a client: for each hook the queries of the needs that its recommendations hang on.

They are the prefetch templates of discovery, and what is asked of the client's FHIR server where prefetch did not
answer. An EHR profile (``ehr_profiles/``) puts other queries in the place of a need's own, or says that there are none;
so does the entry of a client in the clients file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds_service.domain.queries import Queries, Query
from cds_service.knowledge.prefetch import HookNeeds
from cds_service.knowledge.schema import NeedAnswerEntry, NeedEntry

CODES = "{codes}"
THIS_PATIENT = "{{context.patientId}}"
Answers = Mapping[str, NeedAnswerEntry]
"""How an EHR answers, by need; a need that is not named by its own query."""
Problem = tuple[int, str, str]


def names_patient(template: str, resource: str) -> bool:
    """Whether a template reads this patient, or searches for this type of resource and names the patient only."""
    if "{{" in template.replace(THIS_PATIENT, ""):
        return False
    if template == f"{resource}/{THIS_PATIENT}":
        return resource == "Patient"
    kind, _, query = template.partition("?")
    named = {f"{name}={THIS_PATIENT}" for name in ("patient", "subject")}
    return kind == resource and bool(named & set(query.split("&")))


def problems_of(answer: NeedAnswerEntry, need: NeedEntry) -> Iterator[Problem]:
    """What is wrong with the queries of an answer: the number of the query, the problem, what would be right."""
    for index, query in enumerate(answer.queries):
        if not names_patient(query, need.resource):
            remedy = f"write {need.resource}?patient={THIS_PATIENT}&… without modifiers"
            yield index, "no query for this patient's data", remedy
        if CODES in query and CODES not in need.query:
            yield index, "{codes} is for findings only", "take it out"


def queries_of(
    hook_needs: Mapping[str, HookNeeds], needs: Mapping[str, NeedEntry], answers: Answers | None = None
) -> Queries:
    """The queries of every hook, with those of an EHR in the place of the needs' own."""
    own = answers or {}
    unavailable = frozenset(name for name, answer in own.items() if answer.unavailable)
    by_hook = {
        hook: tuple(_at(asks, {name: need for name, need in needs.items() if name not in unavailable}, own))
        for hook, asks in hook_needs.items()
    }
    return Queries(by_hook, unavailable)


def _at(asks: HookNeeds, needs: Mapping[str, NeedEntry], answers: Answers) -> Iterator[Query]:
    codes = ",".join(asks.codes)
    for name, need in needs.items():
        if name not in asks.needs:
            continue
        templates = _templates(need, answers.get(name))
        if not codes:
            templates = [template for template in templates if CODES not in template]
        for number, template in enumerate(templates, 1):
            key = need.key if number == 1 else f"{need.key}-{number}"
            yield Query(name, key, need.resource, template.replace(CODES, codes))


def _templates(need: NeedEntry, answer: NeedAnswerEntry | None) -> list[str]:
    return answer.queries if answer and answer.queries else [need.query]
