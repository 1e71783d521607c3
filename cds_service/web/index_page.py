"""The index: all recommendations, the seed coverage matrix, the parameters, the sources."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.knowledge.pages.content import EvidenceContent
from cds_service.knowledge.pages.overview import Entry, IndexContent
from cds_service.web.html import Child, Markup, join, slug, tag
from cds_service.web.parts import chips, citation, links_to, page, recommendation_link, section, table
from cds_service.web.recommendation_page import source_lines

_SECTIONS = (
    ("Recommendations", "recommendations"),
    ("Gates", "gates"),
    ("Seed coverage", "seed"),
    ("Thresholds", "thresholds"),
    ("Sources", "sources"),
)


def index_page(it: IndexContent) -> str:
    """The whole page."""
    count = sum(len(group.entries) for group in it.groups)
    words = f"{count} recommendations, as they run. Knowledge fingerprint "
    contents = tag("ul", *(tag("li", tag("a", t, href=f"#{a}")) for t, a in _SECTIONS), class_="contents")
    makers = (_recommendations, _gates, _seed, _thresholds, _sources)
    body = [
        tag("h1", "Recommendations"),
        tag("p", words, tag("code", it.stamp.fingerprint), f", {it.stamp.date.isoformat()}.", class_="lead"),
        contents,
        *(section(title, *make(it), anchor=anchor) for (title, anchor), make in zip(_SECTIONS, makers, strict=True)),
    ]
    return page("Recommendations", body, about=f"Knowledge {it.stamp.fingerprint}, {it.stamp.date.isoformat()}.")


def _recommendations(it: IndexContent) -> Iterator[Child]:
    for group in it.groups:
        yield tag("h3", group.title)
        heads = ("Id", "Recommendation", "Kind", "Indicator", "Hooks", "Next review")
        yield tag("div", table(heads, (_row(entry, it.hooks) for entry in group.entries)), class_="index")


def _row(entry: Entry, hooks: tuple[str, ...]) -> tuple[Child, ...]:
    review = entry.next_review.isoformat() if entry.next_review else "no date"
    overdue = tag("span", "overdue", class_="chip overdue") if entry.review_is_overdue else None
    return (
        recommendation_link(entry.id),
        join([entry.title, tag("span", f" {entry.status}, {entry.version}", class_="quiet")]),
        entry.sort,
        chips((level, level) for level in entry.indicators),
        tag("span", "all" if entry.hooks == hooks else ", ".join(entry.hooks), class_="quiet"),
        join([tag("span", review, class_="nowrap"), " ", overdue]),
    )


def _gates(it: IndexContent) -> Iterator[Child]:
    yield tag("p", "A gate silences what it names, whatever else holds.", class_="lead")
    yield table(("Gate", "What it says", "Silences"), ((g.name, g.says, links_to(g.silences)) for g in it.gates))


def _seed(it: IndexContent) -> Iterator[Child]:
    yield tag("p", it.seed_about, class_="lead")
    yield table(
        ("Id", "Statement, in our words", "Kind", "Printed reference", "Caveat", "Recommendations"),
        (
            (
                tag("td", s.id, id=slug(s.id)),
                s.says,
                ", ".join(s.classes),
                ", ".join(str(number) for number in s.printed_references),
                tag("span", s.caveat, class_="quiet"),
                links_to(s.recommendations) if s.recommendations else tag("b", "none", class_="missing"),
            )
            for s in it.seed
        ),
    )


def _thresholds(it: IndexContent) -> Iterator[Child]:
    yield table(
        ("Threshold", "Value", "Meaning", "Citation", "Date", "Used by"),
        (
            (
                tag("td", p.name, id=f"parameter-{slug(p.name)}"),
                tag("span", p.value, class_="nowrap"),
                p.means,
                citation(p.citation),
                tag("span", p.date.isoformat(), class_="nowrap"),
                links_to(p.used_by) if p.used_by else tag("span", "the service as a whole", class_="quiet"),
            )
            for p in it.parameters
        ),
    )


def _sources(it: IndexContent) -> Iterator[Child]:
    yield tag("ol", *(_source(source) for source in it.evidence), class_="sources")


def _source(source: EvidenceContent) -> Markup:
    cited = tag("p", "Cited by ", links_to(source.used_by), ".", class_="quiet") if source.used_by else None
    return tag("li", *source_lines(source), cited, id=slug(source.id))
