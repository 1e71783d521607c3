"""Two plain pages until the playground comes: where to start, and the page behind each card.

The card page is generated from the criteria that run and says that the knowledge is not approved.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from cds_service.domain.recommendations import Recommendation
from cds_service.domain.situation import Criterion
from cds_service.knowledge.knowledge import Knowledge

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:CanvasText;"
    "background:Canvas;color-scheme:light dark}code{font-size:.9em}.note{border-left:4px solid #b58900;padding:.2rem 1rem}"
)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
NOT_APPROVED = "Draft knowledge. It has not been clinically approved or validated."


def page(title: str, body: Iterable[str]) -> str:
    """A whole page around some lines."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><body><h1>{escape(title)}</h1>{''.join(body)}</body></html>"
    )


def start_page(knowledge: Knowledge) -> str:
    """Where to begin: discovery, the services, the recommendations."""
    services = "".join(f"<li><code>{escape(s.id)}</code>: {escape(s.title)}</li>" for s in knowledge.services)
    links = "".join(
        f'<li><a href="/cards/{escape(r.id)}">{escape(r.id)}</a> {escape(r.title)}</li>'
        for r in knowledge.recommendations
    )
    return page(
        "Foot drop CDS",
        [
            f'<p class="note">{NOT_APPROVED}</p>',
            '<p>CDS Hooks discovery: <a href="/cds-services"><code>/cds-services</code></a></p>',
            f"<h2>Services</h2><ul>{services}</ul><h2>Recommendations</h2><ul>{links}</ul>",
            f"<p>Knowledge fingerprint <code>{knowledge.fingerprint}</code></p>",
        ],
    )


def card_page(knowledge: Knowledge, recommendation: Recommendation) -> str:
    """What a recommendation says, when, when not, and on what it rests."""
    evidence = "".join(f"<li>{_evidence(knowledge, name)}</li>" for name in recommendation.evidence)
    raised = "".join(
        f"<h3>Raised to {level.value}</h3>{_criteria([criterion])}" for level, criterion in recommendation.raised_when
    )
    each = f"<p>Judged for {escape(recommendation.for_each.text)}.</p>" if recommendation.for_each else ""
    return page(
        f"{recommendation.id} {recommendation.title}",
        [
            f'<p class="note">{NOT_APPROVED} Status: {escape(recommendation.stewardship.status)}, '
            f"version {escape(recommendation.stewardship.version)}.</p>",
            f"<p><b>{escape(recommendation.summary)}</b></p><p>Hooks: {escape(', '.join(sorted(recommendation.hooks)))}</p>",
            f"<h2>When</h2>{each}{_criteria(recommendation.when.parts())}",
            f"<h2>Unless</h2>{_criteria([*(e.criterion for e in recommendation.unless), *recommendation.gates])}",
            f"<h2>Indicator: {recommendation.indicator.value}</h2>{raised}",
            f"<h2>Evidence</h2><p>{escape(recommendation.strength)}</p><ul>{evidence}</ul>",
            f"<p>Knowledge fingerprint <code>{knowledge.fingerprint}</code></p>",
        ],
    )


def _criteria(criteria: Iterable[Criterion]) -> str:
    items = "".join(f"<li>{escape(c.text)}{_criteria(c.parts()) if c.parts() else ''}</li>" for c in criteria)
    return f"<ul>{items}</ul>"


def _evidence(knowledge: Knowledge, name: str) -> str:
    source = knowledge.evidence[name]
    citation = escape(source.citation)
    linked = f'<a href="{escape(source.url)}" rel="noopener noreferrer">{citation}</a>' if source.url else citation
    return f"{linked} <small>{escape(source.kind)}, quality {escape(source.quality)}</small>"
