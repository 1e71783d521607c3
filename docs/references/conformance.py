"""docs/conformance.md: each row of tests/norms.yaml, and the tests that name it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from docs.references.markdown import code, page, table

TESTS = Path(__file__).resolve().parents[2] / "tests"
HEAD = """\
How the service stands to the CDS Hooks standard, row by row: {shown} rows are shown by tests, {excused} do not apply, \
{later} come later.

- **Built to 3.0.0**, and kept compatible with **2.0.1**. The text of 3.0.0 that was read is the one in the standard's \
repository; whether it is formally published was not known when this was written.
- **Certified by nobody.** These are our own tests, run by `make check`; no official test suite and no EHR was at hand.
- **The rows are ours.** The standard does not number its sentences. What each asks stands here in our own words; the \
standard's text counts.
- **HTTPS** is spoken by the service itself with `CDS_TLS_CERT`, or by a proxy in front: \
[operations.md](operations.md#https). Without either it speaks HTTP, and nothing in it \
stops a site from that: production needs one of the two.
- **Who calls** is authenticated where clients are registered: [clients.md](clients.md). In open mode nobody is.
- **Not served:** hooks other than the five of discovery, system actions, FHIRPath in prefetch templates, SMART links, \
Da Vinci CRD beyond what the last section shows.

The knowledge behind the cards is a draft, not clinically approved: this page is about the wire, not the advice."""
LEGEND = """\
**Keyword** is the standard's own: SHALL is asked, SHOULD recommended, MAY allowed; *conditional* is asked under a \
condition that the row names; *stated* stands in the text without a keyword. **Binds** is empty where the row binds \
the service alone. *Client* means that the row binds the client, and the service is built for it. **How we stand** \
links the tests by what their names say, three at most; `git grep 'norm.*"JSN-1"' tests` finds all of a row."""
_MOST = 3
_BINDS = {"client, and the service is built for it": "client"}
_SECTION = re.compile(r"^# --- ([A-Z]\. .+)$|^([A-Z]{3,4}-\d+):", re.MULTILINE)
Shown = dict[str, dict[str, list[str]]]


def conformance_page() -> str:
    """Every row, by section."""
    source = (TESTS / "norms.yaml").read_text(encoding="utf-8")
    norms: dict[str, Any] = yaml.safe_load(source)
    keywords = keywords_by_row()
    tests = tests_by_row()
    kinds = Counter(_standing(entry) for entry in norms.values())
    head = HEAD.format(shown=kinds["shown"], excused=kinds["not applicable"], later=kinds["later"] or "none")
    parts = [head, "## By keyword", _summary(norms, keywords), LEGEND]
    for title, rows in _sections(source).items():
        lines = (_row(row, norms[row], keywords[row], tests.get(row, {})) for row in rows)
        parts += [f"## {title}", table(("Row", "Keyword", "Binds", "Asks", "How we stand"), lines)]
    return page("Conformance statement", *parts)


def keywords_by_row() -> dict[str, dict[str, str]]:
    """Row → its `force`, and whom it `binds` and `since` when, where that is said."""
    found: dict[str, dict[str, str]] = {}
    for name, values in yaml.safe_load((TESTS / "norm_keywords.yaml").read_text(encoding="utf-8")).items():
        for value, rows in values.items():
            for row in rows:
                found.setdefault(row, {})[name] = value
    return found


def tests_by_row() -> Shown:
    """Row → file → the tests in it that name the row."""
    found: Shown = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for row, test in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            tests = found.setdefault(row, {}).setdefault(path.relative_to(TESTS).as_posix(), [])
            if test and test not in tests:
                tests.append(test)
    return found


def _marked(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        name = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == "norm":
                yield from ((str(ast.literal_eval(argument)), name) for argument in inner.args)


def _sections(source: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for title, row in _SECTION.findall(source):
        if title:
            found[title] = []
        else:
            found[list(found)[-1]].append(row)
    return found


def _standing(entry: Any) -> str:
    excuses = [name for name in ("not applicable", "later") if isinstance(entry, dict) and name in entry]
    return excuses[0] if excuses else "shown"


def _summary(norms: Mapping[str, Any], keywords: Mapping[str, Mapping[str, str]]) -> str:
    counted = Counter((keywords[row]["force"], _standing(entry)) for row, entry in norms.items())
    rows = [
        (force, *(str(counted[force, standing] or "") for standing in ("shown", "not applicable", "later")))
        for force in dict.fromkeys(keywords[row]["force"] for row in keywords)
    ]
    return table(("Keyword", "Shown by tests", "Does not apply", "Later"), rows)


def _row(row: str, entry: Any, keyword: Mapping[str, str], tests: dict[str, list[str]]) -> tuple[str, ...]:
    standing = _standing(entry)
    asks = entry if isinstance(entry, str) else entry["asks"]
    since = f" ({keyword['since']})" if "since" in keyword else ""
    stands = _links(tests) if standing == "shown" else f"**{standing.capitalize()}:** {entry[standing]}"
    binds = keyword.get("binds", "")
    return code(row), keyword["force"], _BINDS.get(binds, binds), asks + since, stands


def _links(tests: dict[str, list[str]]) -> str:
    """Some of the tests as the sentences that their names are: one of each file, then a second."""
    by_turns = sorted(
        (turn, file, name) for file, names in tests.items() for turn, name in enumerate(names or [f"all of {file}"])
    )
    shown = [f"[{_sentence(name)}](../tests/{file})" for _, file, name in by_turns[:_MOST]]
    more = len(by_turns) - len(shown)
    return "; ".join([*shown, *([f"and {more} more"] if more else [])])


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ") if name.startswith("test_") else name
