"""Clinical codes as types that refuse what is malformed, and the table that turns codes into concepts.

A *concept* is the name of a value set: a thing a clinician would say. The table is built once at load; a look-up is
one dictionary access on the normalised system and code.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cds_service.domain.sides import Side


class Coding(NamedTuple):
    """System, code and display, as FHIR and CDS Hooks have it."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system with every URI under which real feeds send it."""

    name: str
    uri: str
    aliases: tuple[str, ...] = ()
    ignores_dots: bool = False
    titles: Mapping[str, str] | None = None

    def normalise(self, code: str) -> str:
        """The code as the table spells it: where dots are decoration, without them and in upper case."""
        code = code.strip()
        return code.replace(".", "").upper() if self.ignores_dots else code


class Meaning(NamedTuple):
    """What one code means here: a concept, the side it names, and words without which it does not count."""

    concept: str
    side: Side = Side.UNSPECIFIED
    words: tuple[str, ...] = ()


class CodeTable:
    """Every code the knowledge recognises. Immutable after construction."""

    def __init__(
        self,
        systems: Iterable[CodeSystem],
        meanings: Mapping[tuple[str, str], tuple[Meaning, ...]],
        families: Mapping[tuple[str, str], tuple[Meaning, ...]] | None = None,
    ) -> None:
        """Build from meanings by (canonical URI, normalised code); ``families`` mean every code below theirs too."""
        self._families: dict[str, dict[str, tuple[Meaning, ...]]] = {}
        self._systems: dict[str, CodeSystem] = {}
        self._plain: dict[str, dict[str, tuple[Meaning, ...]]] = {}
        self._dotted: dict[str, dict[str, tuple[Meaning, ...]]] = {}
        for system in systems:
            codes = {code: found for (uri, code), found in meanings.items() if uri == system.uri}
            below = {code: found for (uri, code), found in (families or {}).items() if uri == system.uri}
            for uri in (system.uri, *system.aliases):
                self._systems[uri] = system
                if below:
                    self._families[uri] = below
                (self._dotted if system.ignores_dots else self._plain)[uri] = codes

    def system(self, uri: str) -> CodeSystem | None:
        """The code system behind a URI, an OID or a versioned SNOMED CT URI."""
        return self._systems.get(uri) or self._systems.get(_unversioned(uri))

    def with_local_codes(self, local: Mapping[Coding, tuple[Meaning, ...]]) -> CodeTable:
        """This table and codes of a site's own, each with what it means; one that stands here already means both."""
        table = copy.copy(self)
        table._learn(local)  # noqa: SLF001  # of the same class
        return table

    def _learn(self, local: Mapping[Coding, tuple[Meaning, ...]]) -> None:
        """Add local codes to a copy, whose parts are still those of the original."""
        self._systems, self._plain, self._dotted = dict(self._systems), dict(self._plain), dict(self._dotted)
        for coding, meanings in local.items():
            system = self.system(coding.system)
            if system is None:
                system = self._systems[coding.system] = CodeSystem(coding.system, coding.system)
            tables = self._dotted if system.ignores_dots else self._plain
            code = system.normalise(coding.code)
            codes = dict(tables.get(system.uri, {}))
            codes[code] = tuple(dict.fromkeys((*codes.get(code, ()), *meanings)))
            for uri in (system.uri, *system.aliases):
                tables[uri] = codes

    def everything(self) -> Iterator[tuple[CodeSystem, str, Meaning, bool]]:
        """Every code that is recognised, once for each meaning.

        Its system, the code as the table spells it, the meaning, and whether every code below it means the same.
        """
        for tables in (self._plain, self._dotted):
            for uri, codes in tables.items():
                system = self._systems[uri]
                if uri != system.uri:
                    continue
                below = self._families.get(uri, {})
                for code, meanings in codes.items():
                    yield from ((system, code, m, m in below.get(code, ())) for m in meanings)

    def look_up(self, uri: str | None, code: str) -> tuple[Meaning, ...]:
        """What a code means, or nothing. Never guesses: the system must be known and the code listed."""
        if not uri or not code:
            return ()
        codes = self._plain.get(uri)
        if codes is not None:
            return codes.get(code) or codes.get(code.strip(), ())
        codes = self._dotted.get(uri)
        if codes is not None:
            code = code.replace(".", "").strip().upper()
            return self._with_families(uri, code, codes.get(code, ())) if uri in self._families else codes.get(code, ())
        plain = _unversioned(uri)
        return self.look_up(plain, code) if plain != uri else ()

    def _with_families(self, uri: str, code: str, exact: tuple[Meaning, ...]) -> tuple[Meaning, ...]:
        """What the code itself means, and every code above it, in a system whose table we do not have."""
        families = self._families[uri]
        found = {meaning.concept: meaning for end in range(3, len(code)) for meaning in families.get(code[:end], ())}
        return tuple((found | {meaning.concept: meaning for meaning in exact}).values())


def _unversioned(uri: str) -> str:
    """``http://snomed.info/sct/731000124108`` and ``http://loinc.org/`` name the system itself."""
    uri = uri.strip().split("|", 1)[0].rstrip("/")
    head, _, tail = uri.partition("/sct/")
    return f"{head}/sct" if tail else uri
