"""The request that an EHR would send about a record: for the cases, for ``cds-service try`` and for the playground.

The record becomes prefetch, key by key, as the services of this knowledge ask for it; nothing is fetched.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from cds_service.errors import InvalidRequestError
from cds_service.knowledge.knowledge import Knowledge

USER: Final = "Practitioner/example"
ENCOUNTER: Final = "example-encounter"
Resource = Mapping[str, Any]


def hook_call(
    knowledge: Knowledge,
    record: Sequence[Resource],
    hook: str,
    drafts: Sequence[Resource] = (),
    *,
    user: str = USER,
    unread: Iterable[str] = (),
    selected: Collection[str] | None = None,
) -> dict[str, Any]:
    """A call about the resources of one record, with its prefetch.

    ``unread`` names the needs that the EHR does not send. ``selected`` has the ids of the drafts that order-select is
    about; None for all. Raises InvalidRequestError where the record has no Patient, or no service has the hook.
    """
    patient = next((r for r in record if r.get("resourceType") == "Patient"), None)
    if patient is None:
        raise InvalidRequestError("the record", "has no Patient")
    encounter = next((r.get("id") for r in record if r.get("resourceType") == "Encounter"), ENCOUNTER)
    context: dict[str, Any] = {"userId": user, "patientId": patient.get("id", ""), "encounterId": encounter}
    conditions = [r for r in record if r.get("resourceType") == "Condition"]
    made = bare_call(knowledge, hook, context, drafts, conditions, selected)
    return made | {"prefetch": _prefetch(knowledge, record, hook, patient, frozenset(unread))}


def bare_call(
    knowledge: Knowledge,
    hook: str,
    context: dict[str, Any],
    drafts: Sequence[Resource],
    conditions: Sequence[Resource],
    selected: Collection[str] | None = None,
) -> dict[str, Any]:
    """A call without any data but that of its hook's own context."""
    if hook not in knowledge.prefetch:
        known = ", ".join(knowledge.prefetch)
        raise InvalidRequestError("the hook", f"is none of ours; there are {known}")
    if hook.startswith("order-"):
        context = context | {"draftOrders": _bundle(drafts)}
    if hook == "order-select":
        chosen = (d for d in drafts if selected is None or d.get("id") in selected)
        context = context | {"selections": [f"{d['resourceType']}/{d.get('id', '')}" for d in chosen]}
    if hook == "problem-list-item-create":
        context = context | {"conditions": _bundle(conditions)}
    return {"hook": hook, "hookInstance": str(uuid.uuid4()), "context": context}


def _prefetch(
    knowledge: Knowledge, record: Sequence[Resource], hook: str, patient: Resource, unread: frozenset[str]
) -> dict[str, Any]:
    prefetch: dict[str, Any] = {}
    for name, need in knowledge.vocabulary.needs.items():
        if need.key not in knowledge.prefetch[hook] or name in unread:
            continue
        found = [r for r in record if r.get("resourceType") == need.resource]
        prefetch[need.key] = patient if need.resource == "Patient" else _bundle(found, "searchset")
    return prefetch


def resources_of(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of a Bundle, or the one resource."""
    if data.get("resourceType") != "Bundle":
        return [dict(data)]
    entries = data.get("entry")
    each = (e.get("resource") for e in (entries if isinstance(entries, list) else ()) if isinstance(e, dict))
    return [resource for resource in each if isinstance(resource, dict)]


def _bundle(resources: Sequence[Resource], kind: str = "collection") -> dict[str, Any]:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if resources:
        bundle["entry"] = [{"resource": r} for r in resources]
    return bundle
