"""The page of `/insight`: what became of advice, for the committee that answers for it and the people who run it.

Each chart has a sentence above it that says what it shows, and its figures as a table below it. What cannot be known
is not drawn: the service knows what it returned and what was reported, not what a client displayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cds_service.decision.insight import Insight, Rate
from cds_service.web import charts
from cds_service.web.html import Child, Markup, tag
from cds_service.web.insight import calls, cards, feedback
from cds_service.web.insight.address import CODES, address, in_words, without_filters
from cds_service.web.insight.parts import key, says, section, stack, stacked_in_words
from cds_service.web.insight.words import (
    INTERVAL,
    InsightWords,
    counted,
    day_of,
    number,
    rate_in_words,
    selection,
    visible,
)
from cds_service.web.parts import CONTENT_SECURITY_POLICY, items, page

POLICY: Final = CONTENT_SECURITY_POLICY.replace("form-action 'none'", "form-action 'self'")
"""As for every page, but for the form of its filters, which asks this service only."""
_STYLE: Final = Path(__file__).with_name("insight.css").read_text(encoding="utf-8")
_LABELS: Final = {**{name: name.capitalize() for name in CODES}, "from": "From the week of", "to": "To the week of"}
_CANNOT_MEAN: Final = (
    "A card that was returned need not have been displayed: the service cannot know what a client shows.",
    "“Without feedback” does not mean ignored. It means that nothing was reported: the card may have been read and "
    "acted on in another way.",
    "Rates are over cards that went to clients that have sent feedback at least once. The others are counted apart.",
    f"What stands in brackets is the {INTERVAL} (Wilson): how far chance alone may carry a rate. It says nothing of "
    "what a client fails to report.",
    "Accepted does not mean right, and overridden does not mean wrong. No figure here tells whether a patient was "
    "helped, and none is about a clinician.",
)


def insight_page(insight: Insight, words: InsightWords) -> str:
    """The whole page, for one setting of the filters."""
    body: list[Child] = [tag("h1", "Insight"), tag("p", _lead(insight), class_="lead")]
    if insight.choices.weeks:
        body += [_filters(insight, words), *_figures(insight, words)]
    else:
        body.append(
            tag("p", "Nothing has been recorded yet. Figures stand here after the first call.", class_="nothing")
        )
    return _page("Insight", body, f"Titles and words are those of the knowledge {words.fingerprint}.")


def problem_page(sentence: str) -> str:
    """What stands in the place of the figures where there are none to show."""
    again = tag("a", "Show all figures", href="insight")
    return _page("Insight", [tag("h1", "Insight"), tag("p", sentence, class_="nothing"), tag("p", again)], "")


def _page(title: str, body: Iterable[Child], about: str) -> str:
    return page(title, body, place="cards/", about=about, policy=POLICY, style=_STYLE)


def _lead(insight: Insight) -> str:
    return f"What became of the advice of this service. Shown: {selection(insight.filters) or 'everything'}."


def _figures(insight: Insight, words: InsightWords) -> Iterator[Child]:
    total = insight.total
    if not any((total.returned, total.folded, total.snoozed, total.shadow, *insight.outcomes)):
        yield tag("p", "No call and no card is in this selection.", class_="nothing")
        return
    yield charts.textures()
    yield _tiles(insight)
    yield from _overview(insight)
    yield section("groups", f"By {insight.filters.by}", cards.groups(insight, words))
    yield section("weeks", "Week by week", cards.weeks(insight))
    yield section("reasons", "Why cards were overridden", feedback.reasons(insight, words))
    yield section("delays", "Time from card to action", feedback.delays(insight))
    yield section("gaps", "Data gaps", calls.gaps(insight, words))
    yield section("outcomes", "How calls ended", calls.outcomes(insight))
    yield section("shadows", "Shadow against live", calls.shadows(insight, words))
    yield section("meaning", "What these figures cannot mean", [items(_CANNOT_MEAN)])
    yield tag("p", tag("a", "All figures as JSON", href=address(insight.filters, "insight.json")))


# ---- filters


def _filters(insight: Insight, words: InsightWords) -> Markup:
    filters, now, offered = insight.filters, in_words(insight.filters), _offered(insight, words)
    fields = (_select(name, label, offered[name], now[name]) for name, label in _LABELS.items())
    hidden = tag("input", type="hidden", name="by", value=filters.by)
    button = tag("button", "Show", type="submit")
    clear = tag("a", "Clear all filters", href=address(without_filters(filters))) if selection(filters) else None
    actions = tag("div", button, clear, class_="actions")
    return tag("form", *fields, hidden, actions, action="insight", method="get", class_="filters")


def _offered(insight: Insight, words: InsightWords) -> dict[str, dict[str, str]]:
    """For each filter what it can be set to, and in which words."""
    choices, filters = insight.choices, insight.filters
    codes = (choices.clients, choices.hooks, choices.recommendations, choices.versions, choices.indicators)
    offered = {name: {code: code for code in there} for name, there in zip(CODES, codes, strict=True)}
    offered["recommendation"] = {one: f"{one} {words.title(one)}".strip() for one in choices.recommendations}
    there = sorted({*choices.weeks, *(week for week in (filters.first, filters.last) if week)})
    weeks = {week.isoformat(): day_of(week) for week in there}
    return {**offered, "from": weeks, "to": weeks}


def _select(name: str, label: str, offered: dict[str, str], chosen: str | None) -> Markup:
    options = {"": "all", **offered}
    if chosen:
        options.setdefault(chosen, f"{chosen} (not in the ledger)")
    shown = (
        tag("option", visible(text), value=value, selected=value == (chosen or ""), dir="auto")
        for value, text in options.items()
    )
    at = f"filter-{name}"
    return tag("div", tag("label", label, for_=at), tag("select", *shown, name=name, id=at))


# ---- tiles and the whole


def _tiles(insight: Insight) -> Markup:
    total = insight.total
    calls = sum(each.calls for each in insight.outcomes)
    narrowed = insight.filters.recommendation or insight.filters.version or insight.filters.indicator
    shown = (
        ("Calls", calls, "whatever they advised" if narrowed else "hook calls that were answered"),
        ("Cards returned", total.returned, f"{number(total.reporting)} to clients that report"),
        ("Accepted", total.accepted, _share(total.acceptance)),
        ("Overridden", total.overridden, _share(total.override)),
        ("Without feedback", total.without_feedback, _share(total.silence)),
        (
            "Listed in a folded card",
            total.folded,
            f"{number(total.folded_accepted)} with a suggestion accepted; not in the rates",
        ),
        ("Kept quiet", total.snoozed, "dismissed before, not returned"),
        ("In shadow", total.shadow, "evaluated, not returned"),
    )
    tiles = (
        tag("li", tag("div", what, class_="what"), tag("div", number(count), class_="count"), tag("small", said))
        for what, count, said in shown
    )
    return tag("ul", *tiles, class_="tiles")


def _share(found: Rate | None) -> str:
    return rate_in_words(found) if found else "no client here ever reported"


def _overview(insight: Insight) -> Iterator[Child]:
    total = insight.total
    if not total.returned:
        yield says("No recommendation was returned on a card of its own in this selection.")
        return
    yield says(_overview_in_words(insight))
    yield charts.bar(stack(total), total.returned, f"All cards: {stacked_in_words(total)}")
    yield key(stack(total), counts=True)


def _overview_in_words(insight: Insight) -> str:
    total = insight.total
    returned = counted(total.returned, "card")
    if not total.reporting:
        return f"{returned} went to clients that have never sent feedback: what became of them is not known."
    return (
        f"Of {returned}, {number(total.reporting)} went to clients that report. Of these "
        f"{rate_in_words(total.acceptance)} were accepted and {rate_in_words(total.override)} overridden; of "
        f"{rate_in_words(total.silence)} nothing was reported."
    )
