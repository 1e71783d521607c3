"""The one Library: says in words where the logic runs, and holds definitions, moments, gates and thresholds to read."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cds_service.domain.criteria import Definition
from cds_service.domain.moments import NamedMoment
from cds_service.fhir.export.edition import LIBRARY, Edition, Resource, coded, paragraphs
from cds_service.fhir.export.sentences import bullets, length, moment_sources, read_body


def library(edition: Edition) -> Resource:
    """What the PlanDefinitions refer to for their logic."""
    fingerprint = edition.knowledge.fingerprint
    sets = sorted(edition.knowledge.names.value_sets)
    return edition.head("Library", LIBRARY, "Foot drop CDS: where the logic runs") | {
        "identifier": [{"system": edition.url("Library", LIBRARY), "value": fingerprint}],
        "type": coded("http://terminology.hl7.org/CodeSystem/library-type", "logic-library", "Logic Library"),
        "description": paragraphs(
            "The logic of these recommendations runs in the CDS Hooks service that made this export, from the "
            "knowledge files with the fingerprint below. It is not in this Library and not in the PlanDefinitions: "
            "there is no CQL, no CQL is executed, and the conditions are sentences to be read. A PlanDefinition "
            "engine finds nothing here to run.",
            f"Knowledge fingerprint: {fingerprint}.",
            edition.notice,
        ),
        "purpose": "So that the knowledge can be kept, reviewed and compared with FHIR tools, and its value sets used.",
        "usage": "Read the attached text beside the PlanDefinitions: it says what the names in their conditions mean.",
        "relatedArtifact": [{"type": "depends-on", "resource": edition.value_set(name)} for name in sets],
        "content": [
            {
                "contentType": "text/markdown",
                "language": "en",
                "data": base64.b64encode(reading(edition).encode()).decode(),
                "title": "Definitions, moments, gates and thresholds",
            }
        ],
    }


def reading(edition: Edition) -> str:
    """Everything that conditions name, as Markdown."""
    sections = (
        ("Definitions", _definitions(edition)),
        ("Moments", _moments(edition)),
        ("Gates", _gates(edition)),
        ("Thresholds", _thresholds(edition)),
    )
    texts = [paragraphs(f"# {title}", *texts) for title, texts in sections]
    title = f"Foot drop CDS, knowledge {edition.knowledge.fingerprint}. {edition.notice}"
    return paragraphs(title, *texts) + "\n"


def _definitions(edition: Edition) -> Iterator[str]:
    for name, definition in sorted(edition.knowledge.names.definitions.items()):
        if isinstance(definition, Definition):
            yield paragraphs(f"## {name}", _says(name, edition), bullets([read_body(definition)]))


def _says(name: str, edition: Edition) -> str:
    """The sentence that the author wrote for it."""
    return edition.knowledge.names.says.get(name, "")


def _moments(edition: Edition) -> Iterator[str]:
    for name, moment in sorted(edition.knowledge.names.moments.items()):
        if isinstance(moment, NamedMoment):
            back = f"Where it is unknown, a look-back reaches {length(moment.look_back)}." if moment.look_back else ""
            found = f"The first that is known of:\n\n{bullets(moment_sources(moment))}"
            yield paragraphs(f"## {name}", moment.text, found, back)


def _gates(edition: Edition) -> Iterator[str]:
    gates = {gate.text: gate for one in edition.knowledge.recommendations for gate in one.gates}
    for text, gate in sorted(gates.items()):
        if isinstance(gate, Definition):
            silenced = [r.id for r in edition.knowledge.recommendations if gate in r.gates]
            yield paragraphs(
                f"## {text}", _says(text, edition), bullets([read_body(gate)]), f"Silences {', '.join(silenced)}."
            )


def _thresholds(edition: Edition) -> Iterator[str]:
    for name, entry in sorted(edition.knowledge.names.parameters.items()):
        yield (
            f"**{name}**: {entry.value:g} {entry.unit}. {entry.means} "
            f"({entry.citation}; {entry.date.isoformat()}; steward: {entry.steward})"
        )
