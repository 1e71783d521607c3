"""One PlanDefinition for each recommendation: an event-condition-action rule with one action, its card.

Card to action as in CDS Hooks: summary is title, detail is description, suggestions are nested actions, and the
indicator is the action's priority.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from cds_service.domain.recommendations import Indicator, Recommendation, Text
from cds_service.fhir.export.conditions import conditions
from cds_service.fhir.export.edition import LIBRARY, Edition, Resource, coded, filled, paragraphs, resource_id
from cds_service.fhir.export.evidence import citations, justification, links
from cds_service.fhir.export.inputs import inputs
from cds_service.fhir.export.offers import suggestion
from cds_service.fhir.export.sentences import read_aloud

_PRIORITIES: Final = {Indicator.INFO: "routine", Indicator.WARNING: "urgent", Indicator.CRITICAL: "stat"}
_USAGE: Final = (
    "For reading and comparing. The conditions are sentences: no engine can run them, and $apply must not be relied "
    "on. The CDS Hooks service that made this export decides; the Library says more."
)


def plan_definitions(edition: Edition) -> list[Resource]:
    """Every recommendation of the knowledge, retired ones too: their status says so."""
    return [_plan_definition(recommendation, edition) for recommendation in edition.knowledge.recommendations]


def _plan_definition(recommendation: Recommendation, edition: Edition) -> Resource:
    kept = recommendation.stewardship
    topic = edition.knowledge.topic(recommendation.id, recommendation.title)
    head = edition.head(
        "PlanDefinition", resource_id(recommendation.id), recommendation.title, status=kept.status, version=kept.version
    )
    cited = [recommendation.evidence, *([link] for link in _linked(recommendation, edition))]
    return head | filled(
        type=coded("http://terminology.hl7.org/CodeSystem/plan-definition-type", "eca-rule", "ECA Rule"),
        description=paragraphs(f"{recommendation.title}.", f"Sort: {recommendation.sort.value}.", edition.notice),
        purpose=_purpose(recommendation),
        usage=_USAGE,
        approvalDate=_day(kept.approval_date),
        lastReviewDate=_day(kept.last_review_date),
        effectivePeriod=filled(start=_day(kept.effective_from), end=_day(kept.effective_to)),
        topic=[coded(topic.system, topic.code, topic.display, recommendation.group)],
        author=[{"name": kept.author}],
        reviewer=[{"name": name} for name in kept.reviewers],
        relatedArtifact=[
            *citations([name for names in cited for name in names], edition),
            justification(recommendation),
        ],
        library=[edition.pinned("Library", LIBRARY)],
        action=[_card(recommendation, edition)],
    )


def _linked(recommendation: Recommendation, edition: Edition) -> list[str]:
    """Sources that only a link of the card cites."""
    urls = {link.url for link in recommendation.links}
    return [name for name, source in edition.knowledge.evidence.items() if source.url in urls]


def _purpose(recommendation: Recommendation) -> str:
    if not recommendation.seed_statements:
        return ""
    statements = ", ".join(recommendation.seed_statements)
    return f"Answers to these statements of the text that the project was asked to implement: {statements}."


def _day(date: dt.date | None) -> str:
    return date.isoformat() if date else ""


def _card(recommendation: Recommendation, edition: Edition) -> Resource:
    offered = [suggestion(one, i, edition) for i, one in enumerate(recommendation.suggestions, 1)]
    return filled(
        id="card",
        title=recommendation.summary,
        description=paragraphs(*(_said(text) for text in recommendation.detail)),
        textEquivalent=_judged(recommendation),
        priority=_PRIORITIES[recommendation.indicator],
        documentation=links(recommendation),
        trigger=[{"type": "named-event", "name": hook} for hook in sorted(recommendation.hooks)],
        condition=conditions(recommendation),
        input=inputs(recommendation, edition),
        groupingBehavior="visual-group" if offered else "",
        selectionBehavior=("any" if recommendation.select_any else "at-most-one") if offered else "",
        action=offered,
    )


def _said(text: Text) -> str:
    """A sentence of the card, and when it is said."""
    return f"{text.template}\n\n(Said only where: {read_aloud(text.when)})" if text.when else text.template


def _judged(recommendation: Recommendation) -> str:
    """What the conditions cannot say: what is judged one by one, what becomes of the unknown, what raises the card."""
    each = f"Judged for {recommendation.for_each.text}. " if recommendation.for_each else ""
    raised = "".join(
        f"\nRaised to {level.value} where {read_aloud(criterion)}" for level, criterion in recommendation.raised_when
    )
    return (
        f"{each}The card is shown only where every trigger certainly holds and no gate or exclusion does; a trigger "
        f"that cannot be read never shows it. Names in braces are filled in from the record. "
        f"Indicator: {recommendation.indicator.value}.{raised}"
    )
