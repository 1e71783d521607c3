"""Criteria that run → lines a clinician can read.

The tree is the one that decides; the words come from the entry each criterion was compiled from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cds_service.domain import criteria as run
from cds_service.domain.moments import Extreme, FallOf, LatestOf, NamedMoment, Source, recording_of
from cds_service.domain.situation import Criterion, Moment
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import Line, MomentContent, Span
from cds_service.knowledge.pages.phrases import Phrases
from cds_service.knowledge.prefetch import criteria_of

_GATE = "gate: "
_JOINS: dict[type, str] = {run.All: "all", run.AnyOf: "any", run.NoneOf: "none"}


class Wording:
    """Words for one page. A definition is unfolded where it is first named, and only named after that.

    While ``only_names`` is set nothing is unfolded; ``rest`` then unfolds what was named and stands nowhere.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        """Nothing is unfolded yet."""
        self.only_names = False
        self._named: dict[str, run.Definition] = {}
        self.names = knowledge.names
        self.used = Phrases(knowledge.names, {s.hook: s.title for s in knowledge.services})
        self._unfolded: set[str] = set()

    def lines(self, criteria: Iterable[Criterion]) -> tuple[Line, ...]:
        """One line for each criterion."""
        return tuple(self.line(criterion) for criterion in criteria)

    def line(self, criterion: Criterion) -> Line:
        """A criterion, with what is inside it."""
        if isinstance(criterion, run.Definition):
            return self._definition(criterion)
        joins = _JOINS.get(type(criterion))
        if joins is not None:
            parts = criterion.parts()
            if len(parts) == 1 and not isinstance(criterion, run.NoneOf):
                return self.line(parts[0])
            return Line((Span(f"{joins} of these:"),), parts=self.lines(parts), joins=joins)
        return Line(self.spans(criterion), parts=self.lines(criterion.parts()))

    def spans(self, criterion: Criterion) -> tuple[Span, ...]:
        """A criterion's own words, without what is inside it; what it was written as, where it has no words here."""
        _, entry = self.names.written.get(id(criterion), (None, None))
        return (Span(criterion.text),) if entry is None else tuple(self.used.spans(entry))

    def _definition(self, definition: run.Definition) -> Line:
        name = definition.name.removeprefix(_GATE)
        says = self.names.says.get(definition.name, "")
        spans = (Span(name, "definition", name),)
        if self.only_names:
            self._named[definition.name] = definition
        if self.only_names or definition.name in self._unfolded:
            return Line(spans, name, says, above=True)
        self._unfolded.add(definition.name)
        return Line(spans, name, says, (self.line(definition.body),))

    def rest(self) -> tuple[Line, ...]:
        """The definitions that were only named so far, unfolded."""
        self.only_names = False
        return self.lines(d for name, d in self._named.items() if name not in self._unfolded)

    def note(self, entry: Any) -> None:
        """Count the names of a date or a slot as used, without words."""
        date = getattr(entry, "date", None) or entry
        if getattr(date, "moment", None) or getattr(date, "plus", None):
            tuple(self.used.date(date))
        if getattr(entry, "days_since", None):
            self.used.moment(entry.days_since)
        if getattr(entry, "parameter", None):
            self.used.parameter(entry.parameter)

    def moments(self) -> tuple[MomentContent, ...]:
        """Every moment that was used so far, and those they are found by."""
        found: list[MomentContent] = []
        done: set[str] = set()
        while pending := [name for name in self.used.moments if name not in done]:
            for name in pending:
                done.add(name)
                found.append(self._moment(self.names.moments[name]))
        return tuple(found)

    def _moment(self, moment: Moment) -> MomentContent:
        if not isinstance(moment, NamedMoment):
            return MomentContent(moment.name, "", ())
        found_by = tuple(self._source(source) for source in moment.sources)
        _, entry = self.names.written.get(id(moment), (None, None))
        back = getattr(entry, "look_back_when_unknown", None)
        return MomentContent(moment.name, moment.text, found_by, self.used.parameter(back).text if back else "")

    def _source(self, source: Source) -> Line:
        if isinstance(source, LatestOf):
            spans = [Span("the latest of: ")]
            for index, moment in enumerate(source.moments):
                spans += [Span(", ")] * bool(index) + [self.used.moment(moment.name)]
            return Line(tuple(spans))
        if isinstance(source, FallOf):
            return Line((Span("the first examination that showed this: "),), parts=(self.line(source.fall),))
        if isinstance(source, Extreme):
            which = "latest" if source.latest else "earliest"
            what = "recording of" if source.date_of is recording_of else "date of"
            return Line((Span(f"{which} {what}: "),), parts=(self.line(source.records),))
        return Line((Span(""),))


def names_used(knowledge: Knowledge) -> dict[str, Phrases]:
    """For each recommendation by id the value sets, parameters and moments that its criteria and orders name."""
    found: dict[str, Phrases] = {}
    for it in knowledge.recommendations:
        wording = Wording(knowledge)
        wording.lines(criteria_of(it))
        drafted = it.for_each.drafted if it.for_each else ()
        wording.used.value_sets |= dict.fromkeys(drafted)
        planned = (p for s in it.suggestions for a in s.actions if (p := a.planned))
        for piece in (*planned, *it.slots.values()):
            wording.note(knowledge.names.written[id(piece)][1])
        wording.moments()
        found[it.id] = wording.used
    return found
