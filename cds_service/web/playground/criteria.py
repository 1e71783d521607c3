"""A trace as lines that nest: each criterion in the words of its page, its answer, and the records behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cds_service.decision.trace import TraceLine
from cds_service.decision.words import describe, plain
from cds_service.domain import criteria as run
from cds_service.domain.facts import Fact
from cds_service.domain.situation import Answer, Scope
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import Span
from cds_service.knowledge.pages.wording import Wording
from cds_service.web.html import Child, Markup, join, slug, tag
from cds_service.web.parts import value_set_page
from cds_service.web.playground.words import LABELS, TRUTHS

_GATE = "gate: "
_JOINS = {run.All: "all of these", run.AnyOf: "any of these", run.NoneOf: "none of these"}
_MARKS = {"met": "\N{CHECK MARK}", "not met": "\N{MULTIPLICATION SIGN}", "unknown": "?"}
_MOST_FACTS = 4


@dataclass(frozen=True, slots=True)
class Node:
    """One criterion with what is inside it."""

    line: TraceLine
    parts: tuple[Node, ...]


def nested(lines: Sequence[TraceLine]) -> tuple[Node, ...]:
    """Lines by their depth, as they nest."""
    return tuple(_nodes(lines, 0))


def _nodes(lines: Sequence[TraceLine], depth: int) -> list[Node]:
    starts = [at for at, line in enumerate(lines) if line.depth == depth]
    ends = [*starts[1:], len(lines)]  # one too many where nothing starts
    return [
        Node(lines[start], tuple(_nodes(lines[start + 1 : end], depth + 1)))
        for start, end in zip(starts, ends, strict=False)
    ]


class CriterionWords:
    """Words for the criteria of one recommendation; gathers the thresholds that they name."""

    def __init__(self, knowledge: Knowledge, recommendation_id: str) -> None:
        """``recommendation_id`` has the page on which thresholds and points in time are explained."""
        self.knowledge = knowledge
        self.recommendation_id = recommendation_id
        self.page = f"cards/{recommendation_id}"
        self.wording = Wording(knowledge)
        self._systems = {system.uri: name for name, system in knowledge.names.systems.items()}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The thresholds that were named so far."""
        return tuple(self.wording.used.parameters)

    def text(self, line: TraceLine) -> str:
        """A criterion as plain words."""
        criterion = line.criterion
        if isinstance(criterion, run.Definition):
            return criterion.name.removeprefix(_GATE)
        if (joins := _JOINS.get(type(criterion))) is not None:
            return joins
        return "".join(span.text for span in self.wording.spans(criterion)).rstrip(":")

    def in_one_line(self, node: Node) -> str:
        """A criterion as plain words; one that only joins others says which."""
        if type(node.line.criterion) not in _JOINS:
            return self.text(node.line)
        return f"{self.text(node.line)}: {'; '.join(self.in_one_line(part) for part in node.parts)}"

    def tree(self, nodes: Iterable[Node]) -> Markup:
        """Criteria, with what is inside them."""
        return tag("ul", *(self._item(node) for node in nodes), class_="trace")

    def _item(self, node: Node) -> Markup:
        criterion, answer = node.line.criterion, node.line.answer
        is_none = isinstance(criterion, run.NoneOf)
        if type(criterion) in _JOINS and len(node.parts) == 1 and not is_none:
            return self._item(node.parts[0])
        truth = truth_mark(answer.truth.words)
        if isinstance(criterion, run.Definition):
            return tag("li", self._definition(criterion, node, truth), self._behind(answer))
        if (joins := _JOINS.get(type(criterion))) is not None:
            return tag("li", truth, " ", tag("span", joins, class_="joins"), self.tree(node.parts))
        words = join(self._span(span) for span in self.wording.spans(criterion))
        inside_it = self.tree(node.parts) if node.parts else None
        return tag("li", truth, " ", words, self._behind(answer), inside_it)

    def _definition(self, definition: run.Definition, node: Node, truth: Markup) -> Markup:
        """A name with its sentence, and what it stands for behind a disclosure."""
        says = self.knowledge.names.says.get(definition.name, "")
        name = tag("b", definition.name.removeprefix(_GATE))
        heading = tag("summary", truth, " ", name, tag("span", f": {says}", class_="quiet"))
        (body,) = node.parts
        joins = _JOINS.get(type(body.line.criterion))
        if joins is None or len(body.parts) < 2:
            return tag("details", heading, self.tree(node.parts))
        return tag("details", heading, tag("span", joins, class_="joins"), self.tree(body.parts))

    def _span(self, span: Span) -> Child:
        if span.kind == "value set":
            return tag("a", span.text, href=f"cards/{value_set_page(span.name)}", class_="set")
        if span.kind in ("parameter", "moment"):
            return tag("a", span.text, href=f"{self.page}#{span.kind}-{slug(span.name)}", class_=span.kind)
        return span.text

    def _behind(self, answer: Answer) -> Child:
        """The records that made it say so, and what could not be read."""
        rest = len(answer.facts) - _MOST_FACTS
        shown: list[Child] = [tag("li", self.fact(fact)) for fact in answer.facts[:_MOST_FACTS]]
        if rest > 0:
            shown.append(tag("li", LABELS["and more"].format(count=rest)))
        if answer.needs:
            shown.append(tag("li", LABELS["not read"], tag("b", self.needs(answer.needs)), class_="unread"))
        return tag("ul", *shown, class_="behind") if shown else None

    def fact(self, fact: Fact) -> Markup:
        """A record: what, which side, when; its code and where it stands."""
        return join([describe(fact, plain), " ", tag("span", self.place(fact), class_="quiet")])

    def place(self, fact: Fact) -> Markup:
        """The code of a record, and the resource in which it stands."""
        system = self._systems.get(fact.coding.system, "")
        code = tag("code", f"{system} {plain(fact.coding.code)}".strip()) if fact.coding.code else None
        place = tag("code", plain(fact.reference) or LABELS["record without id"])
        return join([code, LABELS["in"] if code else None, place])

    def needs(self, needs: Iterable[str]) -> str:
        """Kinds of data as a clinician calls them."""
        known = self.knowledge.vocabulary.needs
        return ", ".join(known[name].words if name in known else name for name in sorted(needs))


def truth_mark(truth: str) -> Markup:
    """The answer, as a mark and as a word."""
    mark = tag("span", _MARKS[truth], aria_hidden="true")
    return tag("span", mark, f" {TRUTHS[truth]}", class_=f"truth {slug(truth)}")


def scope_words(scope: Scope) -> str:
    """What is judged: a side, a draft, or the patient as a whole."""
    parts = []
    if scope.draft is not None:
        display = plain(scope.draft.coding.display or scope.draft.coding.code)
        parts.append(f"draft {display} ({plain(scope.draft.reference)})" if display else plain(scope.draft.reference))
    if scope.side is not None:
        parts.append(scope.side.words)
    return ", ".join(parts) or LABELS["whole patient"]
