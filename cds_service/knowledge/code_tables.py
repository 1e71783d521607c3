"""Code systems and value sets → one table from code to meaning, hierarchies expanded."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cds_service.domain.codes import CodeSystem, CodeTable, Meaning
from cds_service.domain.sides import SIDES_BY_NAME, Side
from cds_service.knowledge.document import Document
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.schema import CodeEntry, CodeSystemEntry, ValueSetEntry


@dataclass(frozen=True, slots=True)
class Title:
    """A code's own title and the side it names."""

    side: Side
    title: str


@dataclass(frozen=True, slots=True)
class Tables:
    """The code systems, and for those with a table the title of every code of ours."""

    systems: Mapping[str, CodeSystem]
    titles: Mapping[str, Mapping[str, Title]]


def read_tables(folder: Path, entries: Mapping[str, CodeSystemEntry]) -> Tables:
    """Read the tables that ``systems.yaml`` names; the side column is kept for laterality."""
    systems, titles = {}, {}
    for name, entry in entries.items():
        systems[name] = CodeSystem(name, entry.uri, tuple(entry.aliases), entry.ignore_dots)
        if entry.table:
            titles[name] = dict(_rows(folder / entry.table))
    return Tables(systems, titles)


def _rows(path: Path) -> Iterator[tuple[str, Title]]:
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            yield row["code"], Title(SIDES_BY_NAME.get(row["side"], Side.UNSPECIFIED), row["title"])


@dataclass(slots=True)
class ValueSetFile:
    """A value set with the file it came from."""

    document: Document
    entry: ValueSetEntry


class TableBuilder:
    """Gathers the meanings of all value sets."""

    def __init__(self, tables: Tables, files: Mapping[str, ValueSetFile], problems: Problems) -> None:
        """Nothing is expanded until ``build``."""
        self.tables = tables
        self.files = files
        self.problems = problems
        self._meanings: dict[tuple[str, str], dict[str, Meaning]] = {}
        self._families: dict[tuple[str, str], dict[str, Meaning]] = {}

    def build(self) -> CodeTable:
        """Every code of every value set, those it includes as well."""
        for name, file in self.files.items():
            for member in self._members(name, ()):
                self._add_all(name, self.files[member], report=member == name)
            self._check_names(file)
        meanings = {key: tuple(found.values()) for key, found in self._meanings.items()}
        families = {key: tuple(found.values()) for key, found in self._families.items()}
        return CodeTable(self.tables.systems.values(), meanings, families)

    def _check_names(self, file: ValueSetFile) -> None:
        for key in ("includes", "not_at"):
            for index, name in enumerate(getattr(file.entry, key)):
                if name not in self.files:
                    self.problems.unknown(file.document, (key.replace("_", " "), index), "value set", name, self.files)

    def _members(self, name: str, above: tuple[str, ...]) -> Iterator[str]:
        """A value set and all it includes; a circle is passed over once."""
        if name in above or name not in self.files:
            return
        yield name
        for included in self.files[name].entry.includes:
            yield from self._members(included, (*above, name))

    def _add_all(self, concept: str, file: ValueSetFile, *, report: bool) -> None:
        for index, code in enumerate(file.entry.codes):
            system = self.tables.systems.get(code.system)
            if system is None:
                if report:
                    self.problems.unknown(
                        file.document, ("codes", index, "system"), "code system", code.system, self.tables.systems
                    )
                continue
            expanded = list(self._expanded(code))
            for value, side in expanded:
                self._add(concept, system, value, code, side)
            if not expanded and report:
                self.problems.add(
                    file.document,
                    ("codes", index, "code"),
                    f"{code.code!r} stands in no table of {code.system}",
                    "check the code, or add it to the table with its title",
                )

    def _add(self, concept: str, system: CodeSystem, value: str, code: CodeEntry, side: Side) -> None:
        side = SIDES_BY_NAME[code.side] if code.side else side
        key = (system.uri, system.normalise(value))
        meaning = Meaning(concept, side, tuple(code.only_when_text_says or ()))
        tables = [self._meanings]
        if code.descendants and code.system not in self.tables.titles:
            tables.append(self._families)
        for table in tables:
            kept = table.setdefault(key, {}).get(concept)
            if kept is None or kept.words:  # a code that counts without words counts
                table[key][concept] = meaning

    def _expanded(self, code: CodeEntry) -> Iterator[tuple[str, Side]]:
        titles = self.tables.titles.get(code.system)
        if titles is None:
            yield code.code, Side.UNSPECIFIED
            return
        if code.code in titles:
            yield code.code, titles[code.code].side
        if code.descendants:
            for value, title in titles.items():
                if value.startswith(code.code) and value != code.code:
                    yield value, title.side
