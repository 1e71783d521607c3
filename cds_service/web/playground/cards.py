"""The answer as an EHR shows it: cards with what can be done with them, or what stands there instead of cards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cds_service.decision.decide import EXTENSION
from cds_service.hooks.response import Action, Card, CDSResponse, Link, LinkType, Source, Suggestion
from cds_service.knowledge.knowledge import Knowledge
from cds_service.web import markdown
from cds_service.web.html import Child, Markup, join, tag
from cds_service.web.parts import items, outside
from cds_service.web.playground.words import GAPS, LABELS, NOT_UNDERSTOOD, OUTCOMES, counted

_STAR = "\N{BLACK STAR} "


class _Gap(msgspec.Struct, frozen=True):
    key: str
    state: str = ""
    reason: str = ""


class _Issue(msgspec.Struct, frozen=True):
    diagnostics: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    issue: tuple[_Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered: its status, and the cards where it gave some."""

    status: int
    body: bytes
    response: CDSResponse | None

    @classmethod
    def of(cls, status: int, body: bytes) -> Answer:
        """Read an answer; one that the standard does not know has no response."""
        try:
            response = msgspec.json.decode(body, type=CDSResponse) if status == 200 else None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            response = None
        return cls(status, body, response)

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """Why a call was refused, as its OperationOutcome says."""
        try:
            refusal = msgspec.json.decode(self.body, type=_Refusal)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return ()
        return tuple(issue.diagnostics for issue in refusal.issue if issue.diagnostics)

    @property
    def outcome(self) -> str:
        """The kind of answer: ``cards``, or a key of OUTCOMES."""
        if self.response is None:
            return "refused" if self.status >= 400 else "unreadable"
        if self.response.cards:
            return "cards"
        return "partial" if f"{EXTENSION}.data-gaps" in (self.response.extension or {}) else "nothing"

    @property
    def said(self) -> str:
        """The answer in one sentence, for a status line."""
        if self.response is not None and self.response.cards:
            return f"{counted(len(self.response.cards), 'card')}."
        return OUTCOMES[self.outcome][0]


def cards_part(answer: Answer, knowledge: Knowledge) -> Markup:
    """The cards, or the sentence that stands in their place; and the gaps in words."""
    pieces: list[Child] = []
    if answer.outcome != "cards":
        title, words = OUTCOMES[answer.outcome]
        said = items(answer.diagnostics) if answer.outcome == "refused" else None
        pieces.append(tag("div", tag("h3", title), tag("p", words), said, class_=f"instead {answer.outcome}"))
    if answer.response is not None:
        pieces += (_card(number, card, knowledge) for number, card in enumerate(answer.response.cards))
        pieces += _extension(answer.response.extension or {}, knowledge)
    return join(pieces)


def _extension(extension: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Child]:
    """What the answer tells machines, in words."""
    try:
        gaps = msgspec.convert(extension.get(f"{EXTENSION}.data-gaps", []), tuple[_Gap, ...])
        unread = msgspec.convert(extension.get(f"{EXTENSION}.not-understood", {}), dict[str, int])
    except msgspec.ValidationError:
        return
    if gaps:
        rows = items(join([tag("b", _need(gap, knowledge)), f": {_why(gap, knowledge)}"]) for gap in gaps)
        yield tag("div", tag("p", GAPS), rows, class_="gaps")
    if unread:
        rows = items(f"{kind}: {count}" for kind, count in unread.items())
        yield tag("div", tag("p", NOT_UNDERSTOOD), rows, class_="gaps")


def _need(gap: _Gap, knowledge: Knowledge) -> str:
    needs = knowledge.vocabulary.needs.values()
    return next((need.words for need in needs if need.key == gap.key), gap.key)


def _why(gap: _Gap, knowledge: Knowledge) -> str:
    reasons = {reason.value: words for reason, words in knowledge.words.gap_reasons.items()}
    return reasons.get(gap.reason) or (knowledge.words.unclear if gap.state == "unclear" else gap.reason or gap.state)


# ---- one card


def _card(number: int, card: Card, knowledge: Knowledge) -> Markup:
    code = card.source.topic.code if card.source.topic else ""
    is_ours = any(one.id == code for one in knowledge.recommendations)
    title = f"card-{number}"
    return tag(
        "article",
        tag("p", tag("span", card.indicator.value, class_="level"), " ", _source(card.source), class_="head"),
        tag("h3", card.summary, id=title, class_="summary"),
        tag("div", markdown.render(card.detail), class_="detail") if card.detail else None,
        _suggestions(card),
        _links(card.links),
        tag("p", tag("a", LABELS["why this"], href=f"#why-{code}", data_why=code), class_="way") if is_ours else None,
        _dismissal(number, card),
        tag("p", role="status", class_="became", tabindex="-1"),
        class_=f"card {card.indicator.value}",
        data_card=card.uuid,
        data_topic=code,
        data_behavior=card.selection_behavior.value if card.selection_behavior else None,
        aria_labelledby=title,
    )


def _source(source: Source) -> Markup:
    code = tag("span", source.topic.code, class_="topic") if source.topic else None
    return tag("span", code, " ", outside(source.label, source.url or ""), class_="from")


def _suggestions(card: Card) -> Child:
    if not card.suggestions:
        return None
    any_of_them = card.selection_behavior == "any"
    many = len(card.suggestions) > 1
    title = LABELS[("any suggestions" if any_of_them else "one suggestion") if many else "suggestions"]
    return tag("div", tag("h4", title), tag("ul", *map(_suggestion, card.suggestions), class_="choices"))


def _suggestion(it: Suggestion) -> Markup:
    recommended = "recommended" if it.is_recommended else None
    accept = tag(
        "button",
        LABELS["accept"],
        tag("span", f": {it.label}", class_="unseen"),
        type="button",
        data_accept=it.uuid,
        class_=recommended,
    )
    star = tag("span", _STAR, title="recommended", aria_hidden="true") if it.is_recommended else None
    note = tag("span", LABELS["recommended"], class_="unseen") if it.is_recommended else None
    label = tag("span", star, note, it.label, class_="label")
    inside = (part for action in it.actions for part in _action(action, it.label))
    orders = tag("details", tag("summary", _what(it)), *inside) if it.actions else None
    return tag("li", tag("div", label, accept, class_="choice"), orders)


def _what(it: Suggestion) -> str:
    return LABELS["files" if len(it.actions) == 1 else "files many"].format(count=len(it.actions))


def _action(it: Action, label: str) -> Iterator[Child]:
    told = None if it.description == label else f": {it.description}"
    yield tag("p", tag("b", it.type.value.capitalize()), f" {it.resource_id}" if it.resource_id else None, told)
    if it.resource is not None:
        yield code_block(json.dumps(it.resource, indent=2, ensure_ascii=False, default=str), LABELS["resource"])


def code_block(text: str, name: str, anchor: str | None = None) -> Markup:
    """A text to read as it is; the keyboard can scroll it."""
    return tag("pre", tag("code", text), tabindex="0", role="group", aria_label=name, id=anchor)


def _links(links: tuple[Link, ...]) -> Child:
    if not links:
        return None
    shown = (join([outside(it.label, it.url), _smart(it)]) for it in links)
    return tag("div", tag("h4", LABELS["links"]), items(shown))


def _smart(it: Link) -> Child:
    return LABELS["smart"] if it.type is LinkType.SMART else None


def _dismissal(number: int, card: Card) -> Markup:
    reason, comment = f"reason-{number}", f"comment-{number}"
    options = (
        tag("option", one.display, value=one.code, data_system=one.system, data_display=one.display)
        for one in card.override_reasons
    )
    choice = tag("select", tag("option", LABELS["no reason"], value=""), *options, id=reason)
    return tag(
        "details",
        tag("summary", LABELS["dismiss this"]),
        tag("p", tag("label", LABELS["reason"], for_=reason), choice, class_="field")
        if card.override_reasons
        else None,
        tag(
            "p",
            tag("label", LABELS["comment"], tag("span", LABELS["optional"], class_="quiet"), for_=comment),
            tag("textarea", rows="2", id=comment),
            class_="field",
        ),
        tag("button", LABELS["dismiss"], type="button", data_dismiss=True),
        class_="dismissal",
    )
