"""What changed against the answer before: cards that came, went or changed their words; criteria that answer anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cds_service.decision.trace import Trace
from cds_service.hooks.response import Card
from cds_service.knowledge.knowledge import Knowledge
from cds_service.web.html import Child, Markup, join, tag
from cds_service.web.parts import items
from cds_service.web.playground.cards import Answer
from cds_service.web.playground.criteria import CriterionWords, scope_words, truth_mark
from cds_service.web.playground.reasons import Reasons
from cds_service.web.playground.words import SECTIONS, SINCE_BEFORE

_MOST: Final = 40
_FEW: Final = 4
"""Criteria that are told one by one, and those that are told without being asked for."""


class _Place(NamedTuple):
    """Where a criterion stands: recommendation, side or draft, and the words that lead to it."""

    recommendation: str
    scope: str
    path: tuple[str, ...]


_Answers = dict[_Place, str]


def differences_part(
    answer: Answer, reasons: Reasons | None, before: Answer, before_reasons: Reasons | None, knowledge: Knowledge
) -> Markup:
    """Both answers compared. Without reasons, as after a refusal, only what was answered is."""
    cards = tuple(_cards(answer, before))
    criteria: tuple[Child, ...] = ()
    if reasons is not None and before_reasons is not None:
        criteria = tuple(_criteria(_answers(reasons, knowledge), _answers(before_reasons, knowledge)))
    return join(
        [
            tag("h3", SINCE_BEFORE["cards"]),
            items(cards, class_="changes") if cards else tag("p", SINCE_BEFORE["same cards"]),
            tag("h3", SINCE_BEFORE["criteria"]),
            _folded(criteria) if criteria else tag("p", SINCE_BEFORE["same criteria"]),
        ]
    )


def _folded(criteria: tuple[Child, ...]) -> Markup:
    """Behind a disclosure where they are many: what they came to stands below."""
    rest = len(criteria) - _MOST
    more = tag("p", SINCE_BEFORE["more"].format(count=rest), class_="quiet") if rest > 0 else None
    listed = join([items(criteria[:_MOST], class_="changes"), more])
    if len(criteria) <= _FEW:
        return listed
    return tag("details", tag("summary", SINCE_BEFORE["how many"].format(count=len(criteria))), listed)


# ---- cards


def _cards(answer: Answer, before: Answer) -> Iterator[Child]:
    if answer.outcome != before.outcome:
        yield f"{before.said} \N{RIGHTWARDS ARROW} {answer.said}"
    now, then = _by_topic(answer), _by_topic(before)
    for topic, card in now.items():
        if topic not in then:
            yield _told("come", topic, card.summary)
        elif list(_words(card)) != list(_words(then[topic])):
            yield join([_told("changed", topic, card.summary), *_changed_words(card, then[topic])])
    for topic, card in then.items():
        if topic not in now:
            yield _told("gone", topic, card.summary)


def _by_topic(answer: Answer) -> Mapping[str, Card]:
    cards = answer.response.cards if answer.response else ()
    return {card.source.topic.code if card.source.topic else card.summary: card for card in cards}


def _told(kind: str, topic: str, summary: str) -> Markup:
    return join([tag("span", SINCE_BEFORE[kind], class_=f"badge {kind}"), " ", tag("b", topic), f" {summary}"])


def _words(card: Card) -> Iterator[tuple[str, str]]:
    yield SINCE_BEFORE["urgency"], card.indicator.value
    yield SINCE_BEFORE["summary"], card.summary
    yield SINCE_BEFORE["detail"], card.detail or ""
    yield SINCE_BEFORE["suggestions"], "; ".join(suggestion.label for suggestion in card.suggestions)


def _changed_words(card: Card, before: Card) -> Iterator[Child]:
    pairs = [(name, now, then) for (name, now), (_, then) in zip(_words(card), _words(before), strict=True)]
    lines = (
        join([f"{name}: ", tag("del", then or "none"), " ", tag("ins", now or "none")])
        for name, now, then in pairs
        if now != then
    )
    yield items(lines)


# ---- criteria


def _answers(reasons: Reasons, knowledge: Knowledge) -> _Answers:
    return {place: truth for one in reasons.traces for place, truth in _of_trace(one, knowledge)}


def _of_trace(one: Trace, knowledge: Knowledge) -> Iterator[tuple[_Place, str]]:
    it = one.evaluation.recommendation.id
    words = CriterionWords(knowledge, it)
    for scope, lines in one.scopes:
        judged = scope_words(scope)
        path: list[str] = []
        for line in lines:
            path[line.depth :] = [words.text(line)]
            yield _Place(it, judged, (SECTIONS.get(line.section, line.section), *path)), line.answer.truth.words


def _criteria(now: _Answers, then: _Answers) -> Iterator[Child]:
    """The criteria whose answer changed, each once with where it stands.

    Innermost only: what holds them together changed because of them.
    """
    changed = {place for place, truth in now.items() if then.get(place, truth) != truth}
    outer = {place._replace(path=place.path[:length]) for place in changed for length in range(1, len(place.path))}
    told: dict[tuple[str, str, str], dict[str, None]] = {}
    for place, truth in now.items():
        if place in changed and place not in outer:
            where = told.setdefault((place.path[-1], then[place], truth), {})
            where[f"{place.recommendation} ({place.scope})"] = None
    for (words, was, is_now), places in told.items():
        there = tag("span", SINCE_BEFORE["in"].format(places=", ".join(places)), class_="where")
        yield join([f"{words}: ", truth_mark(was), " \N{RIGHTWARDS ARROW} ", truth_mark(is_now), there])
    yield from _judged(now, then)


def _judged(now: _Answers, then: _Answers) -> Iterator[Child]:
    """Sides and drafts that are judged now and were not, and the other way round."""
    those, others = ({(p.recommendation, p.scope) for p in answers} for answers in (now, then))
    for key, pairs in (("judged", sorted(those - others)), ("no longer judged", sorted(others - those))):
        for recommendation, scope in pairs:
            yield join([tag("b", recommendation), f" {SINCE_BEFORE[key].format(scope=scope)}"])
