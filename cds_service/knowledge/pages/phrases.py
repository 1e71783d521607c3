"""What each operator says, as spans that keep every value set, parameter and moment as a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cds_service.knowledge import schema
from cds_service.knowledge.names import Names
from cds_service.knowledge.pages.content import Span

Spans = Iterator[Span]
_STATUS = {"active": "Active diagnosis", "not active": "Diagnosis no longer active", "any": "Diagnosis, active or past"}
_CERTAINTY = {"confirmed": "confirmed", "suspected": "suspected only", "any": "confirmed or suspected"}
_SIDES = {"both": "on both sides", "one": "on one side", "not stated": "with no side stated"}
_PRIORITY = {"urgent": "urgent", "asap": "as soon as possible", "stat": "immediate"}


class Phrases:
    """Phrases for one page. Which names it used is gathered, in the order of use."""

    def __init__(self, names: Names, hooks: dict[str, str]) -> None:
        """``hooks`` gives each hook its words."""
        self.names = names
        self.hooks = hooks
        self.value_sets: dict[str, None] = {}
        self.parameters: dict[str, None] = {}
        self.moments: dict[str, None] = {}

    def spans(self, entry: Any) -> Spans:
        """One entry with one operator over records, the patient or the call."""
        return _WORDS[type(entry)](self, entry)

    # ---- references

    def concepts(self, names: Iterable[str]) -> Spans:
        """Value sets: "a, b or c"."""
        listed = list(names)
        for index, name in enumerate(listed):
            if index:
                yield Span(" or " if index == len(listed) - 1 else ", ")
            self.value_sets[name] = None
            yield Span(name, "value set", name)

    def parameter(self, name: str, *, grades: bool = False) -> Span:
        """A parameter as its value: "90 days", "MRC grade 3"."""
        self.parameters[name] = None
        return Span(self.amount(name, grades=grades), "parameter", name)

    def amount(self, name: str, *, grades: bool = False) -> str:
        """The value of a parameter with its unit. ``grades`` counts grades instead of naming one."""
        entry = self.names.parameters[name]
        if entry.unit in ("count", "ratio"):
            return f"{entry.value:g}"
        if entry.unit in ("days", "hours", "years"):
            return f"{entry.value:g} {entry.unit}"
        return f"{entry.value:g} {entry.unit}" if grades else f"{entry.unit} {entry.value:g}"

    def moment(self, name: str) -> Span:
        """A named moment, with its article."""
        self.moments[name] = None
        return Span(name if name.startswith("the ") else f"the {name}", "moment", name)

    # ---- pieces that several operators share

    def _on(self, entry: Any) -> Spans:
        if entry.on == "that side":
            yield Span(", on that side")

    def _since(self, entry: Any) -> Spans:
        if getattr(entry, "within", None):
            yield Span(", within the last ")
            yield self.parameter(entry.within)
        if getattr(entry, "since", None):
            yield Span(", since ")
            yield self.moment(entry.since)

    def _each(self, pairs: Iterable[tuple[str, str | None]], end: str = "") -> Spans:
        for words, name in pairs:
            if name is not None:
                yield Span(words)
                yield self.parameter(name)
                if end:
                    yield Span(end)

    def _shown(self, entry: schema.Shown) -> Spans:
        bounds = (
            (", at least ", entry.at_least),
            (", at most ", entry.at_most),
            (", below ", entry.below),
            (", exactly ", entry.equals),
        )
        yield from self._each(bounds)
        if entry.is_:
            yield Span(", answered: ")
            yield from self.concepts(entry.is_)
        if entry.newer_than_the_end_of:
            yield Span(", newer than the end of: ")
            yield from self.concepts(entry.newer_than_the_end_of)

    def date(self, entry: schema.DateEntry) -> Spans:
        """A moment plus a length of time."""
        if entry.moment:
            yield self.moment(entry.moment)
        else:
            yield Span("today")
        if entry.plus:
            yield Span(" plus ")
            yield self.parameter(entry.plus)
        if entry.plus and entry.moment:
            yield Span(", never before today")

    # ---- operators

    def condition(self, entry: schema.ConditionEntry) -> Spans:
        """A diagnosis."""
        yield Span(f"{_STATUS[entry.status]} ({_CERTAINTY[entry.certainty]})")
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(entry.condition)
        if entry.severity:
            yield Span(", severity: ")
            yield from self.concepts(entry.severity)
        if entry.stated_cause is not None:
            yield Span(", with a stated cause" if entry.stated_cause else ", without a stated cause")
            if entry.apart_from:
                yield Span(" other than ")
                yield from self.concepts(entry.apart_from)
        if entry.caused_by:
            yield Span(", stated as caused by ")
            yield from self.concepts(entry.caused_by)
        ago = ((", begun at least ", entry.onset_at_least), (", begun more than ", entry.onset_more_than))
        yield from self._each(ago, " ago")
        last = (
            (", begun within the last ", entry.onset_within),
            (", begun or recorded within the last ", entry.recorded_within),
        )
        yield from self._each(last)

    def finding(self, entry: schema.FindingEntry) -> Spans:
        """Some observation."""
        yield Span("Some examination finding")
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(entry.finding)
        yield from self._shown(entry)
        yield from self._since(entry)

    def latest(self, entry: schema.LatestFindingEntry) -> Spans:
        """The newest observation."""
        yield Span("Latest examination")
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(entry.latest_finding)
        if entry.recorded:
            yield Span(", whatever it showed")
        yield from self._shown(entry)
        yield from self._since(entry)

    def falling(self, entry: schema.FallingFindingEntry) -> Spans:
        """A fall between two observations."""
        yield Span("Getting lower")
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(entry.falling_finding)
        yield Span(", by at least ")
        yield self.parameter(entry.by_at_least, grades=True)
        yield Span(", between examinations at most ")
        yield self.parameter(entry.over_at_most)
        yield Span(" apart, without recovery between them")
        last = ((", the latest within the last ", entry.latest_within), (", both within the last ", entry.both_within))
        yield from self._each(last)

    def done(self, entry: schema.DoneEntry) -> Spans:
        """Something completed."""
        yield Span("Done")
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(entry.done)
        yield from self._since(entry)

    def order(self, entry: schema.OpenOrderEntry | schema.EarlierOrderEntry) -> Spans:
        """An order that stands."""
        if isinstance(entry, schema.EarlierOrderEntry):
            lead, names = "Ordered before these orders", entry.earlier_order
        else:
            lead, names = "Ordered and open, or being ordered now", entry.open_order
        yield Span(lead)
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(names)
        if entry.priority_at_least:
            yield Span(f", priority at least {_PRIORITY[entry.priority_at_least]}")
        if entry.for_:
            yield Span(", for: ")
            yield from self.concepts(entry.for_)
        yield from self._since(entry)

    def drafted(self, entry: schema.DraftedEntry) -> Spans:
        """An order of this call."""
        yield Span("Being ordered now: ")
        yield from self.concepts(entry.drafted)

    def in_use(self, entry: schema.InUseEntry) -> Spans:
        """A device."""
        yield Span("Device given up" if entry.stopped_within else "Device in use")
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(entry.in_use)
        last = ((", within the last ", entry.stopped_within), (", since no longer than ", entry.used_within))
        yield from self._each(last)

    def refused(self, entry: schema.RefusedEntry) -> Spans:
        """A refusal."""
        yield Span(
            "Declined (an order not to do it, with its reason)"
            if entry.with_reason
            else "Declined (an order not to do it)"
        )
        yield from self._on(entry)
        yield Span(": ")
        yield from self.concepts(entry.refused)

    def that_draft(self, entry: schema.ThatDraftEntry) -> Spans:
        """A test of the draft."""
        test = entry.that_draft
        yield Span("The order being judged")
        joined: tuple[tuple[str, list[str] | None], ...] = (
            (" is a ", test.is_),
            (" is not a ", test.is_not),
            (" is for: ", test.for_),
            (" names no reason, or is for: ", test.for_or_without_reason),
        )
        for words, names in joined:
            if names:
                yield Span(words)
                yield from self.concepts(names)
        if test.planned_before:
            yield Span(" is planned earlier than ")
            yield self.parameter(test.planned_before.plus)
            yield Span(" after ")
            for index, name in enumerate(test.planned_before.latest_of):
                if index:
                    yield Span(" or ")
                yield self.moment(name)
            yield Span(", whichever is later; without a planned date, today counts")
        if test.replaces_another is not None:
            yield Span(" says that it replaces another" if test.replaces_another else " replaces no other")

    def at_moment(self, entry: schema.MomentTest) -> Spans:
        """A moment and a window."""
        yield Span("In time: ")
        yield self.moment(entry.moment)
        yield from self._each(((" lies within the last ", entry.within),))
        ago = ((" lies at least ", entry.at_least), (" lies more than ", entry.more_than))
        yield from self._each(ago, " ago")

    def age(self, entry: schema.AgeEntry) -> Spans:
        """An age."""
        yield Span("Age")
        yield from self._each(((" at least ", entry.age.at_least), (" below ", entry.age.under)))

    def hook(self, entry: schema.HookEntry) -> Spans:
        """The moment of work."""
        yield Span("The service asked: " + " or ".join(self.hooks.get(hook, hook) for hook in entry.hook))

    def deceased(self, _: schema.DeceasedEntry) -> Spans:
        """Death."""
        yield Span("The patient has died")

    def sides_with(self, entry: schema.SidesWithEntry) -> Spans:
        """Sides."""
        yield Span("The following holds " + " or ".join(_SIDES[side] for side in entry.are) + ":")


_WORDS: dict[type, Callable[[Phrases, Any], Spans]] = {
    schema.ConditionEntry: Phrases.condition,
    schema.FindingEntry: Phrases.finding,
    schema.LatestFindingEntry: Phrases.latest,
    schema.FallingFindingEntry: Phrases.falling,
    schema.DoneEntry: Phrases.done,
    schema.OpenOrderEntry: Phrases.order,
    schema.EarlierOrderEntry: Phrases.order,
    schema.DraftedEntry: Phrases.drafted,
    schema.InUseEntry: Phrases.in_use,
    schema.RefusedEntry: Phrases.refused,
    schema.ThatDraftEntry: Phrases.that_draft,
    schema.MomentTest: Phrases.at_moment,
    schema.AgeEntry: Phrases.age,
    schema.HookEntry: Phrases.hook,
    schema.DeceasedEntry: Phrases.deceased,
    schema.SidesWithEntry: Phrases.sides_with,
}
