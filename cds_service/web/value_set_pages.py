"""The coverage page, and one page for each value set: which codes are recognised, and which are missing."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.knowledge.pages.value_sets import CoverageContent, CoverageRow, SystemCodes, ValueSetContent
from cds_service.web.html import Child, join, tag
from cds_service.web.parts import items, links_to, page, pairs, section, table, value_set_link


def coverage_page(it: CoverageContent) -> str:
    """Value sets by code systems."""
    about = f"Knowledge {it.stamp.fingerprint}, {it.stamp.date.isoformat()}."
    words = (
        f"{len(it.rows)} value sets. Each number counts the codes that are recognised, those of included sets and of "
        "expanded hierarchies too; a hyphen says that the set has none in that system. The last column counts the "
        "recommendations that use it. What was wanted and found in no verified table is never guessed: it is missing."
    )
    missing = [row for row in it.rows if row.not_coded]
    body: list[Child] = [
        tag("h1", "Value sets and coverage"),
        tag("p", words, class_="lead"),
        section("What is recognised", _matrix(it)),
        section("What is missing", *_missing(missing)),
        section("Code systems", _systems(it)),
    ]
    return page("Value sets and coverage", body, about=about)


def _matrix(it: CoverageContent) -> Child:
    systems = [system.name for system in it.systems]
    heads = ("Value set", *systems, "Missing", "Used by")
    rows = (
        (
            value_set_link(row.name),
            *(str(row.counts.get(system, "-")) for system in systems),
            str(len(row.not_coded) or "-"),
            str(len(row.used_by) or "-"),
        )
        for row in it.rows
    )
    return tag("div", table(heads, rows, numbers=range(1, len(heads))), class_="matrix")


def _missing(rows: list[CoverageRow]) -> Iterator[Child]:
    yield table(("Value set", "Wanted, not found"), ((value_set_link(r.name), items(r.not_coded)) for r in rows))


def _systems(it: CoverageContent) -> Child:
    rows = ((s.name, tag("code", s.uri), str(s.codes), s.version, s.licence) for s in it.systems)
    return table(("System", "Address", "Codes", "Version", "Licence"), rows, numbers=(2,))


def value_set_page(it: ValueSetContent) -> str:
    """One value set."""
    facts = pairs(
        [
            ("Name in the criteria", it.name),
            ("Steward", f"{it.steward}, status {it.status}"),
            ("Used by", links_to(it.used_by)),
            ("Includes", join((value_set_link(name) for name in it.includes), ", ")),
            ("Does not count at", join((value_set_link(name) for name in it.not_at), ", ")),
            ("Recorded in", ", ".join(it.recorded_in)),
            ("Read on a scale", it.scale),
            ("Words that name it as a cause", ", ".join(it.words_in_a_stated_cause)),
        ]
    )
    body: list[Child] = [
        tag("p", "Value set", class_="id"),
        tag("h1", it.title),
        tag("p", it.purpose, class_="lead"),
        facts,
        section("Sources", items(it.sources)),
        *(section(codes.system, *_codes(codes)) for codes in it.systems),
        section("Missing", *_not_coded(it)),
    ]
    return page(it.title, body, about=f"Knowledge {it.stamp.fingerprint}, {it.stamp.date.isoformat()}.")


def _codes(it: SystemCodes) -> Iterator[Child]:
    yield tag("p", tag("code", it.uri), f". Version: {it.version}. Licence: {it.licence}.", class_="quiet")
    rows = (
        (
            tag("code", row.code),
            row.display,
            row.side,
            ", ".join(_conditions(row.only_when_text_says, row.and_every_code_below)),
        )
        for row in it.codes
    )
    yield table((f"Code ({len(it.codes)})", "Display", "Side", "Counts"), rows)


def _conditions(words: tuple[str, ...], below: bool) -> Iterator[str]:
    if words:
        yield f"only where its words or site say {' or '.join(words)}"
    if below:
        yield "with every code below it"


def _not_coded(it: ValueSetContent) -> Iterator[Child]:
    yield items(it.not_coded) if it.not_coded else tag("p", "Nothing that was wanted is missing.", class_="lead")
