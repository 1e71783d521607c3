"""One CodeSystem for each of this project's own systems: complete, so that its codes can be validated elsewhere.

Their URL is the one that cards carry on the wire, whatever address the export is made for.
"""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.decision.compose import DATA_GAP, MORE
from cds_service.decision.records import RECORD_CORRECTION
from cds_service.domain.codes import CodeSystem
from cds_service.fhir.export.edition import Edition, Resource, filled, paragraphs


def code_systems(edition: Edition) -> list[Resource]:
    """Our own systems, by the names of `systems.yaml`."""
    systems = edition.knowledge.names.systems
    return [_code_system(name, system, edition) for name, system in systems.items() if edition.is_ours(system)]


def _code_system(name: str, system: CodeSystem, edition: Edition) -> Resource:
    concepts = sorted(_concepts(name, edition))
    title = f"Foot drop CDS: {name}"
    head = edition.head("CodeSystem", system.uri.rpartition("/")[2], title) | {"url": system.uri}
    return head | filled(
        description=paragraphs("Codes of this project, for what has no public code.", edition.notice),
        copyright=f"{name}: {edition.knowledge.names.code_systems[name].licence}.",
        caseSensitive=True,
        content="complete",
        count=len(concepts),
        concept=[{"code": code, "display": display} for code, display in concepts],
    )


def _concepts(name: str, edition: Edition) -> Iterator[tuple[str, str]]:
    """The codes of the system's table; the recommendations and override reasons have files of their own."""
    knowledge, words = edition.knowledge, edition.knowledge.words
    yield from ((code, row.title) for code, row in knowledge.names.titles.get(name, {}).items())
    if name == words.source.topics:
        yield from ((recommendation.id, recommendation.title) for recommendation in knowledge.recommendations)
        yield DATA_GAP, words.data_gap_card.title
        yield MORE, words.folded_card.title
        yield RECORD_CORRECTION, words.record_correction_card.title
    if name == words.source.override_reasons:
        yield from ((reason.code, reason.display) for reason in knowledge.names.override_reasons.values())
