"""From a client's entry in the clients file to the parts that answer its calls."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cds_service.api.discovery import discovery_of
from cds_service.decision.agreement import Agreement
from cds_service.decision.callers import OPEN_CLIENT
from cds_service.decision.compose import Composer
from cds_service.decision.decide import Decider
from cds_service.domain.codes import Coding, Meaning
from cds_service.domain.queries import Queries
from cds_service.domain.vocabulary import Vocabulary
from cds_service.fhir.client.fhir_client import FHIRClient, Registration
from cds_service.fhir.client.network import OPEN_MODE, AddressRules
from cds_service.fhir.order_writer import OrderWriter
from cds_service.fhir.reader import RecordReader
from cds_service.hooks.reading import is_loopback
from cds_service.knowledge.knowledge import Knowledge
from cds_service.settings import Settings
from cds_service.trust.clients import (
    ANYBODY,
    ClientEntry,
    answers_of,
    coding_of,
    meanings_of,
    read_clients,
    said,
)
from cds_service.trust.jwk import read_key_set
from cds_service.trust.tokens import Issuer

_LOG = logging.getLogger("cds_service.clients")


@dataclass(frozen=True, slots=True)
class Registered:
    """What one reading of the clients file came to: agreements by client, issuers by `iss`, addresses of keys."""

    agreements: Mapping[str, Agreement]
    issuers: Mapping[str, Issuer]
    keys_at: Mapping[str, AddressRules]


@dataclass(frozen=True, slots=True)
class AgreementMaker:
    """Joins the parts for each client. Without a FHIR client nothing is fetched."""

    settings: Settings
    knowledge: Knowledge
    fhir_client: FHIRClient | None = None

    def read(self, path: Path | None) -> Registered:
        """What a clients file says; open mode where there is none. Raises SettingsError."""
        clients = read_clients(path, self.knowledge) if path else {}
        for line in said(clients):
            _LOG.warning("%s", line)
        clients = clients or {OPEN_CLIENT: ANYBODY}
        registered = {client: entry for client, entry in clients.items() if entry.issuer is not None}
        return Registered(
            {client: self.make(client, entry) for client, entry in clients.items()},
            {entry.issuer or "": issuer_of(client, entry) for client, entry in registered.items()},
            {entry.keys_url: addresses_of(entry) for entry in registered.values() if entry.keys_url},
        )

    def make(self, client: str, entry: ClientEntry) -> Agreement:
        """What was agreed with one client."""
        decider, reader = self.parts(entry, None if client == OPEN_CLIENT else registration_of(entry))
        services = frozenset(entry.services) or None
        is_open = client == OPEN_CLIENT
        return Agreement(
            client=client,
            decider=decider,
            records=reader,
            rollout=entry.rollout,
            discovery=discovery_of(self.knowledge, reader.queries, services),
            services=services,
            fhir_servers=None if is_open else frozenset(entry.fhir_servers),
            origins=None if is_open else frozenset(entry.cors_origins),
            calls_a_minute=entry.calls_a_minute or (self.settings.calls_a_minute if is_open else 0),
            calls_at_once=entry.calls_at_once,
        )

    def parts(
        self, entry: ClientEntry = ANYBODY, registration: Registration | None = None
    ) -> tuple[Decider, RecordReader]:
        """A decider and its reader, as the service and the command line use them."""
        settings, knowledge = self.settings, self.knowledge
        catalogue = {name: coding_of(coding, knowledge) for name, coding in entry.order_catalogue.items()}
        vocabulary = _vocabulary(entry, catalogue, knowledge)
        writer = OrderWriter(
            vocabulary,
            orthoses_as=entry.orthoses_as or settings.orthoses_as,
            catalogue=catalogue,
            resources=entry.takes.resources,
            actions=entry.takes.actions,
        )
        composer = Composer(knowledge, writer, settings.base_url)
        client = self.fhir_client
        if client is not None and registration is not None:
            client = client.under(registration)
        reader = RecordReader(
            vocabulary, _queries(entry, knowledge, settings), settings.zone, settings.max_resources, client
        )
        return Decider(knowledge, composer, settings.max_cards, with_red_flags=settings.red_flags), reader


def make_decider(
    settings: Settings, knowledge: Knowledge, fhir_client: FHIRClient | None = None
) -> tuple[Decider, RecordReader]:
    """A decider and its reader for whoever calls; without a client nothing is fetched."""
    return AgreementMaker(settings, knowledge, fhir_client).parts()


def open_mode(fhir_server: str) -> AddressRules | None:
    """Without registered clients, a FHIR server is one on this machine."""
    return OPEN_MODE if is_loopback(urlsplit(fhir_server).hostname or "") else None


def registration_of(entry: ClientEntry) -> Registration:
    """The FHIR servers of a registered client, with the addresses under which they may be had."""
    rules, servers = addresses_of(entry), frozenset(entry.fhir_servers)
    return lambda fhir_server: rules if fhir_server.rstrip("/") in servers else None


def addresses_of(entry: ClientEntry) -> AddressRules:
    """The addresses under which the client's own servers may be had: public ones, and its networks."""
    return AddressRules(tuple(ipaddress.ip_network(network) for network in entry.networks))


def issuer_of(client: str, entry: ClientEntry) -> Issuer:
    """What was agreed about the tokens of a client."""
    return Issuer(
        client=client,
        issuer=entry.issuer or "",
        algorithms=entry.algorithms,
        keys=read_key_set({"keys": list(entry.keys)}) if entry.keys else None,
        keys_url=entry.keys_url,
        audiences=frozenset(entry.audiences),
        tenants=frozenset(entry.tenants) or None,
    )


def _vocabulary(entry: ClientEntry, catalogue: Mapping[str, Coding], knowledge: Knowledge) -> Vocabulary:
    """The vocabulary of the knowledge, with the codes of the site's own; what it orders by them is understood too."""
    local: dict[Coding, tuple[Meaning, ...]] = {}
    for code in entry.local_codes:
        coding = _bare(coding_of(code, knowledge))
        local[coding] = (*local.get(coding, ()), *meanings_of(code, knowledge))
    look_up = knowledge.vocabulary.table.look_up
    for name, coding in catalogue.items():
        orderable = knowledge.names.orderables[name]
        meanings = tuple(meaning for own in orderable.codings for meaning in look_up(own.system, own.code))
        local[_bare(coding)] = (*local.get(_bare(coding), ()), *meanings)
    if not local:
        return knowledge.vocabulary
    return replace(knowledge.vocabulary, table=knowledge.vocabulary.table.with_local_codes(local))


def _bare(coding: Coding) -> Coding:
    return coding._replace(display="")


def _queries(entry: ClientEntry, knowledge: Knowledge, settings: Settings) -> Queries:
    """What is asked of this client. A local code of a finding is asked for beside the one that it stands for."""
    local: dict[str, list[str]] = {}
    for code in entry.local_codes:
        local.setdefault(code.same_as.code, []).append(code.code)
    return knowledge.queries_for(answers_of(entry, knowledge, settings.ehr_profile), local)
