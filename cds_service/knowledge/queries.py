"""What is asked of a client: for each hook the queries of the needs that its recommendations hang on.

They are the prefetch templates of discovery, and what is asked of the client's FHIR server where prefetch did not
answer. An EHR profile (``ehr_profiles/``) puts other queries in the place of a need's own, or says that there are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds_service.domain.queries import Queries, Query
from cds_service.knowledge.prefetch import HookNeeds
from cds_service.knowledge.schema import EHRProfileEntry, NeedEntry

CODES = "{codes}"
THIS_PATIENT = "{{context.patientId}}"
_NOTHING: frozenset[str] = frozenset()


def names_patient(template: str, resource: str) -> bool:
    """Whether a template reads this patient, or searches for this type of resource and names the patient only."""
    if "{{" in template.replace(THIS_PATIENT, ""):
        return False
    if template == f"{resource}/{THIS_PATIENT}":
        return resource == "Patient"
    kind, _, query = template.partition("?")
    named = {f"{name}={THIS_PATIENT}" for name in ("patient", "subject")}
    return kind == resource and bool(named & set(query.split("&")))


def queries_of(
    hook_needs: Mapping[str, HookNeeds], needs: Mapping[str, NeedEntry], profile: EHRProfileEntry | None = None
) -> Queries:
    """The queries of every hook, with those of a profile in the place of the needs' own."""
    unavailable = frozenset(name for name, entry in profile.needs.items() if entry.unavailable) if profile else _NOTHING
    by_hook = {
        hook: tuple(_at(asks, {name: need for name, need in needs.items() if name not in unavailable}, profile))
        for hook, asks in hook_needs.items()
    }
    return Queries(by_hook, unavailable)


def _at(asks: HookNeeds, needs: Mapping[str, NeedEntry], profile: EHRProfileEntry | None) -> Iterator[Query]:
    codes = ",".join(asks.codes)
    for name, need in needs.items():
        if name not in asks.needs:
            continue
        templates = _templates(name, need, profile)
        if not codes:
            templates = [template for template in templates if CODES not in template]
        for number, template in enumerate(templates, 1):
            key = need.key if number == 1 else f"{need.key}-{number}"
            yield Query(name, key, need.resource, template.replace(CODES, codes))


def _templates(name: str, need: NeedEntry, profile: EHRProfileEntry | None) -> list[str]:
    own = profile.needs.get(name) if profile else None
    return own.queries if own and own.queries else [need.query]
