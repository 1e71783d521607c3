"""What stands in the clients file: one entry for each CDS client, by its id."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from cds_service.decision.callers import OPEN_CLIENT
from cds_service.decision.rollout import Rollout
from cds_service.domain.codes import Coding, Meaning
from cds_service.domain.sides import SIDES_BY_NAME
from cds_service.errors import KnowledgeError, SettingsError
from cds_service.hooks.reading import is_absolute_url
from cds_service.knowledge.document import Document, Steps, read_document
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.queries import Answers, problems_of
from cds_service.knowledge.schema import Entry, Name, NeedAnswerEntry, Sentence
from cds_service.trust.jwk import DEFAULT_ALGORITHMS, Algorithm, UnusableKeysError, read_key_set
from cds_service.trust.keys import is_keys_url

ActionKind = Literal["create", "update", "delete"]
RequestKind = Literal["ServiceRequest", "DeviceRequest"]
ClientId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]


def _url(value: str) -> str:
    if not is_absolute_url(value):
        raise ValueError("is not an absolute URL such as https://ehr.example.org/fhir")
    return value.rstrip("/")


def _guarded_url(value: str) -> str:
    """An address whose answer is trusted: https, or this machine."""
    if not is_keys_url(_url(value)):
        raise ValueError("begins with https://, unless it is on this machine")
    return value


def _origin(value: str) -> str:
    if not is_absolute_url(value) or urlsplit(value).path not in ("", "/"):
        raise ValueError("is no origin such as https://ehr.example.org")
    return value.rstrip("/")


def _network(value: Any) -> str:
    return str(ipaddress.ip_network(str(value)))


URL = Annotated[str, AfterValidator(_url)]
GuardedURL = Annotated[str, AfterValidator(_guarded_url)]
OriginURL = Annotated[str, AfterValidator(_origin)]
NetworkText = Annotated[str, BeforeValidator(_network)]


class ClientNeedEntry(NeedAnswerEntry):
    """How this client's EHR answers for one need: by these queries, or not at all."""

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if bool(self.queries) == self.unavailable:
            raise ValueError("either `queries`, or `unavailable: yes`")
        return self


class LocalCodingEntry(Entry):
    """A code of the site's own. `system` is its URI, or the name of a code system of cards/."""

    system: Name
    code: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
    display: Sentence | None = None


class LocalCodeEntry(LocalCodingEntry):
    """A local code, and the code of cards/ that means the same; a side, where only the local one names it."""

    same_as: LocalCodingEntry
    side: Literal["right", "left", "both"] | None = None


class TakesEntry(Entry):
    """What the EHR can do with a suggestion: the resources it can create, the types of action it knows."""

    resources: tuple[RequestKind, ...] = ("ServiceRequest", "DeviceRequest")
    actions: tuple[ActionKind, ...] = ("create", "update", "delete")


class ClientEntry(Entry):
    """One client: who it is, what it may do, how it is asked, and how it is answered."""

    title: Sentence = ""
    # who it is
    issuer: Sentence | None = None
    keys: tuple[dict[str, Any], ...] = ()
    keys_url: GuardedURL | None = None
    algorithms: frozenset[Algorithm] = DEFAULT_ALGORITHMS
    audiences: tuple[Sentence, ...] = ()
    tenants: tuple[Name, ...] = ()
    # what it may do
    services: tuple[Name, ...] = ()
    fhir_servers: tuple[URL, ...] = ()
    networks: tuple[NetworkText, ...] = ()
    cors_origins: tuple[OriginURL, ...] = ()
    calls_a_minute: Annotated[int, Field(ge=0)] = 0
    calls_at_once: Annotated[int, Field(ge=0)] = 0
    # how it is asked
    ehr_profile: Name | None = None
    needs: dict[Name, ClientNeedEntry] = {}
    local_codes: tuple[LocalCodeEntry, ...] = ()
    # how it is answered
    orthoses_as: RequestKind | None = None
    order_catalogue: dict[Name, LocalCodingEntry] = {}
    takes: TakesEntry = TakesEntry()
    switched_off: tuple[Name, ...] = ()
    in_shadow: tuple[Name, ...] = ()
    next_version_in_shadow: tuple[Name, ...] = ()

    @field_validator("algorithms")
    @classmethod
    def _at_least_one(cls, algorithms: frozenset[str]) -> frozenset[str]:
        if not algorithms:
            raise ValueError("names no algorithm: leave it out for ES384 and RS384")
        return algorithms

    @property
    def rollout(self) -> Rollout:
        """What of the knowledge speaks for this client."""
        return Rollout(frozenset(self.switched_off), frozenset(self.in_shadow), frozenset(self.next_version_in_shadow))


class ClientsEntry(Entry):
    """The whole file."""

    clients: dict[ClientId, ClientEntry]


ANYBODY: Final = ClientEntry.model_validate({})
"""The client of open mode where there is no file."""


def read_clients(path: Path, knowledge: Knowledge) -> dict[str, ClientEntry]:
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
        _check_together(entry.clients, document, problems)
        for client, one in entry.clients.items():
            _Check(client, one, document, knowledge, problems).everything()
    if entry is None or problems.found:
        raise SettingsError("\n".join(str(problem) for problem in problems.found))
    return entry.clients


def said(clients: Mapping[str, ClientEntry]) -> Iterator[str]:
    """What a log says of the recommendations that do not simply speak."""
    for client, entry in clients.items():
        for words, names in (
            ("switched off", entry.switched_off),
            ("in shadow", entry.in_shadow),
            ("next version in shadow", entry.next_version_in_shadow),
        ):
            if names:
                yield f"client {client}: {words}: {', '.join(sorted(names))}"


def _check_together(clients: Mapping[str, ClientEntry], document: Document, problems: Problems) -> None:
    """Open mode or registered clients, not both; an issuer stands for one client."""
    seen: dict[str, str] = {}
    for client, entry in clients.items():
        place = ("clients", client)
        if client == OPEN_CLIENT:
            if len(clients) > 1:
                remedy = "take it out, or the others"
                problems.add(
                    document, place, "open mode answers anybody, so no other client can stand beside it", remedy
                )
            if entry.issuer or entry.keys or entry.keys_url:
                problems.add(document, place, "the client of open mode has no token", "give it another name")
            continue
        if not entry.issuer:
            problems.add(document, place, "it has no `issuer`, by which its tokens name it", "add it")
        elif entry.issuer in seen:
            problems.add(
                document, (*place, "issuer"), f"is the issuer of {seen[entry.issuer]} too", "one issuer, one client"
            )
        if not entry.keys and not entry.keys_url:
            problems.add(document, place, "it has neither `keys` nor `keys url`", "add one of them")
        seen.setdefault(entry.issuer or "", client)


class _Check:
    """One client's entry against the knowledge: every name in it has to be one that stands there."""

    def __init__(
        self, client: str, entry: ClientEntry, document: Document, knowledge: Knowledge, problems: Problems
    ) -> None:
        self.place: Steps = ("clients", client)
        self.entry, self.document, self.knowledge, self.problems = entry, document, knowledge, problems

    def everything(self) -> None:
        """Note every problem."""
        self._keys()
        self._rollout()
        self._names(("services",), self.entry.services, {s.id for s in self.knowledge.services}, "CDS service")
        profile = self.entry.ehr_profile
        self._names(
            ("ehr profile",), (profile,) if profile else (), self.knowledge.ehr_profiles, "EHR profile", of_a_list=False
        )
        for name, need in self.entry.needs.items():
            self._need(name, need)
        for index, code in enumerate(self.entry.local_codes):
            place = (*self.place, "local codes", index, "same as")
            if not meanings_of(code, self.knowledge):
                said = json.dumps(code.same_as.code)
                self.problems.add(
                    self.document, place, f"{said} is no code of {code.same_as.system} in cards/", "name one that is"
                )
        self._names(
            ("order catalogue",),
            self.entry.order_catalogue,
            self.knowledge.names.orderables,
            "orderable",
            of_a_list=False,
        )

    def _keys(self) -> None:
        """Each key given here can be used: one that is wrong would only show when a token names it."""
        if not self.entry.keys:
            return
        try:
            said = read_key_set({"keys": list(self.entry.keys)}).left_out
        except UnusableKeysError as error:
            said = (str(error),)
        for words in said:
            self.problems.add(self.document, (*self.place, "keys"), words, "give public keys as a JWK Set has them")

    def _rollout(self) -> None:
        live = [recommendation.id for recommendation in self.knowledge.recommendations]
        coming = list(self.knowledge.next_versions)
        self._names(("switched off",), self.entry.switched_off, live, "recommendation")
        self._names(("in shadow",), self.entry.in_shadow, live, "recommendation")
        what = "next version in cards/next"
        self._names(("next version in shadow",), self.entry.next_version_in_shadow, coming, what)
        for index, name in enumerate(self.entry.in_shadow):
            if name in self.entry.switched_off:
                place = (*self.place, "in shadow", index)
                self.problems.add(
                    self.document, place, f"{name} is switched off as well", "keep it under one of the two"
                )

    def _names(
        self, key: Steps, names: Iterable[str], known: Iterable[str], what: str, *, of_a_list: bool = True
    ) -> None:
        known = list(known)
        for index, name in enumerate(names):
            if name not in known:
                place = (*self.place, *key, index) if of_a_list else (*self.place, *key)
                self.problems.unknown(self.document, place, what, name, known)

    def _need(self, name: str, answer: ClientNeedEntry) -> None:
        place = (*self.place, "needs", name)
        need = self.knowledge.names.needs.get(name)
        if need is None:
            self.problems.unknown(self.document, place, "need", name, self.knowledge.names.needs)
            return
        for index, problem, remedy in problems_of(answer, need):
            self.problems.add(self.document, (*place, "queries", index), problem, remedy)


def coding_of(entry: LocalCodingEntry, knowledge: Knowledge) -> Coding:
    """A coding with its system's URI."""
    system = knowledge.names.systems.get(entry.system)
    return Coding(system.uri if system else entry.system, entry.code, entry.display or "")


def meanings_of(entry: LocalCodeEntry, knowledge: Knowledge) -> tuple[Meaning, ...]:
    """What a local code means: all that its known counterpart means, with the side that it adds."""
    same = coding_of(entry.same_as, knowledge)
    meanings = knowledge.vocabulary.table.look_up(same.system, same.code)
    if entry.side is None:
        return meanings
    return tuple(meaning._replace(side=SIDES_BY_NAME[entry.side]) for meaning in meanings)


def answers_of(entry: ClientEntry, knowledge: Knowledge, default: str) -> Answers:
    """How the EHR of this client answers: as its profile, or the default one, says; its own entries come first."""
    return {**knowledge.answers_of(entry.ehr_profile or default), **entry.needs}
