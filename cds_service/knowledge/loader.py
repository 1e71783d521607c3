"""Reads all of ``cards/`` in the order in which its files lean on each other, and compiles it.

    code systems → value sets → parameters, orderables, reasons, evidence → services, seed → definitions →
    recommendations, next versions

Nothing is guessed and nothing is skipped: if anything is wrong, every problem is reported and nothing is served.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cds_service.domain.codes import CodeTable, Coding
from cds_service.domain.facts import Kind
from cds_service.domain.recommendations import Orderable, Recommendation
from cds_service.domain.times import Window
from cds_service.domain.vocabulary import Need, Plausible, Vocabulary
from cds_service.errors import InvalidKnowledgeError, KnowledgeError
from cds_service.knowledge import schema
from cds_service.knowledge.code_tables import TableBuilder, Tables, ValueSetFile, read_tables
from cds_service.knowledge.corrections import CorrectionsCompiler
from cds_service.knowledge.criteria_compiler import CriteriaCompiler
from cds_service.knowledge.definitions_compiler import DefinitionsCompiler
from cds_service.knowledge.document import Document, Steps, read_document, yaml_files
from cds_service.knowledge.knowledge import NEXT, Knowledge
from cds_service.knowledge.names import Names
from cds_service.knowledge.prefetch import needs_at
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.queries import problems_of, queries_of
from cds_service.knowledge.recommendation_compiler import RecommendationCompiler
from cds_service.knowledge.snooze import ReasonRule, SnoozeRules


def load_knowledge(cards: Path, *, next_versions: bool = False) -> Knowledge:
    """All of ``cards/``, compiled. Raises ``InvalidKnowledgeError`` with every problem.

    With ``next_versions`` the files of ``cards/next`` stand in the place of those that are live, to try what would be.
    """
    knowledge = Loader(cards).load()
    return knowledge.with_next_versions() if next_versions else knowledge


class Loader:
    """One reading of ``cards/``."""

    def __init__(self, cards: Path) -> None:
        """Nothing is read before ``load``."""
        if not cards.is_dir():
            raise InvalidKnowledgeError([KnowledgeError("no such folder", file=str(cards), remedy="set CDS_CARDS_DIR")])
        self.cards = cards
        self.problems = Problems()
        self.names = Names()
        self._reasons: dict[str, schema.OverrideReasonEntry] = {}

    def load(self) -> Knowledge:
        """Read, check, compile."""
        tables = self._code_systems()
        value_sets = self._value_sets()
        self.names.systems, self.names.titles = tables.systems, tables.titles
        self.names.value_sets = {name: file.entry for name, file in value_sets.items()}
        table = TableBuilder(tables, value_sets, self.problems).build()
        self.names.parameters = self._table_file("parameters.yaml", schema.ParameterEntry)
        self._orderables()
        evidence = self._table_file("evidence.yaml", schema.EvidenceEntry)
        services, words = self._file("services.yaml", schema.ServicesFile)
        seed_statements, seed = self._file("seed_statements.yaml", schema.SeedFile)
        attributes, source_attributes = self._file("source_attributes.yaml", schema.SourceAttributesFile)
        definitions, entry = self._file("definitions.yaml", schema.DefinitionsFile)
        self._stop_if_broken()
        self.names.needs = words.needs
        reasons = self._override_reasons(words)
        self._check_needs(services, value_sets)
        self._check_attributes(attributes, source_attributes)
        named = DefinitionsCompiler(definitions, entry, self.names, self.problems)
        named.compile()
        recommendations = self._recommendations("recommendations", named, evidence, seed)
        next_versions = self._recommendations(NEXT, named, evidence, seed)
        self._check_next(recommendations, next_versions)
        self._check_covered(seed_statements, seed, recommendations)
        criteria = CriteriaCompiler(services, self.names, self.problems, named.find)
        concerns = criteria.compile_any(words.concerns_us, ("concerns us",))
        criteria.days(words.review_grace, ("review grace",))
        snooze = self._snooze(criteria, words)
        corrections = CorrectionsCompiler(services, self.names, self.problems).compile(words, reasons, self._reasons)
        vocabulary = self._vocabulary(named, table, words)
        profiles = dict(self._ehr_profiles())
        self._stop_if_broken()
        every = (*recommendations, *next_versions)
        hook_needs = {s.hook: needs_at(s.hook, every, concerns, self.names) for s in words.services}
        queries = queries_of(hook_needs, words.needs)
        return Knowledge(
            fingerprint=self.fingerprint(),
            words=words,
            services=tuple(words.services),
            recommendations=recommendations,
            next_versions={recommendation.id: recommendation for recommendation in next_versions},
            concerns_us=concerns,
            vocabulary=vocabulary,
            evidence=evidence,
            topic_system=tables.systems[words.source.topics].uri,
            names=self.names,
            hook_needs=hook_needs,
            prefetch={hook: queries.prefetch(hook) for hook in hook_needs},
            ehr_profiles=profiles,
            snooze=snooze,
            corrections=corrections,
            seed=seed,
            source_attributes=source_attributes,
            warnings=tuple(self.problems.warnings),
        )

    def fingerprint(self) -> str:
        """SHA-256 over every file that takes part in decisions: path and bytes; the first 16 hex digits."""
        digest = hashlib.sha256()
        for path in sorted(p for p in self.cards.rglob("*") if p.suffix in (".yaml", ".tsv")):
            name = path.relative_to(self.cards).as_posix()
            if not name.startswith("cases/"):
                digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def _stop_if_broken(self) -> None:
        if self.problems.found:
            raise InvalidKnowledgeError(self.problems.found)

    # ---- reading files

    def _document(self, name: str) -> Document | None:
        path = self.cards / name
        if not path.is_file():
            self.problems.found.append(KnowledgeError("this file is missing", file=name, remedy="restore it"))
            return None
        try:
            return read_document(path, self.cards)
        except KnowledgeError as error:
            self.problems.found.append(error)
            return None

    def _file(self, name: str, entry: type[Any]) -> tuple[Document, Any]:
        document = self._document(name)
        if document is None:
            raise InvalidKnowledgeError(self.problems.found)
        return document, self.problems.validated(entry, document)

    def _table_file(self, name: str, entry: type[Any]) -> dict[str, Any]:
        """A file of named entries, each validated on its own."""
        document = self._document(name)
        if document is None or not isinstance(document.data, dict):
            return {}
        found = {key: self.problems.validated(entry, document, (key,)) for key in document.data}
        return {key: value for key, value in found.items() if value is not None}

    # ---- codes

    def _code_systems(self) -> Tables:
        entries = self._table_file("code_systems/systems.yaml", schema.CodeSystemEntry)
        self.names.code_systems = entries
        try:
            return read_tables(self.cards / "code_systems", entries)
        except (OSError, KeyError) as error:
            self.problems.found.append(
                KnowledgeError(
                    f"a code table cannot be read: {error}", file="code_systems/systems.yaml", remedy="check `table:`"
                )
            )
            raise InvalidKnowledgeError(self.problems.found) from error

    def _value_sets(self) -> dict[str, ValueSetFile]:
        found: dict[str, ValueSetFile] = {}
        for path in yaml_files(self.cards / "value_sets"):
            document = self._document(path.relative_to(self.cards).as_posix())
            entry = self.problems.validated(schema.ValueSetEntry, document) if document else None
            if document is None or entry is None:
                continue
            if entry.name in found:
                first = found[entry.name].document.name
                self.problems.add(
                    document, ("name",), f"{entry.name!r} is the name of {first} too", "give it another name"
                )
            found[entry.name] = ValueSetFile(document, entry)
        return found

    def coding(self, document: Document, steps: Steps, entry: schema.CodingEntry) -> Coding:
        """A coding that a card carries."""
        system = self.names.systems.get(entry.system)
        if system is None:
            self.problems.unknown(document, (*steps, "system"), "code system", entry.system, self.names.systems)
            return Coding("", entry.code)
        return Coding(system.uri, entry.code, entry.display or "")

    def _orderables(self) -> None:
        document = self._document("orderables.yaml")
        for name, entry in self._table_file("orderables.yaml", schema.OrderableEntry).items():
            if document is None:
                return
            self.names.orderables[name] = Orderable(
                name,
                entry.resource,
                entry.text,
                tuple(self.coding(document, (name, "codings", i), c) for i, c in enumerate(entry.codings)),
                self.coding(document, (name, "category"), entry.category) if entry.category else None,
                entry.sided,
                self.coding(document, (name, "body site"), entry.body_site) if entry.body_site else None,
            )

    def _override_reasons(self, words: schema.ServicesFile) -> Document | None:
        """The named reasons; the file, for what is said of its lines later on."""
        system = self.names.systems.get(words.source.override_reasons)
        entries = self._table_file("override_reasons.yaml", schema.OverrideReasonEntry)
        self._reasons = entries
        uri = system.uri if system else ""
        self.names.override_reasons = {name: Coding(uri, e.code, e.display) for name, e in entries.items()}
        return self._document("override_reasons.yaml") if entries else None

    def _snooze(self, criteria: CriteriaCompiler, words: schema.ServicesFile) -> SnoozeRules:
        """How long overrides quiet, by indicator and by reason."""
        entry = words.snooze
        after_info = criteria.days(entry.after_info, ("snooze", "after info"))
        after_warning = criteria.days(entry.after_warning, ("snooze", "after warning"))
        concepts = sorted(criteria.concepts(entry.episode_of, ("snooze", "episode of")))
        reasons = {}
        for name, reason in self._reasons.items():
            coding = self.names.override_reasons[name]
            own = criteria.days(reason.quiet_for, ("snooze",)) if reason.quiet_for else None
            reasons[coding.system, coding.code] = ReasonRule(reason.about == "patient", own.amount if own else None)
        return SnoozeRules(
            after_info.amount if after_info else 0,
            after_warning.amount if after_warning else 0,
            tuple(concepts),
            criteria.needs(Kind.CONDITION, concepts, ("snooze", "episode of")),
            reasons,
        )

    def _check_needs(self, services: Document, value_sets: Mapping[str, ValueSetFile]) -> None:
        for file in value_sets.values():
            for index, name in enumerate(file.entry.recorded_in):
                if name not in self.names.needs:
                    self.problems.unknown(file.document, ("recorded in", index), "need", name, self.names.needs)
        keys = [need.key for need in self.names.needs.values()]
        for name, need in self.names.needs.items():
            if keys.count(need.key) > 1:
                self.problems.add(
                    services, ("needs", name, "key"), f"{need.key!r} is the key of two needs", "one key, one need"
                )

    def _ehr_profiles(self) -> Iterator[tuple[str, schema.EHRProfileEntry]]:
        """The profiles by the names of their files."""
        for path in yaml_files(self.cards / "ehr_profiles"):
            document = self._document(path.relative_to(self.cards).as_posix())
            entry = self.problems.validated(schema.EHRProfileEntry, document) if document else None
            if document is None or entry is None:
                continue
            for name, answer in entry.needs.items():
                self._check_ehr_need(document, name, answer)
            yield path.stem, entry

    def _check_ehr_need(self, document: Document, name: str, answer: schema.EHRNeedEntry) -> None:
        need = self.names.needs.get(name)
        if need is None:
            self.problems.unknown(document, ("needs", name), "need", name, self.names.needs)
            return
        place = ("needs", name)
        if answer.unavailable and answer.queries:
            self.problems.add(document, place, "it is unavailable and has queries", "one of the two")
        for index, problem, remedy in problems_of(answer, need):
            self.problems.add(document, (*place, "queries", index), problem, remedy)

    def _check_attributes(self, document: Document, entry: schema.SourceAttributesFile) -> None:
        for index, attribute in enumerate(entry.attributes):
            for name in attribute.used_when_asking_for:
                if name not in self.names.value_sets:
                    place = ("attributes", index, "used when asking for")
                    self.problems.unknown(document, place, "value set", name, self.names.value_sets)

    def _check_covered(
        self, document: Document, seed: schema.SeedFile, recommendations: tuple[Recommendation, ...]
    ) -> None:
        """Every statement of the seed is behind some recommendation; one that is not is worth a warning, not a halt."""
        covered = {name for recommendation in recommendations for name in recommendation.seed_statements}
        for name in seed.statements:
            if name not in covered:
                remedy = "name it under `seed statements` of a recommendation"
                self.problems.warn(document, ("statements", name), "no recommendation carries this statement", remedy)

    # ---- recommendations

    def _recommendations(
        self,
        folder: str,
        named: DefinitionsCompiler,
        evidence: Mapping[str, schema.EvidenceEntry],
        seed: schema.SeedFile,
    ) -> tuple[Recommendation, ...]:
        """Those of a folder, in their order."""
        return tuple(sorted(self._compiled(folder, named, evidence, seed), key=lambda r: r.order))

    def _compiled(
        self,
        folder: str,
        named: DefinitionsCompiler,
        evidence: Mapping[str, schema.EvidenceEntry],
        seed: schema.SeedFile,
    ) -> Iterator[Recommendation]:
        seen: dict[str, str] = {}
        for path in yaml_files(self.cards / folder):
            document = self._document(path.relative_to(self.cards).as_posix())
            entry = self.problems.validated(schema.RecommendationEntry, document) if document else None
            if document is None or entry is None:
                continue
            if entry.id in seen:
                self.problems.add(
                    document, ("id",), f"{entry.id!r} is the id of {seen[entry.id]} too", "ids are never used twice"
                )
            seen[entry.id] = document.name
            for index, name in enumerate(entry.seed_statements):
                if name not in seed.statements:
                    place = ("seed statements", index)
                    self.problems.unknown(document, place, "seed statement", name, seed.statements)
            compiler = RecommendationCompiler(document, self.names, self.problems, named.find, evidence)
            yield compiler.compile(entry, named.gates_of(entry))

    def _check_next(self, live: tuple[Recommendation, ...], next_versions: tuple[Recommendation, ...]) -> None:
        """A next version says by its version that it is another one."""
        versions = {recommendation.id: recommendation.stewardship.version for recommendation in live}
        for recommendation in next_versions:
            version = recommendation.stewardship.version
            if versions.get(recommendation.id) == version:
                problem = f"{recommendation.id} {version} is the version that is live"
                self.problems.found.append(
                    KnowledgeError(problem, file=recommendation.path, key="version", remedy="give it a new version")
                )

    # ---- the reader's vocabulary

    def _vocabulary(self, named: DefinitionsCompiler, table: CodeTable, words: schema.ServicesFile) -> Vocabulary:
        document, reading = named.document, named.entry.reading
        for key in ("yes_means", "no_means", "laterality_parameter"):
            name = getattr(reading, key)
            self.names.used.add(("value set", name))
            if name not in self.names.value_sets:
                self.problems.unknown(
                    document, ("reading", key.replace("_", " ")), "value set", name, self.names.value_sets
                )
        window = named.criteria.days(
            reading.an_encounter_diagnosis_stays_active_for, ("reading", "an encounter diagnosis stays active for")
        )
        needs = {n: Need(n, e.key, e.resource, frozenset(e.shows), e.words) for n, e in words.needs.items()}
        return Vocabulary(
            table=table,
            needs=needs,
            yes_means=reading.yes_means,
            no_means=reading.no_means,
            laterality_parameter=reading.laterality_parameter,
            laterality_parameter_coding=self._first_coding(reading.laterality_parameter),
            encounter_diagnosis_window=window or Window(0),
            scales={n: (v.scale.lowest, v.scale.highest) for n, v in self.names.value_sets.items() if v.scale},
            not_at={n: frozenset(v.not_at) for n, v in self.names.value_sets.items() if v.not_at},
            plausible={
                n: Plausible(v.plausible.lowest, v.plausible.highest, frozenset(v.plausible.units))
                for n, v in self.names.value_sets.items()
                if v.plausible
            },
            cause_words={
                n: tuple(v.words_in_a_stated_cause)
                for n, v in self.names.value_sets.items()
                if v.words_in_a_stated_cause
            },
            side_codings={side: self._side_coding(side) for side in ("right", "left", "both")},
        )

    def _first_coding(self, name: str) -> Coding:
        value_set = self.names.value_sets.get(name)
        return self._as_coding(value_set.codes[0]) if value_set and value_set.codes else Coding("", "")

    def _side_coding(self, side: str) -> Coding:
        """The coding an order carries for a side: the first code of the set that is that side."""
        for value_set in self.names.value_sets.values():
            codes = value_set.codes
            if codes and all(c.side == side for c in codes) and not value_set.includes:
                return self._as_coding(codes[0])
        self.problems.found.append(
            KnowledgeError(
                f"no value set is the side {side!r}", file="value_sets", remedy=f"give its codes `side: {side}`"
            )
        )
        return Coding("", "")

    def _as_coding(self, code: schema.CodeEntry) -> Coding:
        return Coding(self.names.systems[code.system].uri, code.code, code.display or "")
