"""Why and why not: every recommendation of the hook, how it came out, and each of its criteria with its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from cds_service.decision.trace import Trace, TraceLine
from cds_service.domain.evaluation import Standing, judge
from cds_service.domain.situation import Scope
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.overview import parameter_content
from cds_service.web.html import Child, Markup, join, slug, tag
from cds_service.web.parts import citation, table
from cds_service.web.playground.cards import Answer
from cds_service.web.playground.criteria import CriterionWords, Node, nested, scope_words
from cds_service.web.playground.reasons import Reasons
from cds_service.web.playground.words import (
    ANEW,
    BECAUSE,
    DIFFERS,
    FILTERS,
    JUDGED,
    LABELS,
    LEFT_OPEN,
    SECTIONS,
    STATES,
    THRESHOLD_HEADS,
)

_ORDER = tuple(STATES)
_TRIGGERS, _SILENCERS = ("for each", "when"), ("unless", "gate")
_MOST_REASONS = 2


def why_part(reasons: Reasons, answer: Answer, knowledge: Knowledge) -> Markup:
    """The filter, and each recommendation behind a disclosure: those that are shown first."""
    states = [(reasons.state_of(one.evaluation, answer), one) for one in reasons.traces]
    states.sort(key=lambda pair: _ORDER.index(pair[0]))
    counts = Counter(STATES[state][0] for state, _ in states)
    counts[""] = len(states)
    return join(
        [
            tag("p", ANEW, class_="quiet"),
            None if reasons.explains(answer) else tag("p", DIFFERS, class_="differs"),
            _filter(counts),
            tag("div", *(_recommendation(state, one, reasons, knowledge) for state, one in states), id="reasons"),
        ]
    )


def _filter(counts: Counter[str]) -> Markup:
    choices = (
        tag(
            "label",
            tag("input", type="radio", name="filter", value=value, checked=not value),
            f" {words} ({counts[value]})",
        )
        for value, words in FILTERS.items()
    )
    search = tag("label", LABELS["search"], tag("input", type="search", id="search", autocomplete="off"))
    group = tag("fieldset", tag("legend", LABELS["filter"]), *choices)
    return tag("div", group, search, tag("p", role="status", id="found", class_="unseen"), class_="filter")


def _recommendation(state: str, one: Trace, reasons: Reasons, knowledge: Knowledge) -> Markup:
    it = one.evaluation.recommendation
    kind, badge, means = STATES[state]
    words = CriterionWords(knowledge, it.id)
    heading = tag(
        "summary",
        tag("span", badge, class_=f"badge {kind}"),
        " ",
        tag("b", it.id, class_="nowrap"),
        f" {it.title}",
        tag("span", f" {means[0].upper()}{means[1:]}. ", *_because(one, words), class_="means"),
    )
    scopes = [_scope(it.id, scope, lines, one, reasons, words) for scope, lines in one.scopes]
    if not scopes:
        scopes = [tag("p", BECAUSE["no draft"], class_="quiet")]
    page = tag("p", tag("a", LABELS["whole"], href=words.page))
    return tag(
        "details",
        heading,
        *scopes,
        _thresholds(words),
        page,
        class_="why",
        id=f"why-{it.id}",
        data_kind=kind,
        data_id=it.id,
        data_find=f"{it.id} {it.title}".casefold(),
    )


def _because(one: Trace, words: CriterionWords) -> Iterator[Child]:
    """What decided where it does not stand, for each side or draft once; and what could not be read."""
    if one.evaluation.standing is Standing.STANDS:
        return
    nodes = [node for _, lines in one.scopes if (node := _decisive(nested(lines))) is not None]
    if one.evaluation.standing is Standing.DOES_NOT_STAND:  # then what is open decides nothing
        nodes = [node for node in nodes if node.line.answer.truth is not UNKNOWN] or nodes
    said = dict.fromkeys(BECAUSE[node.line.answer.truth.words].format(words=words.in_one_line(node)) for node in nodes)
    yield " ".join(list(said)[:_MOST_REASONS]) or (None if one.scopes else BECAUSE["no draft"])
    if one.evaluation.standing is not Standing.DOES_NOT_STAND and one.evaluation.missing:
        yield tag("span", f" {LABELS['not read']}{words.needs(one.evaluation.missing)}.", class_="unread")


def _decisive(nodes: Sequence[Node]) -> Node | None:
    """The first criterion that keeps it silent; else the first that leaves it open."""
    outer = [node for node in nodes if node.line.section in (*_TRIGGERS, *_SILENCERS)]
    silent = (n for n in outer if n.line.answer.truth is (MET if n.line.section in _SILENCERS else NOT_MET))
    return next(silent, next((node for node in outer if node.line.answer.truth is UNKNOWN), None))


def _scope(
    recommendation_id: str,
    scope: Scope,
    lines: Sequence[TraceLine],
    one: Trace,
    reasons: Reasons,
    words: CriterionWords,
) -> Markup:
    is_sought = bool(lines) and lines[0].section == "for each"
    verdict = judge(one.evaluation.recommendation, scope, reasons.judgement.situation).standing.value
    is_open = scope in one.left_open
    said = "." if is_open else f": {verdict}."
    judged = tag("p", LEFT_OPEN if is_open else JUDGED, tag("b", scope_words(scope)), said)
    return tag(
        "div", None if is_sought else judged, *_sections(lines, words), class_="scope", data_of=recommendation_id
    )


def _sections(lines: Sequence[TraceLine], words: CriterionWords) -> Iterator[Child]:
    for section, those in groupby(lines, key=lambda line: line.section):
        yield tag("p", SECTIONS.get(section, section), class_="section")
        yield words.tree(nested(list(those)))


def _thresholds(words: CriterionWords) -> Child:
    if not words.parameters:
        return None
    rows = []
    for name in words.parameters:
        it = parameter_content(name, words.knowledge)
        value = tag("a", it.value, href=f"{words.page}#parameter-{slug(name)}", class_="parameter")
        rows.append((name, value, it.means, citation(it.citation, "cards/")))
    heads = THRESHOLD_HEADS
    return tag(
        "details",
        tag("summary", LABELS["thresholds"]),
        table(heads, rows, name=LABELS["thresholds of"].format(id=words.recommendation_id)),
    )
