"""What is asked of a client, as plain values: FHIR reads and searches for each need, per hook."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Query:
    """One FHIR read or search: the need it is for, its prefetch key, its template before the values of a call."""

    need: str
    key: str
    resource: str
    template: str

    @property
    def is_read(self) -> bool:
        """Whether it reads one resource by id; otherwise it searches."""
        return "?" not in self.template


@dataclass(frozen=True, slots=True)
class Queries:
    """What is asked of one kind of client, per hook. A need that is ``unavailable`` there is never asked."""

    by_hook: Mapping[str, tuple[Query, ...]]
    unavailable: frozenset[str] = _NOTHING

    def prefetch(self, hook: str) -> dict[str, str]:
        """Prefetch key → template, in the order of ``services.yaml``."""
        return {query.key: query.template for query in self.by_hook.get(hook, ())}

    def of(self, hook: str, needs: Collection[str]) -> Iterator[Query]:
        """The queries of some needs at a hook."""
        return (query for query in self.by_hook.get(hook, ()) if query.need in needs)

    def keys_of(self, hook: str) -> dict[str, list[str]]:
        """The prefetch keys of each need at a hook: one, or several where its answer comes in parts."""
        keys: dict[str, list[str]] = {}
        for query in self.by_hook.get(hook, ()):
            keys.setdefault(query.need, []).append(query.key)
        return keys
