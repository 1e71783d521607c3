"""What reading one resource needs from the rest of the call: words, time, the other resources, the counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from cds_service.domain.facts import NO_CONCEPTS, Reading
from cds_service.domain.sides import Side
from cds_service.domain.times import Now, When, parse_when
from cds_service.domain.vocabulary import Vocabulary
from cds_service.fhir import elements, shapes
from cds_service.fhir.bundles import many, read_contained
from cds_service.fhir.concepts import ConceptReader, Understood, is_text_only, says_something
from cds_service.fhir.references import Server, record_id

DO_NOT_PERFORM = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DeviceRequest.doNotPerform"
"""R5's element on an R4 resource: the one modifier extension that we know."""


class Chart:
    """The resources of one call and how to read them.

    `index` has them by ``Type/id`` and by their Bundle address. `used` has the identities of those that another one
    refers to, `described` of the devices about which a use statement speaks. `unresolved` has, by reference, the types
    of the records whose product stands in a resource that did not come: what they mean is not known.
    """

    __slots__ = (
        "_encounter",
        "_parts",
        "_server",
        "_zone",
        "codes",
        "described",
        "index",
        "now",
        "reading",
        "unresolved",
        "used",
        "vocabulary",
    )

    def __init__(
        self,
        vocabulary: Vocabulary,
        codes: ConceptReader,
        now: Now,
        zone: dt.tzinfo,
        server: Server,
        encounter_id: str | None,
    ) -> None:
        self.vocabulary = vocabulary
        self.codes = codes
        self.now = now
        self._zone = zone
        self.index: dict[str, shapes.Record] = {}
        self.reading = Reading()
        self.used: set[int] = set()
        self._parts: dict[int, dict[str, shapes.Record]] = {}
        self.described: set[int] = set()
        self.unresolved: dict[str, str] = {}
        self._server = server
        self._encounter = f"Encounter/{encounter_id}" if encounter_id else None

    def when(self, *texts: str | None) -> When | None:
        """The first of these dates that can be read."""
        for text in texts:
            if text:
                found = parse_when(text, self._zone)
                if found is not None:
                    return found
        return None

    def has_passed(self, when: When) -> bool | None:
        """Whether it lies before now; None where its month or year does not tell. Today's date has not passed."""
        if when.instant is not None:
            return when.instant < self.now.instant
        if when.latest < self.now.today:
            return True
        return False if when.earliest >= self.now.today else None

    def is_to_come(self, when: When) -> bool:
        """Whether it certainly lies after now."""
        if when.instant is not None:
            return when.instant > self.now.instant
        return when.earliest > self.now.today

    def understand(self, code: elements.Concepts, sites: elements.Concepts = None) -> Understood | None:
        """What a record's code means here, or None; a record known by its words alone is counted."""
        found = self.codes.understand(code, sites)
        if found is None:
            if is_text_only(code):
                self.reading.text_only += 1
            return None
        return found if found.concepts else None

    def is_doubtful(self, record: shapes.Record) -> bool:
        """Whether something we do not know may change what the record means."""
        known = (DO_NOT_PERFORM,) if isinstance(record, shapes.Request) else ()
        return bool(record.implicit_rules) or has_unknown_modifier(record.modifier_extension, known)

    def resolve(self, reference: str | None, holder: shapes.Record) -> shapes.Record | None:
        """The resource that `holder` refers to, contained in it or anywhere in the call. It counts as used."""
        if not reference:
            return None
        if reference.startswith("#"):
            return self._contained(reference, holder)
        found = self.index.get(reference)
        if found is None:
            local = self._server.local(reference)
            found = self.index.get(local) if local else None
        if found is not None:
            self.used.add(id(found))
        return found

    def _contained(self, reference: str, holder: shapes.Record) -> shapes.Record | None:
        parts = self._parts.get(id(holder))
        if parts is None:
            parts = self._parts[id(holder)] = {}
            for part in read_contained(holder.contained):
                parts.setdefault(record_id(part).lstrip("#"), part)
        return parts.get(reference.removeprefix("#"))

    def is_this_encounter(self, references: elements.References) -> bool:
        """Whether the record belongs to the encounter that the call is made in."""
        if self._encounter is None:
            return False
        return any(self._server.local(one.reference or "") == self._encounter for one in many(references))

    def concepts_behind(self, references: elements.References, holder: shapes.Record) -> frozenset[str]:
        """What the referenced problems and findings mean."""
        concepts = NO_CONCEPTS
        for reference in many(references):
            target = self.resolve(reference.reference, holder)
            if isinstance(target, shapes.Condition | shapes.Observation):
                found = self.codes.understand(target.code, target.body_site)
                concepts |= found.concepts if found else NO_CONCEPTS
        return concepts

    def product(self, holder: shapes.Record, references: elements.References) -> tuple[elements.Concepts, bool]:
        """The code of the Device or Medication referred to, or the reference's words; and whether it is in doubt."""
        for reference in many(references):
            target = self.resolve(reference.reference, holder)
            if isinstance(target, shapes.Device):
                return target.type, self.is_doubtful(target)
            if isinstance(target, shapes.Medication):
                return target.code, self.is_doubtful(target)
            self.leave_open(reference.reference, holder)
            if reference.display:
                return reference.display, False
        return None, False

    def leave_open(self, reference: str | None, holder: shapes.Record) -> None:
        """Note that what a record is about stands in a resource that did not come."""
        if reference:
            self.unresolved[self._server.local(reference) or reference] = holder.kind

    def parameter_side(self, pairs: Iterable[tuple[elements.Concepts, elements.Concepts]]) -> Side:
        """The side that a laterality parameter names."""
        return self.codes.side_of_parameters(pairs)

    def count_invalid(self, kind: str, times: int = 1) -> None:
        """Count resources that could not be used."""
        self.reading.invalid[kind] = self.reading.invalid.get(kind, 0) + times


def has_unknown_modifier(extensions: elements.Extensions, known: Collection[str] = ()) -> bool:
    """Whether a modifier extension is there that we do not know, or know but for its value, which is not a boolean."""
    if extensions is None:
        return False
    return any(one.url not in known or one.value_boolean is None for one in many(extensions))


def is_stated(references: elements.References) -> bool:
    """Whether a reference says anything at all."""
    return any(one.reference or one.display or one.identifier for one in many(references))


def states_reason(codes: elements.Concepts, references: elements.References) -> bool:
    """Whether an order gives any reason, be it only in words."""
    return says_something(codes) or is_stated(references)
