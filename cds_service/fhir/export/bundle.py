"""The whole export: one Bundle, and each of its resources as a file of its own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cds_service.errors import ExportError
from cds_service.fhir.export.code_systems import code_systems
from cds_service.fhir.export.edition import LIBRARY, Edition, Resource
from cds_service.fhir.export.library import library
from cds_service.fhir.export.orderables import activity_definitions
from cds_service.fhir.export.recommendations import plan_definitions
from cds_service.fhir.export.value_sets import value_sets
from cds_service.hooks.reading import is_absolute_url
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.loader import load_knowledge

BUNDLE = "foot-drop-knowledge"


def export_knowledge(cards: Path, base_url: str, date: dt.date | None = None) -> Resource:
    """The knowledge as a Bundle of type collection.

    ``date`` is when its resources say they were last changed; the default is the newest date in the knowledge, never
    the clock, so that the same files give the same Bundle.
    """
    if not is_absolute_url(base_url) or any(mark in base_url for mark in "?#|"):
        raise ExportError(f"{base_url!r} is not a base URL such as https://cds.example.org/fhir")
    knowledge = load_knowledge(cards)
    return bundle(Edition(knowledge, base_url.rstrip("/"), date or newest_date(knowledge)))


def bundle(edition: Edition) -> Resource:
    """Every resource of an edition. Raises ExportError where two would bear the same id."""
    resources: list[Resource] = []
    for kind in (plan_definitions, activity_definitions, value_sets, code_systems):
        resources += sorted(kind(edition), key=lambda resource: str(resource["id"]))
    resources = [library(edition), *resources]
    _check_ids(resources)
    return {
        "resourceType": "Bundle",
        "id": BUNDLE,
        "identifier": {"system": edition.url("Library", LIBRARY), "value": edition.knowledge.fingerprint},
        "type": "collection",
        "entry": [{"fullUrl": edition.url(r["resourceType"], r["id"]), "resource": r} for r in resources],
    }


def _check_ids(resources: list[Resource]) -> None:
    """Ids are compared without case: on some disks their files would be one."""
    seen: set[str] = set()
    for resource in resources:
        name = file_name(resource).lower()
        if name in seen:
            raise ExportError(f"two resources would be {file_name(resource)}: give one of them another name in cards/")
        seen.add(name)


def newest_date(knowledge: Knowledge) -> dt.date:
    """The latest day on which a threshold was set or a recommendation reviewed or approved."""
    kept = [recommendation.stewardship for recommendation in knowledge.recommendations]
    dates = [parameter.date for parameter in knowledge.names.parameters.values()]
    dates += [date for one in kept for date in (one.approval_date, one.last_review_date) if date]
    if not dates:
        raise ExportError("the knowledge holds no date: hand one in with --date")
    return max(dates)


# ---- files


def file_name(resource: Mapping[str, Any]) -> str:
    """Where a resource of the Bundle is written."""
    return f"{resource['resourceType']}-{resource['id']}.json"


def write(exported: Resource, folder: Path) -> Iterator[Path]:
    """Write the Bundle and each of its resources; what else lies in the folder is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    yield _write(exported, folder / f"{exported['id']}.json")
    for entry in exported["entry"]:
        yield _write(entry["resource"], folder / file_name(entry["resource"]))


def _write(resource: Resource, path: Path) -> Path:
    path.write_text(json.dumps(resource, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return path
