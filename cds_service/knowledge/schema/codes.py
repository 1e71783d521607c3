"""Value sets, code systems, codings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cds_service.knowledge.schema.entry import Entry, Name, Names, Sentence


class CodeEntry(Entry):
    """One code of a value set."""

    system: Name
    code: Name
    display: str | None = None
    descendants: bool = False
    side: Literal["right", "left", "both"] | None = None
    only_when_text_says: Names | None = None


class NotCodedEntry(Entry):
    """A code that was wanted and not found in a verified table: never guessed."""

    system: Name
    wanted: Sentence


class ScaleEntry(Entry):
    """The grades a finding is read on: whole numbers, with the words around them ("4/5", "4-")."""

    lowest: int
    highest: int


class PlausibleEntry(Entry):
    """The numbers and units in which a finding is understood; what lies outside or has another unit is not read."""

    lowest: int | float
    highest: int | float
    units: list[str]


class ValueSetEntry(Entry):
    """One file of `value_sets/`: codes that mean one thing."""

    name: Name
    title: Sentence
    purpose: Sentence
    steward: Name
    status: Literal["draft", "active", "retired"]
    sources: Annotated[list[Name], Field(min_length=1)]
    includes: list[Name] = []
    codes: list[CodeEntry] = []
    not_at: list[Name] = []
    recorded_in: list[Name] = []
    scale: ScaleEntry | None = None
    plausible: PlausibleEntry | None = None
    words_in_a_stated_cause: list[Name] = []
    not_coded: list[NotCodedEntry] = []


class CodeSystemEntry(Entry):
    """One code system of `code_systems/systems.yaml`."""

    uri: Annotated[str, Field(pattern=r"^(https?://|urn:)")]
    aliases: list[Name] = []
    ignore_dots: bool = False
    table: Name | None = None
    version: Sentence | None = None
    licence: Sentence


class CodingEntry(Entry):
    """A coding that a card or an order carries."""

    system: Name
    code: Name
    display: Sentence | None = None
