"""Firing a hook at a file of patient data, outside any server: what ``cds-service try`` and the cases do.

The data takes the way it takes in a call: it becomes prefetch, and the same reader and decider answer.
"""

from __future__ import annotations

import datetime as dt
import json
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cds_service.agreements import make_decider
from cds_service.decision.decide import EXTENSION, Decision
from cds_service.decision.trace import Trace, trace
from cds_service.decision.words import describe, plain
from cds_service.domain.recommendations import Recommendation
from cds_service.domain.situation import Situation
from cds_service.domain.times import Now
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.request import parse_request
from cds_service.hooks.response import CDSResponse, encode
from cds_service.knowledge.hook_call import USER, hook_call, resources_of
from cds_service.knowledge.knowledge import Knowledge
from cds_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Tried:
    """A decision with what it was made of."""

    decision: Decision
    situation: Situation
    recommendations: tuple[Recommendation, ...]

    @property
    def traces(self) -> tuple[Trace, ...]:
        """Why and why not, for every recommendation of the hook."""
        return tuple(trace(recommendation, self.situation) for recommendation in self.recommendations)

    @property
    def response(self) -> CDSResponse:
        """The answer."""
        return self.decision.response

    def as_json(self) -> dict[str, Any]:
        """The answer as it goes over the wire."""
        return msgspec.json.decode(encode(self.response), type=dict[str, Any])


class Attempt:
    """Fires hooks with one knowledge at one time."""

    def __init__(self, settings: Settings, knowledge: Knowledge, at: dt.datetime) -> None:
        """``at`` is the evaluation time."""
        self.knowledge = knowledge
        self.at = at
        self.zone = settings.zone
        self.decider, self.reader = make_decider(settings, knowledge)

    def fire(self, record: dict[str, Any], hook: str, draft: dict[str, Any] | None = None) -> Tried:
        """One hook call about one record (a Bundle), as an EHR would make it."""
        return self.answer(self.request(resources_of(record), hook, resources_of(draft) if draft else []))

    def request(
        self,
        resources: list[dict[str, Any]],
        hook: str,
        drafts: list[dict[str, Any]],
        *,
        user: str = USER,
        unread: Iterable[str] = (),
    ) -> dict[str, Any]:
        """The request of such a call. ``unread`` names needs that the EHR does not send."""
        return hook_call(self.knowledge, resources, hook, drafts, user=user, unread=unread)

    def answer(self, request: dict[str, Any]) -> Tried:
        """Decide a request, by the way a request over HTTP takes."""
        call = parse_request(json.dumps(request).encode())
        context = parse_context(call.hook, call.context)
        now = Now.of(self.at, self.zone)
        situation = self.decider.situation(call.hook, self.reader.read(call, context, now), now)
        decision = self.decider.decide(context, situation)
        return Tried(decision, situation, self.knowledge.at_hook(call.hook))


# ---- for people


def show_cards(response: CDSResponse) -> str:
    """The cards as a person reads them."""
    if not response.cards:
        partial = f"{EXTENSION}.data-gaps" in (response.extension or {})
        said = "No card, on partial data: see what was not read." if partial else "No card: nothing to recommend."
        return said + _gaps(response)
    return "\n\n".join(_show_card(number, card) for number, card in enumerate(response.cards, 1)) + _gaps(response)


def _gaps(response: CDSResponse) -> str:
    return f"\n(For machines: {json.dumps(response.extension)})" if response.extension else ""


def _show_card(number: int, card: Any) -> str:
    code = card.source.topic.code if card.source.topic else ""
    lines = [f"{number}. [{card.indicator.upper()}] {card.summary}", f"   {code} · {card.source.label}"]
    if card.detail:
        lines.append(
            textwrap.indent("\n".join(textwrap.fill(p, 100) for p in card.detail.split("\n") if p.strip()), "   | ")
        )
    for suggestion in card.suggestions:
        star = "*" if suggestion.is_recommended else "-"
        lines.append(f"   {star} {suggestion.label}")
        lines += [f"       {action.type}: {action.description}" for action in suggestion.actions]
    if card.override_reasons:
        lines.append("   dismiss: " + " / ".join(reason.display for reason in card.override_reasons))
    return "\n".join(lines)


def show_trace(tried: Tried) -> str:
    """For every recommendation of the hook each criterion: met, not met or unknown, and why."""
    return "\n".join(line for one in tried.traces for line in _show_one(one))


def _show_one(one: Trace) -> Iterable[str]:
    evaluation = one.evaluation
    missing = f" (not read: {', '.join(sorted(evaluation.missing))})" if evaluation.missing else ""
    yield f"\n{evaluation.recommendation.id} {evaluation.recommendation.title}: {evaluation.standing.value}{missing}"
    for scope, lines in one.scopes:
        what = []
        if scope.side is not None:
            what.append(scope.side.words)
        if scope.draft is not None:
            what.append(f"draft {scope.draft.reference or plain(scope.draft.coding.display)}")
        if what:
            is_open = scope in one.left_open
            yield f"  {'not known whether it is about' if is_open else 'judged for'}: {', '.join(what)}"
        section = ""
        for line in lines:
            if line.section != section:
                section = line.section
                yield f"  {section}:"
            yield f"    {'  ' * line.depth}{line.answer.truth.words:<8} {line.text}{_behind(line)}"


def _behind(line: Any) -> str:
    """The records behind an answer: reference, code, side, date; or what could not be read."""
    parts = [
        f"{fact.reference or 'record without id'} {fact.coding.code} ({describe(fact, plain)})"
        for fact in line.facts[:3]
    ]
    if line.answer.needs:
        parts.append(f"not read: {', '.join(sorted(line.answer.needs))}")
    return f"  ← {'; '.join(parts)}" if parts else ""
