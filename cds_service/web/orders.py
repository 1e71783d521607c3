"""The orders that a recommendation offers, as an EHR would file them."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.knowledge.pages.content import ActionContent, CodeContent, RecommendationContent, SuggestionContent
from cds_service.web import markdown
from cds_service.web.html import Child, Markup, join, tag
from cds_service.web.parts import brief, items, pairs, phrase


def orders_part(it: RecommendationContent) -> Iterator[Child]:
    """Every suggestion with its orders: codes, priority, date, reason, and whether accepting it settles the card."""
    if not it.card.suggestions:
        yield tag("p", "It offers none.", class_="lead")
        return
    many = "At most one of these can be taken." if it.card.at_most_one else "Any of these can be taken."
    yield tag("p", f"Nothing is ordered until a clinician accepts it and signs it. {many}", class_="lead")
    slots = [slot.name for slot in it.card.slots]
    for suggestion in it.card.suggestions:
        yield _offer(suggestion, slots)


def _offer(it: SuggestionContent, slots: list[str]) -> Markup:
    if it.unsettled_because:
        settles = tag("p", tag("span", "Does not settle the card. ", class_="unsettled"), it.unsettled_because)
    else:
        settles = tag("p", tag("span", "Settles the card once ordered.", class_="settles"))
    star = " ★ clearly the better choice" if it.recommended else None
    return tag(
        "div",
        tag("h3", markdown.inline(it.label, slots), tag("small", star, class_="quiet") if star else None),
        tag("p", "Offered only when: ", brief(it.when)) if it.when else None,
        *(_action(action, slots) for action in it.actions),
        settles,
        class_="offer",
    )


def _action(it: ActionContent, slots: list[str]) -> Markup:
    return pairs(
        [
            ("What it does", join([it.does, ": " if it.order else None, tag("b", it.order) if it.order else None])),
            ("Told to the user", markdown.inline(it.description, slots)),
            ("Filed as", it.resource),
            ("Codes", items(_code(code) for code in it.codings) if it.codings else None),
            ("Category", _code(it.category) if it.category else None),
            ("Body site", _code(it.body_site) if it.body_site else None),
            ("Side", "as found, in the order and in its text" if it.names_the_side else None),
            ("Priority", it.priority),
            ("Planned for", phrase(it.planned.spans) if it.planned else None),
            ("Reason", brief(it.reason) if it.reason else None),
        ]
    )


def _code(code: CodeContent) -> Markup:
    return join([f"{code.system} ", tag("code", code.code), f" {code.display}"])
