"""One ValueSet for each value set. What is in it counts by its code alone; what needs words beside the code stays out.

FHIR cannot say "this code, but only where the text says so". Codes under such a condition are left out, since whoever
used the set would take them for the concept itself, and are named in its purpose. The sets are flat: descendants in a
system whose table we have are listed one by one. Where we have no table, the code itself is listed and what lies below
it is included by `concept is-a`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cds_service.fhir.export.edition import Edition, Resource, extension, filled, paragraphs, resource_id
from cds_service.knowledge.schema import CodeEntry, ValueSetEntry

_UNCLOSED: Final = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"


class Member(NamedTuple):
    """A code that counts by itself; ``open_below`` where every code below it counts and we cannot list them."""

    system: str
    code: str
    display: str
    open_below: bool = False


def value_sets(edition: Edition) -> list[Resource]:
    """Every value set of the knowledge."""
    return [_value_set(entry, edition) for entry in edition.knowledge.names.value_sets.values()]


def _value_set(entry: ValueSetEntry, edition: Edition) -> Resource:
    own, every = _members(entry, edition), _with_included_members(entry, edition)
    head = edition.head("ValueSet", resource_id(entry.name), entry.title, status=entry.status)
    included = [{"valueSet": [edition.value_set(name)]} for name in sorted(entry.includes)]
    include = [*_includes(own, edition), *included]
    return head | filled(
        description=paragraphs(f"The codes by which the service recognises: {entry.name}.", edition.notice),
        purpose=_purpose(entry, own, every),
        copyright=_copyright(entry, edition),
        compose={"inactive": True, "include": include} if include else None,
        expansion=_expansion(every, edition, head["url"]),
    )


# ---- which codes


def _members(entry: ValueSetEntry, edition: Edition) -> list[Member]:
    """The set's own codes that count by themselves."""
    alone = (code for code in entry.codes if not code.only_when_text_says)
    return _once((member for code in alone for member in _expanded(code, edition)), edition)


def _once(members: Iterable[Member], edition: Edition) -> list[Member]:
    """Each code once, by system in the order of `systems.yaml`, then by code."""
    found: dict[tuple[str, str], Member] = {}
    for member in members:
        kept = found.setdefault((member.system, member.code), member)
        found[member.system, member.code] = kept._replace(open_below=kept.open_below or member.open_below)
    order = list(edition.knowledge.names.code_systems)
    return sorted(found.values(), key=lambda m: (order.index(m.system), m.code))


def _expanded(code: CodeEntry, edition: Edition) -> Iterator[Member]:
    titles = edition.knowledge.names.titles.get(code.system)
    if titles is None:
        yield Member(code.system, code.code, code.display or "", code.descendants)
        return
    for value, row in titles.items():
        if value == code.code or (code.descendants and value.startswith(code.code)):
            yield Member(code.system, value, row.title)


def _with_included_members(entry: ValueSetEntry, edition: Edition) -> list[Member]:
    return _once((member for one in _with_included(entry, edition) for member in _members(one, edition)), edition)


def _with_included(entry: ValueSetEntry, edition: Edition, above: frozenset[str] = frozenset()) -> list[ValueSetEntry]:
    """The set and all it includes, each once."""
    found = {entry.name: entry}
    for name in entry.includes:
        if name not in above:
            below = edition.knowledge.names.value_sets[name]
            found |= {one.name: one for one in _with_included(below, edition, above | {entry.name})}
    return list(found.values())


# ---- as FHIR says it


def _includes(members: list[Member], edition: Edition) -> Iterator[Resource]:
    for system in dict.fromkeys(member.system for member in members):
        uri = edition.knowledge.names.systems[system].uri
        codes = [member for member in members if member.system == system]
        yield {"system": uri, "concept": [filled(code=m.code, display=m.display) for m in codes]}
        for member in codes:
            if member.open_below:
                yield {"system": uri, "filter": [{"property": "concept", "op": "is-a", "value": member.code}]}


def _expansion(members: list[Member], edition: Edition, url: str) -> Resource:
    """Every code we know of, included sets too, for readers without a terminology server."""
    systems = edition.knowledge.names.systems
    unclosed = any(member.open_below for member in members)
    return filled(
        extension=[extension(_UNCLOSED, valueBoolean=True)] if unclosed else [],
        identifier=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{url}|{edition.version}')}",
        timestamp=edition.date.isoformat(),
    ) | {
        "total": len(members),
        **filled(contains=[filled(system=systems[m.system].uri, code=m.code, display=m.display) for m in members]),
    }


# ---- what must be known to use it


def _purpose(entry: ValueSetEntry, own: list[Member], every: list[Member]) -> str:
    parts = [entry.purpose]
    needing_words = _needing_words(entry, every)
    if needing_words:
        parts.append(
            "Left out of this set, because these codes count only where the record's own words say so, which FHIR "
            f"cannot express: {'; '.join(needing_words)}." + ("" if every else " Nothing else is in it: it is empty.")
        )
    below = [f"{m.code} ({m.system})" for m in own if m.open_below]
    if below:
        parts.append(
            "Every code below these counts too; it is included by a filter and not listed, because the knowledge holds "
            f"no table of the system: {', '.join(below)}."
        )
    if entry.not_at:
        parts.append(f"Does not count where the record names a body site of: {', '.join(entry.not_at)}.")
    if entry.not_coded:
        wanted = "; ".join(f"{one.wanted} ({one.system})" for one in entry.not_coded)
        parts.append(f"Wanted, but without a verified code: {wanted}.")
    parts.append(f"Steward: {entry.steward}. Sources: {'; '.join(entry.sources)}.")
    return paragraphs(*parts)


def _needing_words(entry: ValueSetEntry, every: list[Member]) -> list[str]:
    alone = {(member.system, member.code) for member in every}
    return [
        f"{code.code}{' and below' if code.descendants else ''} ({code.system}): {', '.join(code.only_when_text_says)}"
        for code in entry.codes
        if code.only_when_text_says and (code.system, code.code) not in alone
    ]


def _copyright(entry: ValueSetEntry, edition: Edition) -> str:
    """The licence of every system in the set, and the version its codes were taken from."""
    used = {code.system for one in _with_included(entry, edition) for code in one.codes}
    lines = []
    for name, system in edition.knowledge.names.code_systems.items():
        if name in used:
            version = f" Version: {system.version}." if system.version else ""
            lines.append(f"{name}: {system.licence}.{version}")
    return "\n\n".join(lines)
