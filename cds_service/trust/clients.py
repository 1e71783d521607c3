"""What stands in the clients file: one entry for each CDS client, by its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from cds_service.decision.rollout import ALL_LIVE, Rollout
from cds_service.errors import KnowledgeError, SettingsError
from cds_service.knowledge.document import Document, read_document
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.schema import Entry, Name

ClientId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]


class ClientEntry(Entry):
    """One client. A recommendation is switched off, or runs in shadow, for this client only."""

    switched_off: tuple[Name, ...] = ()
    in_shadow: tuple[Name, ...] = ()
    next_version_in_shadow: tuple[Name, ...] = ()


class ClientsEntry(Entry):
    """The whole file."""

    clients: dict[ClientId, ClientEntry]


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients that are registered."""

    rollouts: Mapping[str, Rollout] = field(default_factory=dict)

    def of(self, client: str) -> Rollout:
        """The rollout of a client; everything is live where nothing was set."""
        return self.rollouts.get(client, ALL_LIVE)

    def said(self) -> Iterator[str]:
        """What a log says of what does not simply speak."""
        for client, rollout in self.rollouts.items():
            for words, names in (
                ("switched off", rollout.off),
                ("in shadow", rollout.shadow),
                ("next version in shadow", rollout.next_in_shadow),
            ):
                if names:
                    yield f"client {client}: {words}: {', '.join(sorted(names))}"


def read_clients(path: Path, knowledge: Knowledge) -> Clients:
    """The clients of a file. Raises SettingsError with every problem: file, line, key and what would be right."""
    problems = Problems()
    try:
        document = read_document(path, path.parent)
    except KnowledgeError as error:
        raise SettingsError(str(error)) from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    entry: ClientsEntry | None = problems.validated(ClientsEntry, document)
    if entry is not None:
        for client, one in entry.clients.items():
            _check(client, one, document, knowledge, problems)
    if entry is None or problems.found:
        raise SettingsError("\n".join(str(problem) for problem in problems.found))
    return Clients({client: _rollout(one) for client, one in entry.clients.items()})


def _check(client: str, entry: ClientEntry, document: Document, knowledge: Knowledge, problems: Problems) -> None:
    live = [recommendation.id for recommendation in knowledge.recommendations]
    coming = list(knowledge.next_versions)
    for key, names, known, what in (
        ("switched off", entry.switched_off, live, "recommendation"),
        ("in shadow", entry.in_shadow, live, "recommendation"),
        ("next version in shadow", entry.next_version_in_shadow, coming, "next version in cards/next"),
    ):
        for index, name in enumerate(names):
            if name not in known:
                problems.unknown(document, ("clients", client, key, index), what, name, known)
    for index, name in enumerate(entry.in_shadow):
        if name in entry.switched_off:
            place = ("clients", client, "in shadow", index)
            problems.add(document, place, f"{name} is switched off as well", "keep it under one of the two")


def _rollout(entry: ClientEntry) -> Rollout:
    return Rollout(frozenset(entry.switched_off), frozenset(entry.in_shadow), frozenset(entry.next_version_in_shadow))
