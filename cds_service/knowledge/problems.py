"""Collecting what is wrong with ``cards/``, so that an author sees all of it at once."""

from __future__ import annotations

import difflib
import string
from collections.abc import Collection, Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cds_service.errors import KnowledgeError
from cds_service.knowledge.document import Document, Steps
from cds_service.knowledge.schema import OPERATORS, known_keys

_REMEDIES = {
    "extra_forbidden": "this key is not known here",
    "missing": "this key is missing",
}


class Problems:
    """A list of problems with their places."""

    def __init__(self) -> None:
        """Start with none."""
        self.found: list[KnowledgeError] = []
        self.warnings: list[KnowledgeError] = []

    def add(self, document: Document, steps: Steps, problem: str, remedy: str = "") -> None:
        """Note one problem at a key of a file."""
        self.found.append(_error(document, steps, problem, remedy))

    def warn(self, document: Document, steps: Steps, problem: str, remedy: str = "") -> None:
        """Note something that does not stop the knowledge from being used."""
        self.warnings.append(_error(document, steps, problem, remedy))

    def unknown(self, document: Document, steps: Steps, what: str, name: str, known: Iterable[str]) -> None:
        """Note a name that nothing bears, with the nearest that something does."""
        near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
        remedy = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else "check the spelling, or add it"
        self.add(document, steps, f"no {what} is called {name!r}", remedy)

    def check_slots(self, document: Document, steps: Steps, text: str, known: Collection[str]) -> None:
        """Note where a text has a slot that nothing fills, a brace that is not closed, or HTML."""
        try:
            used = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
        except ValueError:
            self.add(document, steps, "a brace is not closed", "write a slot as {name}")
            return
        for name in used:
            if name not in known:
                self.unknown(document, steps, "slot", name, known)
        if "<" in text.replace("<=", "").replace("< ", "") and ">" in text:
            self.add(document, steps, "HTML is not allowed in a card", "use Markdown")

    def validated(self, entry: type[Any], document: Document, steps: Steps = ()) -> Any:
        """The file's data as a type of the schema, or None with its problems noted."""
        data = document.data
        for step in steps:
            data = data[step]
        try:
            return TypeAdapter(entry).validate_python(data)
        except ValidationError as error:
            for detail in error.errors():
                self._note(document, steps, dict(detail))
            return None

    def _note(self, document: Document, steps: Steps, detail: dict[str, Any]) -> None:
        place = _yaml_steps(document, (*steps, *detail["loc"]))
        kind = detail["type"]
        if kind in ("extra_forbidden", "missing"):
            key = str(detail["loc"][-1])
            place = (*place, key) if kind == "missing" else place
            self.add(document, place, f"{_REMEDIES[kind]}: {key!r}", _expected(key, kind))
        elif kind == "operator":
            self.add(document, place, "this is not one criterion", _operators_hint(detail.get("input")))
        else:
            said = detail["msg"].removeprefix("Value error, ")
            self.add(document, place, said[:1].lower() + said[1:], "")


def _error(document: Document, steps: Steps, problem: str, remedy: str) -> KnowledgeError:
    key = ".".join(str(step + 1) if isinstance(step, int) else step for step in steps)
    return KnowledgeError(
        problem, file=document.name, line=document.line(steps), key=key or None, remedy=remedy or None
    )


def _yaml_steps(document: Document, loc: Steps) -> Steps:
    """Pydantic's path without the names of union members, which stand in no file."""
    steps: Steps = ()
    for step in loc:
        if (*steps, step) in document.lines:
            steps = (*steps, step)
    return steps


def _expected(key: str, kind: str) -> str:
    if kind == "missing":
        return "add it"
    near = difflib.get_close_matches(key, known_keys(), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(repr(n) for n in near)}?" if near else "take it out, or see cards/README.md"


def _operators_hint(value: Any) -> str:
    keys = list(value) if isinstance(value, dict) else []
    near = [n for key in keys for n in difflib.get_close_matches(str(key), list(OPERATORS), n=1, cutoff=0.5)]
    if near:
        return f"did you mean {near[0]!r}? One operator a line"
    return f"start the line with one of: {', '.join(OPERATORS)}"
