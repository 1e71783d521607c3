"""Evidence and strength as related artifacts. The quality is this project's own appraisal, and the resource says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cds_service.domain.recommendations import Recommendation
from cds_service.fhir.export.edition import Edition, Resource, coded, extension, filled
from cds_service.knowledge.schema import EvidenceEntry

_QUALITY_URL: Final = "http://hl7.org/fhir/StructureDefinition/cqf-qualityOfEvidence"
_STRENGTH_URL: Final = "http://hl7.org/fhir/StructureDefinition/cqf-strengthOfRecommendation"
_QUALITY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/evidence-quality"


def citations(names: Iterable[str], edition: Edition) -> list[Resource]:
    """Each source once, as a citation."""
    return [_citation(name, edition.knowledge.evidence[name]) for name in dict.fromkeys(names)]


def _citation(name: str, source: EvidenceEntry) -> Resource:
    """R4 allows the quality of evidence on an Attachment only: it stands on the artifact's document."""
    quality = coded(
        _QUALITY_SYSTEM,
        source.quality.replace(" ", "-"),
        f"{source.quality.capitalize()} quality",
        f"{source.quality} (own quick appraisal, not formal GRADE)",
    )
    seen = f"Kind: {source.kind}. Seen: {source.seen}."
    return filled(
        type="citation",
        label=name,
        display=source.says,
        citation=f"{source.citation}\n\n{seen}" + (f" Limits: {source.limits}" if source.limits else ""),
        url=source.url,
        document=filled(
            extension=[extension(_QUALITY_URL, valueCodeableConcept=quality)], url=source.url, title=source.citation
        ),
    )


def justification(recommendation: Recommendation) -> Resource:
    """How strong the recommendation is, in the words of its file: no grading scheme was applied, so no code."""
    strength = extension(_STRENGTH_URL, valueCodeableConcept={"text": recommendation.strength})
    return {
        "type": "justification",
        "label": "Strength",
        "display": recommendation.strength,
        "document": {"extension": [strength], "title": "Strength of the recommendation"},
    }


def links(recommendation: Recommendation) -> list[Resource]:
    """The links that the card shows."""
    return [{"type": "documentation", "display": link.label, "url": link.url} for link in recommendation.links]
