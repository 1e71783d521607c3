"""One request and what came of it: a line in the log, an entry in the audit."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from cds_service.api.errors import STATUS, reason_of
from cds_service.decision.audit import AuditEvent, AuditLog
from cds_service.decision.decide import new_call_id
from cds_service.decision.records import CardRecord, CardState, DataGap
from cds_service.errors import PreconditionError, RequestError

Endpoint = Literal["discovery", "call", "feedback", "page", "request"]
UNKNOWN: Final = "unknown"
"""Stands for a service that there is not: its name is the client's own text."""
_LOG = logging.getLogger("cds_service.calls")


@dataclass(slots=True)
class Exchange:
    """What is known of a request as it goes along. Holds names of ours, codes and numbers: nothing of the patient.

    ``status`` is None as long as nothing was answered, and stays so where the client left. ``milliseconds`` are those
    of each phase, ``counts`` how much came and went.
    """

    call_id: str
    endpoint: Endpoint
    client: str
    tenant: str = ""
    service: str = ""
    hook: str = ""
    status: int | None = None
    outcome: str = ""
    reason: str = ""
    member: str = ""
    cards: Sequence[CardRecord] = ()
    gaps: Sequence[DataGap] = ()
    counts: dict[str, int] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def refuse(self, error: RequestError) -> None:
        """Take note of why it is refused."""
        self.reason = reason_of(error)
        self.member = ", ".join(error.keys) if isinstance(error, PreconditionError) else error.member or ""

    def time(self, phase: str, seconds: float) -> None:
        """Take note of how long a phase took."""
        self.milliseconds[phase] = round(seconds * 1000, 1)


class ExchangeLog:
    """Tells the log and the audit of each exchange."""

    def __init__(self, audit: AuditLog, fingerprint: str, clock: Callable[[], dt.datetime]) -> None:
        """``fingerprint`` is that of the knowledge that runs."""
        self._audit = audit
        self._fingerprint = fingerprint
        self._clock = clock

    def refused(self, endpoint: Endpoint, error: RequestError, client: str = UNKNOWN) -> None:
        """A request was refused before it was known what it is for."""
        exchange = Exchange(new_call_id(), endpoint, client, status=STATUS[type(error)][0])
        exchange.refuse(error)
        self.close(exchange)

    def close(self, exchange: Exchange) -> None:
        """An exchange is over."""
        exchange.time("total", time.perf_counter() - exchange.started)
        status = exchange.status
        level = logging.WARNING if status is not None and status >= 500 else logging.INFO
        _LOG.log(level, _message_of(exchange), extra={"fields": self._fields_of(exchange)})
        details = {key: value for key, value in _details_of(exchange).items() if value}
        self._audit.write(AuditEvent(exchange.endpoint, self._clock(), details))

    def _fields_of(self, exchange: Exchange) -> dict[str, object]:
        by_state = {state: _named(exchange.cards, state) for state in get_args(CardState)}
        fields: dict[str, object] = {
            **_who_and_what(exchange),
            "member": exchange.member,
            **by_state,
            "not_read": [f"{gap.need} {gap.reason or gap.state}" for gap in exchange.gaps],
            "knowledge": self._fingerprint,
        }
        measured = {f"{phase}_ms": taken for phase, taken in exchange.milliseconds.items()}
        return {key: value for key, value in fields.items() if value} | exchange.counts | measured


def _message_of(exchange: Exchange) -> str:
    if exchange.status is None:
        return f"{exchange.endpoint}: the client left before its request was complete"
    return f"{exchange.endpoint} {'answered' if exchange.status < 400 else 'refused'}"


def _who_and_what(exchange: Exchange) -> dict[str, object]:
    """What the log and the audit both say."""
    return {
        "call": exchange.call_id,
        "client": exchange.client,
        "tenant": exchange.tenant,
        "service": exchange.service,
        "hook": exchange.hook,
        "status": exchange.status,
        "outcome": exchange.outcome,
        "reason": exchange.reason,
    }


def _details_of(exchange: Exchange) -> Mapping[str, object]:
    return {
        **_who_and_what(exchange),
        "cards": [_card(card) for card in exchange.cards],
        "gaps": [{"need": gap.need, "state": gap.state, "reason": gap.reason} for gap in exchange.gaps],
    }


def _card(card: CardRecord) -> dict[str, str]:
    """A recommendation, and the uuid of its card where it was returned."""
    named = {"recommendation": card.recommendation_id, "version": card.version, "state": card.state}
    return named | ({"card": card.uuid} if card.uuid else {})


def _named(cards: Sequence[CardRecord], state: CardState) -> list[str]:
    """The recommendations of a call in some state, by their ids."""
    return [card.recommendation_id for card in cards if card.state == state]
