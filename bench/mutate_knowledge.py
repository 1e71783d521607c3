"""A mutation run over the knowledge: does a case notice when a recommendation is changed?

Each mutant changes one thing in one recommendation or definition: a criterion, an exclusion or a concept dropped, `all`
and `any` swapped, a threshold made one larger or smaller, a certainty or status turned, `that side` lifted. A mutant
that every case lets pass is a survivor: a case is missing, or the change makes no difference.

    python -m bench.mutate_knowledge [--out FILE] [--sample N]
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from cds_service.authoring.case_runner import DEFAULT_TIME, CaseRunner
from cds_service.authoring.cases import Case, read_cases
from cds_service.authoring.trying import Attempt
from cds_service.errors import KnowledgeError
from cds_service.knowledge import loader
from cds_service.knowledge.document import Document, read_document
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.problems import Problems
from cds_service.settings import Settings

_SWAPS = {
    "certainty": {"confirmed": "any", "suspected": "any"},
    "on": {"that side": "any side"},
    "status": {"any": "active", "not active": "any"},
    "priority at least": {"stat": "urgent", "asap": "stat", "urgent": "stat"},
    "are": {"both": "one"},
}
_JOINS = {"all": "any", "any": "all"}
_DECIDING = ("when", "unless", "indicator", "all", "any", "none", "for each", "first known of", "latest of")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: in which file, at which key, what."""

    file: str
    place: str
    change: str
    data: Any


def mutants(document: Document, roots: list[tuple[Any, ...]]) -> Iterator[Mutant]:
    """Every mutant of the deciding parts of a file."""
    for root in roots:
        for steps in _paths(_at(document.data, root), root):
            yield from _changes(document, steps)


def _at(data: Any, steps: tuple[Any, ...]) -> Any:
    for step in steps:
        data = data[step]
    return data


def _paths(value: Any, steps: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield steps
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*steps, key))


def _changes(document: Document, steps: tuple[Any, ...]) -> Iterator[Mutant]:
    parent, key = _at(document.data, steps[:-1]), steps[-1]
    value = parent[key]
    if isinstance(parent, list) and len(parent) > 1 and isinstance(value, (dict, str)) and _is_criteria(steps):
        yield _mutant(document, steps, "dropped", lambda holder: holder.pop(key))
    if key in _SWAPS and isinstance(value, str) and value in _SWAPS[key]:
        new = _SWAPS[key][value]
        yield _mutant(document, steps, f"{value} → {new}", lambda holder: holder.__setitem__(key, new))
    if key in _JOINS and isinstance(value, list) and len(value) > 1:
        yield _mutant(
            document, steps, f"{key} → {_JOINS[key]}", lambda holder: holder.__setitem__(_JOINS[key], holder.pop(key))
        )


def _is_criteria(steps: tuple[Any, ...]) -> bool:
    return any(step in _DECIDING for step in steps[:-1])


def _mutant(document: Document, steps: tuple[Any, ...], change: str, apply: Any) -> Mutant:
    data = copy.deepcopy(document.data)
    apply(_at(data, steps[:-1]))
    place = ".".join(str(step + 1) if isinstance(step, int) else str(step) for step in steps)
    return Mutant(document.name, place, change, data)


def parameter_mutants(document: Document) -> Iterator[Mutant]:
    """Each threshold one unit larger and one smaller."""
    for name, entry in document.data.items():
        for by in (-1, 1):
            data = copy.deepcopy(document.data)
            data[name]["value"] = round(entry["value"] + (by if entry["unit"] != "ratio" else by * 0.01), 2)
            yield Mutant(document.name, name, f"{entry['value']} → {data[name]['value']} {entry['unit']}", data)


class Run:
    """All cases of one folder of cards, against its mutants."""

    def __init__(self, cards: Path) -> None:
        self.cards = cards
        self.settings = Settings(max_cards=0, database_url="sqlite://")
        self.cases = list(read_cases(cards, Problems()))

    def all_mutants(self) -> Iterator[Mutant]:
        """The mutants of every recommendation, definition, moment, gate and parameter."""
        for path in sorted((self.cards / "recommendations").rglob("*.yaml")):
            document = read_document(path, self.cards)
            roots = [(key,) for key in ("when", "unless", "indicator") if key in document.data]
            yield from mutants(document, roots)
        document = read_document(self.cards / "definitions.yaml", self.cards)
        yield from mutants(
            document, [(part, name) for part in ("definitions", "moments") for name in document.data[part]]
        )
        yield from mutants(document, [("gates", index, "when") for index in range(len(document.data["gates"]))])
        yield from parameter_mutants(read_document(self.cards / "parameters.yaml", self.cards))

    def document(self, name: str) -> Document:
        """A file as it is."""
        return read_document(self.cards / name, self.cards)

    def is_noticed(self, mutant: Mutant) -> bool:
        """Whether the check refuses it, or a case gives another answer."""
        try:
            knowledge = self._load(mutant)
        except KnowledgeError:
            return True
        runner = CaseRunner(Attempt(self.settings, knowledge, DEFAULT_TIME))
        return any(self._fails(runner, case) for case in self._in_order(mutant, knowledge))

    def _load(self, mutant: Mutant) -> Knowledge:
        def read(path: Path, root: Path) -> Document:
            document = read_document(path, root)
            return Document(document.name, mutant.data, document.lines) if document.name == mutant.file else document

        with mock.patch.object(loader, "read_document", read):
            return loader.load_knowledge(self.cards)

    def _in_order(self, mutant: Mutant, knowledge: Knowledge) -> list[Case]:
        """The cases about the changed recommendation first: they are the ones that should notice."""
        changed = {r.id for r in knowledge.recommendations if r.path == mutant.file}
        return sorted(self.cases, key=lambda case: not changed & case.about)

    def _fails(self, runner: CaseRunner, case: Case) -> bool:
        try:
            return bool(runner.run(case))
        except (KnowledgeError, KeyError, ValueError):
            return True


def line(mutant: Mutant) -> str:
    """How a report names a mutant."""
    return f"- `{mutant.file}` {mutant.place}: {mutant.change}"


def main() -> int:
    """Run it, print the survivors, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=Path, default=Path(__file__).parent.parent / "cards")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--again", type=Path, help="only the survivors listed in this file of an earlier run")
    parser.add_argument("--sample", type=int, default=0, help="only so many, drawn with a fixed seed")
    options = parser.parse_args()
    run, started = Run(options.cards), time.monotonic()
    chosen = list(run.all_mutants())
    if options.again:
        listed = set(options.again.read_text(encoding="utf-8").splitlines())
        chosen = [mutant for mutant in chosen if line(mutant) in listed]
    if options.sample:
        chosen = random.Random(1).sample(chosen, min(options.sample, len(chosen)))  # not a secret
    survivors = [mutant for mutant in chosen if not run.is_noticed(mutant)]
    lines = [line(mutant) for mutant in survivors]
    print("\n".join(lines))
    print(f"{len(chosen)} mutants, {len(survivors)} survivors, {time.monotonic() - started:.0f} s")
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
