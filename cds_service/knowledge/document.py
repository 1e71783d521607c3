"""One YAML file with the line of every key, so that a message can say where to look."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cds_service.errors import KnowledgeError

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file's plain data and the line of each of its keys and items, by path."""

    name: str
    data: Any
    lines: dict[Steps, int]

    def line(self, steps: Steps) -> int:
        """The line of a key, or of the nearest key around it."""
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps, 1)


def read_document(path: Path, root: Path) -> Document:
    """Read one YAML file; duplicate keys, aliases and broken YAML are refused with their line."""
    name = path.relative_to(root).as_posix()
    try:
        text = path.read_text(encoding="utf-8")
        alias = next((e for e in yaml.parse(text, Loader=_Loader) if isinstance(e, yaml.AliasEvent)), None)
        if alias is not None:
            line = alias.start_mark.line + 1 if alias.start_mark else 1
            raise KnowledgeError("a YAML alias", file=name, line=line, remedy="write it out, or quote a text with *")
        node = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise KnowledgeError("not UTF-8", file=name, line=1, remedy="save the file as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not valid YAML"
        line = mark.line + 1 if mark else 1
        raise KnowledgeError(problem, file=name, line=line, remedy="mend the YAML here") from error
    lines: dict[Steps, int] = {(): 1}
    data = _plain(node, (), lines, name) if node is not None else None
    return Document(name, data, lines)


def _plain(node: yaml.Node, steps: Steps, lines: dict[Steps, int], name: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, steps, lines, name)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[(*steps, index)] = item.start_mark.line + 1
            items.append(_plain(item, (*steps, index), lines, name))
        return items
    return _scalar(node)


def _mapping(node: yaml.MappingNode, steps: Steps, lines: dict[Steps, int], name: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in result:
            raise KnowledgeError("this key stands twice", file=name, line=line, key=key, remedy="keep one of them")
        lines[(*steps, key)] = line
        result[key] = _plain(value_node, (*steps, key), lines, name)
    return result


def _scalar(node: yaml.Node) -> Any:
    """A plain value: yes and no are booleans, dates are dates, quoted text stays text."""
    constructor = yaml.constructor.SafeConstructor()
    value = constructor.construct_object(node)
    return value if isinstance(value, (str, int, float, bool, dt.date, type(None))) else str(value)


def yaml_files(folder: Path) -> Iterator[Path]:
    """All YAML files below a folder, in a stable order."""
    yield from sorted(folder.rglob("*.yaml"))
