"""Everything that bears a name in ``cards/``, so that criteria can be resolved at load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.domain.codes import CodeSystem, Coding
from cds_service.domain.recommendations import Orderable
from cds_service.domain.situation import Criterion, Moment
from cds_service.domain.times import Window
from cds_service.knowledge.code_tables import Title
from cds_service.knowledge.schema import CodeSystemEntry, NeedEntry, ParameterEntry, ValueSetEntry


@dataclass(slots=True)
class Names:
    """What names stand for. Filled in the order in which files lean on each other.

    ``says`` holds the sentence of each definition and gate; ``titles`` the title of each code of a system with a table;
    ``written`` each criterion, moment, slot and planned date that runs with the entry it was made from, by its ``id``.
    """

    systems: Mapping[str, CodeSystem] = field(default_factory=dict)
    code_systems: Mapping[str, CodeSystemEntry] = field(default_factory=dict)
    titles: Mapping[str, Mapping[str, Title]] = field(default_factory=dict)
    value_sets: Mapping[str, ValueSetEntry] = field(default_factory=dict)
    parameters: Mapping[str, ParameterEntry] = field(default_factory=dict)
    needs: Mapping[str, NeedEntry] = field(default_factory=dict)
    caveats: Mapping[str, str] = field(default_factory=dict)
    orderables: dict[str, Orderable] = field(default_factory=dict)
    override_reasons: Mapping[str, Coding] = field(default_factory=dict)
    definitions: dict[str, Criterion] = field(default_factory=dict)
    moments: dict[str, Moment] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)
    says: dict[str, str] = field(default_factory=dict)
    written: dict[int, tuple[object, Any]] = field(default_factory=dict)

    def window(self, name: str) -> Window:
        """A parameter as a length of time. Raises KeyError for an unknown name, ValueError for another unit."""
        parameter = self.parameters[name]
        if parameter.unit not in ("days", "hours"):
            raise ValueError(f"is in {parameter.unit}, not in days or hours")
        return Window(int(parameter.value), parameter.unit == "hours")

    def needs_for(self, kind: str, concepts: list[str]) -> frozenset[str]:
        """The needs that can show records of this kind for these concepts."""
        found: set[str] = set()
        for concept in concepts:
            where = self.value_sets[concept].recorded_in if concept in self.value_sets else []
            found.update(n for n, need in self.needs.items() if kind in need.shows and (not where or n in where))
        return frozenset(found)
