"""Value sets: what each recognises in which code system, and what is missing. Made from the table that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.pages.content import Stamp
from cds_service.knowledge.schema import ValueSetEntry


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code that is recognised, with what it needs beside it."""

    code: str
    display: str
    side: str = ""
    only_when_text_says: tuple[str, ...] = ()
    and_every_code_below: bool = False


@dataclass(frozen=True, slots=True)
class SystemCodes:
    """The codes of one value set in one code system."""

    system: str
    uri: str
    version: str
    licence: str
    codes: tuple[CodeRow, ...]


@dataclass(frozen=True, slots=True)
class ValueSetContent:
    """The page of one value set."""

    stamp: Stamp
    name: str
    title: str
    purpose: str
    steward: str
    status: str
    sources: tuple[str, ...]
    includes: tuple[str, ...]
    not_at: tuple[str, ...]
    recorded_in: tuple[str, ...]
    scale: str
    words_in_a_stated_cause: tuple[str, ...]
    systems: tuple[SystemCodes, ...]
    not_coded: tuple[str, ...]
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One value set in the coverage table: number of codes by code system."""

    name: str
    title: str
    counts: Mapping[str, int]
    total: int
    not_coded: tuple[str, ...]
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SystemContent:
    """A code system."""

    name: str
    uri: str
    version: str
    licence: str
    codes: int


@dataclass(frozen=True, slots=True)
class CoverageContent:
    """The coverage page."""

    stamp: Stamp
    systems: tuple[SystemContent, ...]
    rows: tuple[CoverageRow, ...]


class ValueSets:
    """The expansions of all value sets, made once."""

    def __init__(self, knowledge: Knowledge, used_by: Mapping[str, tuple[str, ...]]) -> None:
        """``used_by`` tells which recommendations ask for a value set."""
        self.knowledge = knowledge
        self.used_by = used_by
        self._codes = self._expanded()

    def _expanded(self) -> dict[str, dict[str, list[CodeRow]]]:
        names = self.knowledge.names
        displays = _displays(self.knowledge)
        found: dict[str, dict[str, list[CodeRow]]] = {}
        for system, code, meaning, below in self.knowledge.vocabulary.table.everything():
            spelling, display = displays.get((system.name, code), (code, ""))
            side = meaning.side.words if meaning.side else ""
            row = CodeRow(spelling, display, side, meaning.words, below)
            found.setdefault(meaning.concept, {}).setdefault(system.name, []).append(row)
        order = list(names.systems)
        return {
            concept: {s: sorted(by[s], key=lambda row: row.code) for s in sorted(by, key=order.index)}
            for concept, by in found.items()
        }

    def coverage(self, stamp: Stamp) -> CoverageContent:
        """Every value set, by title."""
        names = self.knowledge.names
        used: dict[str, set[str]] = {}
        for by in self._codes.values():
            for system, rows in by.items():
                used.setdefault(system, set()).update(row.code for row in rows)
        systems = tuple(
            SystemContent(name, entry.uri, entry.version or "", entry.licence, len(used[name]))
            for name, entry in names.code_systems.items()
            if name in used
        )
        entries = sorted(names.value_sets.items(), key=lambda item: item[1].title.casefold())
        return CoverageContent(stamp, systems, tuple(self._row(name, entry) for name, entry in entries))

    def _row(self, name: str, entry: ValueSetEntry) -> CoverageRow:
        counts = {system: len(rows) for system, rows in self._codes.get(name, {}).items()}
        return CoverageRow(
            name, entry.title, counts, sum(counts.values()), _not_coded(entry), self.used_by.get(name, ())
        )

    def page(self, name: str, stamp: Stamp) -> ValueSetContent:
        """One value set."""
        entry = self.knowledge.names.value_sets[name]
        scale = f"{entry.scale.lowest} to {entry.scale.highest}" if entry.scale else ""
        return ValueSetContent(
            stamp=stamp,
            name=name,
            title=entry.title,
            purpose=entry.purpose,
            steward=entry.steward,
            status=entry.status,
            sources=tuple(entry.sources),
            includes=tuple(entry.includes),
            not_at=tuple(entry.not_at),
            recorded_in=tuple(entry.recorded_in),
            scale=scale,
            words_in_a_stated_cause=tuple(entry.words_in_a_stated_cause),
            systems=tuple(self._systems(name)),
            not_coded=_not_coded(entry),
            used_by=self.used_by.get(name, ()),
        )

    def _systems(self, name: str) -> Iterator[SystemCodes]:
        for system, rows in self._codes.get(name, {}).items():
            entry = self.knowledge.names.code_systems[system]
            yield SystemCodes(system, entry.uri, entry.version or "", entry.licence, tuple(rows))


def _not_coded(entry: ValueSetEntry) -> tuple[str, ...]:
    return tuple(f"{wanted.system}: {wanted.wanted}" for wanted in entry.not_coded)


def _displays(knowledge: Knowledge) -> dict[tuple[str, str], tuple[str, str]]:
    """Spelling and display of each code: from the table of its system, else as a value set writes it."""
    names = knowledge.names
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for entry in names.value_sets.values():
        for code in entry.codes:
            key = (code.system, names.systems[code.system].normalise(code.code))
            if code.display or key not in found:
                found[key] = code.code, code.display or ""
    for system, titles in names.titles.items():
        for spelling, title in titles.items():
            found[system, names.systems[system].normalise(spelling)] = spelling, title.title
    return found
