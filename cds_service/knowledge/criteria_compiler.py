"""Criteria as authors write them → criteria that run. Every name is resolved and every mistake noted with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cds_service.domain import criteria as run
from cds_service.domain.facts import Certainty, Kind, Priority
from cds_service.domain.sides import Side
from cds_service.domain.situation import Criterion, Moment
from cds_service.domain.times import Window, longer_than
from cds_service.knowledge import schema
from cds_service.knowledge.document import Document, Steps
from cds_service.knowledge.names import Names
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.reading_aloud import aloud

_MEASURES = ("MRC grade", "ratio", "count")
_PATTERNS = {"both": Side.BOTH, "not stated": Side.UNSPECIFIED}


class CriteriaCompiler:
    """Compiles the criteria of one document."""

    def __init__(
        self, document: Document, names: Names, problems: Problems, definition: Callable[[str], Criterion | None]
    ) -> None:
        """``definition`` finds a named definition, compiling it first where need be."""
        self.document = document
        self.names = names
        self.problems = problems
        self.definition = definition

    # ---- entry points

    def compile_all(self, entries: Iterable[Any], steps: Steps, text: str = "all of") -> run.All:
        """A list of criteria that must all hold."""
        return run.All(text, tuple(self.compile(entry, (*steps, i)) for i, entry in enumerate(entries)))

    def compile_any(self, entries: Iterable[Any], steps: Steps, text: str = "any of") -> run.AnyOf:
        """A list of criteria of which one suffices."""
        return run.AnyOf(text, tuple(self.compile(entry, (*steps, i)) for i, entry in enumerate(entries)))

    def compile(self, entry: Any, steps: Steps) -> Criterion:
        """One criterion."""
        if isinstance(entry, str):
            return self._named(entry, steps)
        compiled = _COMPILERS[type(entry)](self, entry, steps)
        self.names.written[id(compiled)] = compiled, entry
        return compiled

    def _named(self, name: str, steps: Steps) -> Criterion:
        found = self.definition(name)
        if found is None:
            self.problems.unknown(self.document, steps, "definition", name, self.names.definitions)
            return run.AnyOf(name, ())
        return found

    # ---- names

    def concepts(self, names: Iterable[str] | None, steps: Steps) -> frozenset[str]:
        """Value sets by name."""
        wanted = list(names or ())
        for name in wanted:
            self.names.used.add(("value set", name))
            if name not in self.names.value_sets:
                self.problems.unknown(self.document, steps, "value set", name, self.names.value_sets)
        return frozenset(wanted)

    def window(self, name: str | None, steps: Steps) -> Window | None:
        """A parameter that is a length of time."""
        if name is None:
            return None
        self.names.used.add(("parameter", name))
        try:
            return self.names.window(name)
        except KeyError:
            self.problems.unknown(self.document, steps, "parameter", name, self.names.parameters)
        except ValueError as error:
            self.problems.add(self.document, steps, f"the parameter {name!r} {error}", "use a parameter of time")
        return None

    def days(self, name: str | None, steps: Steps) -> Window | None:
        """A parameter that is a number of whole days."""
        window = self.window(name, steps)
        if window is not None and window.hours:
            self.problems.add(self.document, steps, f"the parameter {name!r} is in hours", "use one in days")
        return window

    def number(self, name: str | None, steps: Steps, units: tuple[str, ...] = ()) -> float | None:
        """A parameter that is a number, in one of some units."""
        if name is None:
            return None
        self.names.used.add(("parameter", name))
        if name not in self.names.parameters:
            self.problems.unknown(self.document, steps, "parameter", name, self.names.parameters)
            return None
        parameter = self.names.parameters[name]
        if units and parameter.unit not in units:
            self.problems.add(
                self.document, steps, f"the parameter {name!r} is in {parameter.unit}", f"use {' or '.join(units)}"
            )
        return float(parameter.value)

    def moment(self, name: str, steps: Steps) -> Any:
        """A named moment; an unknown one is noted."""
        self.names.used.add(("moment", name))
        if name not in self.names.moments:
            self.problems.unknown(self.document, steps, "moment", name, self.names.moments)
            return None
        return self.names.moments[name]

    def records(
        self,
        entry: Any,
        steps: Steps,
        kind: Kind,
        names: list[str],
        tests: list[run.Test | None],
        that_side: bool = False,
    ) -> run.Records:
        """A criterion over records of one kind."""
        self.concepts(names, steps)
        needs = self.needs(kind, names, steps)
        kept = tuple(test for test in tests if test is not None)
        moment = self.names.moments.get(getattr(entry, "since", None) or "")
        moments = (moment,) if moment else ()
        return run.Records(aloud(entry, self.names), kind, tuple(names), needs, kept, that_side, moments)

    def needs(self, kind: Kind, names: list[str], steps: Steps) -> frozenset[str]:
        """The needs that can show such records. Without one, data that was not read would pass for absent."""
        for name in names:
            if (
                kind is not Kind.ORDER
                and name in self.names.value_sets
                and not self.names.needs_for(kind.value, [name])
            ):
                self.problems.add(
                    self.document,
                    steps,
                    f"no data that is asked for can show {name!r} as {kind.value!r}",
                    f"name a need that shows {kind.value!r} under `recorded in` of {name!r}",
                )
        return self.names.needs_for(kind.value, names)

    # ---- operators

    def joined(self, entry: Any, steps: Steps) -> Criterion:
        """`all`, `any`, `none`."""
        for key, kind in (("all", run.All), ("any", run.AnyOf), ("none", run.NoneOf)):
            entries = getattr(entry, key, None)
            if entries is not None:
                parts = tuple(self.compile(e, (*steps, key, i)) for i, e in enumerate(entries))
                return kind({"all": "all of", "any": "any of", "none": "none of"}[key], parts)
        raise AssertionError("the schema lets no other entry through")

    def condition(self, entry: schema.ConditionEntry, steps: Steps) -> Criterion:
        """`condition`."""
        tests: list[run.Test | None] = [
            {"active": run.is_active, "not active": run.is_not_active, "any": None}[entry.status]
        ]
        if entry.certainty != "any":
            tests.append(run.has_certainty(Certainty(entry.certainty)))
        if entry.severity:
            tests.append(run.has_severity(self.concepts(entry.severity, (*steps, "severity"))))
        if entry.stated_cause is not None:
            tests.append(run.states_cause(entry.stated_cause, self.concepts(entry.apart_from, (*steps, "apart from"))))
        tests += self._windows(
            entry,
            steps,
            {
                "onset_within": run.dated,
                "onset_at_least": run.lasting,
                "onset_more_than": lambda window: run.lasting(longer_than(window)),
                "recorded_within": run.recorded_within,
            },
        )
        if entry.caused_by:
            tests.append(run.caused_by(self.concepts(entry.caused_by, (*steps, "caused by"))))
        return self.records(entry, steps, Kind.CONDITION, entry.condition, tests, entry.on == "that side")

    def _windows(
        self, entry: Any, steps: Steps, makers: dict[str, Callable[[Window], run.Test]]
    ) -> list[run.Test | None]:
        tests: list[run.Test | None] = []
        for attribute, make in makers.items():
            name = getattr(entry, attribute, None)
            window = self.window(name, (*steps, attribute.replace("_", " ")))
            if window is not None:
                tests.append(make(window))
        return tests

    def shown(self, entry: schema.Shown, steps: Steps) -> list[run.Test | None]:
        """What an observation must show."""
        tests: list[run.Test | None] = []
        bounds = {
            key: self.number(getattr(entry, key), (*steps, key.replace("_", " ")), _MEASURES)
            for key in ("at_least", "at_most", "below", "equals")
        }
        if any(bound is not None for bound in bounds.values()):
            same = bounds["equals"]
            low = same if same is not None else bounds["at_least"]
            high = same if same is not None else bounds["at_most"]
            tests.append(run.shows_number(low, high, below=bounds["below"]))
        if entry.is_:
            tests.append(run.shows_value(self.concepts(entry.is_, (*steps, "is"))))
        return tests

    def finding(self, entry: schema.FindingEntry, steps: Steps) -> Criterion:
        """`finding`."""
        tests = self.shown(entry, steps)
        if not tests:
            self.problems.add(self.document, steps, "what must the finding show?", "add `is`, or a bound")
        tests += self._windows(entry, steps, {"within": run.dated})
        tests.append(self.since(entry.since, steps))
        if entry.newer_than_the_end_of:
            tests.append(run.newer_than_end(self._ends(entry, steps)))
        compiled = self.records(entry, steps, Kind.FINDING, entry.finding, tests, entry.on == "that side")
        compiled.ends = self._ends(entry, steps) if entry.newer_than_the_end_of else None
        return compiled

    def _ends(self, entry: schema.Shown, steps: Steps) -> run.Ends:
        concepts = sorted(self.concepts(entry.newer_than_the_end_of, (*steps, "newer than the end of")))
        return run.Ends(tuple(concepts), self.needs(Kind.CONDITION, concepts, steps))

    def latest_finding(self, entry: schema.LatestFindingEntry, steps: Steps) -> Criterion:
        """`latest finding`."""
        tests: list[run.Test | None] = self.shown(entry, steps)
        if entry.recorded:
            tests.append(run.is_legible)
        if not tests:
            self.problems.add(
                self.document, steps, "what must the latest finding show?", "add `is`, a bound, or `recorded: yes`"
            )
        self.concepts(entry.latest_finding, steps)
        return run.Latest(
            aloud(entry, self.names),
            tuple(entry.latest_finding),
            self.needs(Kind.FINDING, entry.latest_finding, steps),
            tuple(test for test in tests if test is not None),
            self.window(entry.within, (*steps, "within")),
            self._ends(entry, steps) if entry.newer_than_the_end_of else None,
            entry.on == "that side",
            self.moment(entry.since, (*steps, "since")) if entry.since else None,
        )

    def falling(self, entry: schema.FallingFindingEntry, steps: Steps) -> run.Falling:
        """`falling finding`."""
        self.concepts(entry.falling_finding, steps)
        return run.Falling(
            aloud(entry, self.names),
            tuple(entry.falling_finding),
            self.needs(Kind.FINDING, entry.falling_finding, steps),
            self.number(entry.by_at_least, (*steps, "by at least"), _MEASURES) or 0.0,
            self.days(entry.over_at_most, (*steps, "over at most")) or Window(0),
            self.window(entry.latest_within, (*steps, "latest within")),
            self.window(entry.both_within, (*steps, "both within")),
            entry.on == "that side",
        )

    def since(self, name: str | None, steps: Steps) -> run.Test | None:
        """The test that a record is dated since a moment."""
        moment = self.moment(name, (*steps, "since")) if name else None
        return run.dated_since(moment) if moment else None

    def done(self, entry: schema.DoneEntry, steps: Steps) -> Criterion:
        """`done`."""
        tests = [*self._windows(entry, steps, {"within": run.dated}), self.since(entry.since, steps)]
        return self.records(entry, steps, Kind.DONE, entry.done, tests, entry.on == "that side")

    def order(self, names: list[str], first: run.Test, entry: schema.OrderOptions, steps: Steps) -> Criterion:
        """`open order` and `earlier order`."""
        tests: list[run.Test | None] = [
            first,
            *self._windows(entry, steps, {"within": run.dated}),
            self.since(entry.since, steps),
        ]
        if entry.priority_at_least:
            tests.append(run.has_priority(Priority[entry.priority_at_least.upper()]))
        if entry.for_:
            tests.append(run.given_for(self.concepts(entry.for_, (*steps, "for"))))
        return self.records(entry, steps, Kind.ORDER, names, tests, entry.on == "that side")

    def open_order(self, entry: schema.OpenOrderEntry, steps: Steps) -> Criterion:
        """`open order`."""
        return self.order(entry.open_order, run.is_other_order, entry, steps)

    def earlier_order(self, entry: schema.EarlierOrderEntry, steps: Steps) -> Criterion:
        """`earlier order`."""
        return self.order(entry.earlier_order, run.is_earlier_order, entry, steps)

    def drafted(self, entry: schema.DraftedEntry, steps: Steps) -> Criterion:
        """`drafted`: the drafts come with the call, so no need can be missing."""
        compiled = self.records(entry, steps, Kind.ORDER, entry.drafted, [run.is_judged_draft])
        compiled.needs = frozenset()
        return compiled

    def in_use(self, entry: schema.InUseEntry, steps: Steps) -> Criterion:
        """`in use`."""
        stopped = self.window(entry.stopped_within, (*steps, "stopped within"))
        test = run.stopped_within(stopped) if stopped else run.is_in_use
        tests = [test, *self._windows(entry, steps, {"used_within": run.dated})]
        return self.records(entry, steps, Kind.DEVICE, entry.in_use, tests, entry.on == "that side")

    def refused(self, entry: schema.RefusedEntry, steps: Steps) -> Criterion:
        """`refused`."""
        tests: list[run.Test | None] = [run.says_why] if entry.with_reason else []
        return self.records(entry, steps, Kind.REFUSAL, entry.refused, tests, entry.on == "that side")

    def that_draft(self, entry: schema.ThatDraftEntry, steps: Steps) -> Criterion:
        """`that draft`."""
        wanted, place = entry.that_draft, (*steps, "that draft")
        tests: list[run.Test] = []
        moments: tuple[Moment, ...] = ()
        if wanted.is_:
            tests.append(run.means(self.concepts(wanted.is_, (*place, "is"))))
        if wanted.is_not:
            tests.append(run.means_none_of(self.concepts(wanted.is_not, (*place, "is not"))))
        if wanted.planned_before:
            moments = tuple(
                m for n in wanted.planned_before.latest_of if (m := self.moment(n, (*place, "planned before")))
            )
            plus = self.days(wanted.planned_before.plus, (*place, "planned before", "plus"))
            tests.append(run.planned_before(moments, plus or Window(0)))
        if wanted.for_:
            tests.append(run.given_for(self.concepts(wanted.for_, (*place, "for"))))
        if wanted.for_or_without_reason:
            tests.append(run.given_for(self.concepts(wanted.for_or_without_reason, place), or_no_reason=True))
        if wanted.replaces_another is not None:
            tests.append(run.replaces_another(wanted.replaces_another))
        if not tests:
            self.problems.add(
                self.document, place, "what must the draft be like?", "add `is`, `planned before`, `for` …"
            )
        return run.ThatDraft(aloud(entry, self.names), tuple(tests), moments)

    def at_moment(self, entry: schema.MomentTest, steps: Steps) -> Criterion:
        """`moment`."""
        moment = self.moment(entry.moment, (*steps, "moment"))
        within = self.window(entry.within, (*steps, "within"))
        at_least = self.window(entry.at_least, (*steps, "at least"))
        more = self.window(entry.more_than, (*steps, "more than"))
        if sum(name is not None for name in (entry.within, entry.at_least, entry.more_than)) != 1:
            self.problems.add(self.document, steps, "give one window", "`within`, `at least` or `more than`")
        if moment is None:
            return run.AnyOf(entry.moment, ())
        return run.AtMoment(aloud(entry, self.names), moment, within, longer_than(more) if more else at_least)

    def age(self, entry: schema.AgeEntry, steps: Steps) -> Criterion:
        """`age`."""
        low = self.number(entry.age.at_least, (*steps, "age", "at least"), ("years",))
        under = self.number(entry.age.under, (*steps, "age", "under"), ("years",))
        if (low is None) == (under is None):
            self.problems.add(self.document, steps, "give one bound of age", "`at least` or `under`")
        needs = self.names.needs_for("patient", [""])
        return run.Age(
            aloud(entry, self.names), needs, None if low is None else int(low), None if under is None else int(under)
        )

    def hook(self, entry: schema.HookEntry, _: Steps) -> Criterion:
        """`hook`."""
        return run.AtHook(aloud(entry, self.names), frozenset(entry.hook))

    def deceased(self, entry: schema.DeceasedEntry, _: Steps) -> Criterion:
        """`deceased`."""
        return run.Deceased(aloud(entry, self.names), self.names.needs_for("patient", [""]))

    def sides_with(self, entry: schema.SidesWithEntry, steps: Steps) -> Criterion:
        """`sides with`."""
        wanted: set[Side] = set()
        for pattern in entry.are:
            wanted |= {Side.RIGHT, Side.LEFT} if pattern == "one" else {_PATTERNS[pattern]}
        return run.SidesWith(
            aloud(entry, self.names), self._named(entry.sides_with, (*steps, "sides with")), frozenset(wanted)
        )


_COMPILERS: dict[type, Callable[..., Criterion]] = {
    schema.AllOf: CriteriaCompiler.joined,
    schema.AnyOf: CriteriaCompiler.joined,
    schema.NoneOf: CriteriaCompiler.joined,
    schema.ConditionEntry: CriteriaCompiler.condition,
    schema.FindingEntry: CriteriaCompiler.finding,
    schema.LatestFindingEntry: CriteriaCompiler.latest_finding,
    schema.FallingFindingEntry: CriteriaCompiler.falling,
    schema.DoneEntry: CriteriaCompiler.done,
    schema.OpenOrderEntry: CriteriaCompiler.open_order,
    schema.EarlierOrderEntry: CriteriaCompiler.earlier_order,
    schema.DraftedEntry: CriteriaCompiler.drafted,
    schema.InUseEntry: CriteriaCompiler.in_use,
    schema.RefusedEntry: CriteriaCompiler.refused,
    schema.ThatDraftEntry: CriteriaCompiler.that_draft,
    schema.MomentTest: CriteriaCompiler.at_moment,
    schema.AgeEntry: CriteriaCompiler.age,
    schema.HookEntry: CriteriaCompiler.hook,
    schema.DeceasedEntry: CriteriaCompiler.deceased,
    schema.SidesWithEntry: CriteriaCompiler.sides_with,
}
