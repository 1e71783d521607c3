"""A card on a page: as an example answered by the service, and as its file writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.domain.recommendations import OfferedLink
from cds_service.knowledge.pages.content import CardContent, ExampleCard, OverrideReasonContent, RecommendationContent
from cds_service.web import markdown
from cds_service.web.html import Child, Markup, join, tag
from cds_service.web.parts import brief, in_words, items, outside, table


def card_part(it: RecommendationContent) -> Iterator[Child]:
    """The example, the words of the card, and what its brackets are filled with."""
    if it.example:
        yield tag("h3", "An example")
        given = "; ".join(it.example.patient)
        yield tag("p", tag("b", it.example.case), f". Patient on {it.example.date.isoformat()}: {given}.")
        yield _example(it.example)
    yield tag("h3", "As it is written")
    slots = [slot.name for slot in it.card.slots]
    if slots:
        yield tag("p", "What stands in brackets is filled from the record.", class_="quiet")
    yield _template(it.card, it.indicator, slots)
    if it.card.slots:
        rows = (
            (tag("span", f"[{slot.name}]", class_="slot"), brief(slot.shows), slot.otherwise) for slot in it.card.slots
        )
        yield table(("Brackets", "Filled with", "Where the record says nothing"), rows)


def _example(card: ExampleCard) -> Markup:
    choices = (
        tag(
            "li",
            ("★ " if s.recommended else "") + s.label,
            *(tag("small", action) for action in s.actions if action != s.label),
            class_="recommended" if s.recommended else None,
        )
        for s in card.suggestions
    )
    return _frame(
        card.indicator,
        card.source,
        tag("p", card.summary, class_="summary"),
        markdown.render(card.detail),
        tag("h4", "Suggestions") if card.suggestions else None,
        tag("ul", *choices, class_="choices") if card.suggestions else None,
        tag("h4", "Reasons to dismiss"),
        items(card.override_reasons, class_="reasons"),
        _links(card.links),
    )


def _template(card: CardContent, indicator: str, slots: list[str]) -> Markup:
    details = (
        tag("div", tag("p", "Only when: ", brief(part.when), class_="quiet"), text, class_="only")
        if part.when
        else text
        for part in card.detail
        for text in (markdown.render(part.text, slots),)
    )
    choices = (
        tag(
            "li",
            "★ " if s.recommended else None,
            markdown.inline(s.label, slots),
            tag("small", "Only when: ", in_words(s.when)) if s.when else None,
            class_="recommended" if s.recommended else None,
        )
        for s in card.suggestions
    )
    return _frame(
        indicator,
        card.source,
        tag("p", markdown.inline(card.summary, slots), class_="summary"),
        *details,
        tag("h4", "Suggestions, at most one" if card.at_most_one else "Suggestions") if card.suggestions else None,
        tag("ul", *choices, class_="choices") if card.suggestions else None,
        tag("h4", "Reasons to dismiss"),
        items(map(_reason, card.override_reasons), class_="reasons"),
        _links(card.links),
    )


def _reason(reason: OverrideReasonContent) -> Child:
    """What the user reads, and what comes of it."""
    if not reason.to_record:
        return reason.display
    offer = tag("span", f"a later call offers to record {reason.to_record}", class_="quiet")
    return join((reason.display, offer), "; ")


def _frame(indicator: str, source: str, *children: Child) -> Markup:
    level = tag("span", indicator, class_="level")
    return tag("article", tag("span", source, class_="from"), level, *children, class_=f"card {indicator}")


def _links(links: Iterable[OfferedLink]) -> Child:
    shown = [outside(link.label, link.url) for link in links]
    return tag("p", "Links: ", join(shown, "; "), class_="quiet") if shown else None
