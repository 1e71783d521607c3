"""``definitions.yaml`` → moments, named definitions and gates that run."""

from __future__ import annotations

from cds_service.domain import criteria as run
from cds_service.domain.moments import Extreme, FallOf, LatestOf, NamedMoment, Source, onset_of, recording_of
from cds_service.domain.situation import Criterion
from cds_service.knowledge import schema
from cds_service.knowledge.criteria_compiler import CriteriaCompiler
from cds_service.knowledge.document import Document, Steps
from cds_service.knowledge.names import Names
from cds_service.knowledge.problems import Problems

_FOR_ADULTS = "for adults only"


class DefinitionsCompiler:
    """Compiles one ``definitions.yaml``; what is compiled is found by its name."""

    def __init__(self, document: Document, entry: schema.DefinitionsFile, names: Names, problems: Problems) -> None:
        """Nothing is compiled before ``compile``."""
        self.document = document
        self.entry = entry
        self.names = names
        self.problems = problems
        self.criteria = CriteriaCompiler(document, names, problems, self.find)
        self._compiling: list[str] = []
        self._gates: list[tuple[schema.GateEntry, Criterion]] = []

    def compile(self) -> None:
        """Moments first, since definitions speak of them; then every definition; then the gates."""
        self.names.caveats = self.entry.caveats
        for name, moment in self.entry.moments.items():
            self._moment(name, moment, ("moments", name))
        self.names.says = {name: definition.says for name, definition in self.entry.definitions.items()}
        self.names.says |= {f"gate: {gate.name}": gate.says for gate in self.entry.gates}
        for name in self.entry.definitions:
            self.find(name)
        self._gates = [(gate, self._gate(gate, index)) for index, gate in enumerate(self.entry.gates)]

    def gates_of(self, recommendation: schema.RecommendationEntry) -> tuple[Criterion, ...]:
        """The gates that can silence a recommendation."""
        return tuple(
            criterion
            for gate, criterion in self._gates
            if recommendation.sort in gate.silences
            or (_FOR_ADULTS in gate.silences and not recommendation.also_for_children)
        )

    def _gate(self, gate: schema.GateEntry, index: int) -> Criterion:
        name = f"gate: {gate.name}"
        return run.Definition(name, name, self.criteria.compile_all(gate.when, ("gates", index, "when")))

    def _moment(self, name: str, entry: schema.MomentEntry, steps: Steps) -> None:
        sources = [self._source(s, (*steps, "first known of", i)) for i, s in enumerate(entry.first_known_of)]
        others = [self.criteria.moment(other, (*steps, "latest of", i)) for i, other in enumerate(entry.latest_of)]
        if others:
            sources.append(LatestOf(tuple(other for other in others if other)))
        if not sources:
            remedy = "`first known of` or `latest of`"
            self.problems.add(self.document, steps, "this moment is found nowhere", remedy)
        back = self.criteria.days(entry.look_back_when_unknown, (*steps, "look back when unknown"))
        named = NamedMoment(name, entry.says, tuple(s for s in sources if s), back)
        self.names.moments[name] = named
        self.names.written[id(named)] = named, entry

    def _source(self, entry: schema.MomentSource, steps: Steps) -> Source | None:
        if entry.fall:
            fall = self.criteria.falling(entry.fall, (*steps, "fall"))
            self.names.written[id(fall)] = fall, entry.fall
            return FallOf(fall)
        for key in ("earliest_date_of", "latest_date_of", "earliest_recording_of", "latest_recording_of"):
            value = getattr(entry, key)
            if value is None:
                continue
            records = self.criteria.compile(value, (*steps, key.replace("_", " ")))
            if not isinstance(records, run.Records):
                remedy = "use `condition`, `finding` or `done`"
                self.problems.add(self.document, steps, "a moment is the date of records", remedy)
                return None
            return Extreme(records, recording_of if "recording" in key else onset_of, key.startswith("latest"))
        self.problems.add(self.document, steps, "this says no moment", "`earliest date of: …`")
        return None

    def find(self, name: str) -> Criterion | None:
        """A named definition, compiled when first asked for; a circle is refused."""
        if name in self.names.definitions:
            return self.names.definitions[name]
        entry, steps = self.entry.definitions.get(name), ("definitions", name)
        if entry is None:
            return None
        if name in self._compiling:
            circle = " → ".join(self._compiling)
            self.problems.add(self.document, steps, f"{name!r} leans on itself: {circle}", "break the circle")
            return run.AnyOf(name, ())
        self._compiling.append(name)
        parts = [
            make(text, tuple(self.criteria.compile(e, (*steps, key, i)) for i, e in enumerate(entries)))
            for key, make, text, entries in (
                ("all", run.All, "all of", entry.all),
                ("any", run.AnyOf, "any of", entry.any),
                ("none", run.NoneOf, "none of", entry.none),
            )
            if entries
        ]
        if not parts:
            self.problems.add(self.document, steps, "this definition says nothing", "add `any`, `all` or `none`")
        self._compiling.pop()
        body: Criterion = parts[0] if len(parts) == 1 else run.All("all of", tuple(parts))
        self.names.definitions[name] = run.Definition(name, name, body)
        return self.names.definitions[name]
