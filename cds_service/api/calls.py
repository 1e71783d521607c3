"""One hook call over HTTP: bytes in, cards out, kept in the ledger before the answer leaves."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from cds_service.api.body import BodyLimits, read_body
from cds_service.api.exchanges import Exchange
from cds_service.api.metrics import Metrics
from cds_service.decision.agreement import Agreement
from cds_service.decision.decide import Decision, Judgement
from cds_service.decision.gathering import gather
from cds_service.decision.ports import Comments, Ledger, PatientRecord
from cds_service.decision.quieting import Quieting
from cds_service.decision.records import (
    DecisionRecord,
    FeedbackEntry,
    FeedbackReport,
    Pseudonyms,
    SealedComment,
    Timings,
)
from cds_service.domain.times import Now
from cds_service.errors import (
    ForbiddenError,
    LedgerError,
    OverloadedError,
    TooLargeError,
    UnknownServiceError,
    WrongHookError,
)
from cds_service.hooks.contexts import HookContext, parse_context
from cds_service.hooks.feedback import Feedback, parse_feedback
from cds_service.hooks.json_limits import JSONLimits
from cds_service.hooks.request import CDSRequest, parse_request
from cds_service.hooks.response import encode
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.schema import ServiceEntry

_LARGEST_FEEDBACK = 1024 * 1024
_MOST_REPORTS = 1000
_LARGE = 256 * 1024
_FOR_DECIDING = 0.1
T = TypeVar("T")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SYSTEM = re.compile(r"(?=.{1,200}$)[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9:/._~%#?&=+-]{1,200}")
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOG = logging.getLogger("cds_service.calls")
Clock = Callable[[], dt.datetime]


class Party(NamedTuple):
    """Who calls, and what was agreed with them."""

    agreement: Agreement
    tenant: str = ""

    @property
    def client(self) -> str:
        """The id under which the client is registered."""
        return self.agreement.client


@dataclass(frozen=True, slots=True)
class _Answered:
    """What a call came to: no more of the request is kept than the ledger needs."""

    hook: str
    hook_instance: str
    decision: Decision
    body: bytes
    whom: Pseudonyms
    timings: Timings


@dataclass(frozen=True, slots=True)
class CallHandler:
    """Answers the calls of known clients and takes their feedback.

    ``large_calls`` is where long records are read, beside the loop. ``deadline`` is the time of a whole call in
    seconds, of which a little is left for deciding. Without ``comments`` nothing is kept of what users write.
    """

    knowledge: Knowledge
    ledger: Ledger
    quieting: Quieting
    clock: Clock
    zone: dt.tzinfo
    deadline: float
    body_limits: BodyLimits
    json_limits: JSONLimits
    large_calls: Executor
    metrics: Metrics
    refuses_unkept: bool = False
    comments: Comments | None = None

    def has(self, service_id: str) -> bool:
        """Whether there is a service with this id."""
        return bool(self.knowledge.service(service_id))

    async def call(self, request: Request, service_id: str, exchange: Exchange, party: Party) -> Response:
        """``POST /cds-services/{id}`` (REQ-1). The exchange is told how it goes."""
        until = asyncio.get_running_loop().time() + self.deadline - min(_FOR_DECIDING, self.deadline / 4)
        self._check(service_id, party)
        body = await read_body(request, self.body_limits)
        exchange.time("receive", time.perf_counter() - exchange.started)
        exchange.counts["bytes"] = len(body)
        at = self.clock()
        answered = await self._answer(body, service_id, party, at, until, exchange)
        await self._record(exchange, at, service_id, answered, party)
        self.metrics.count_answer(party.client, service_id, answered.decision)
        return Response(answered.body, headers={"cache-control": "no-store"}, media_type="application/json")

    def _check(self, service_id: str, party: Party) -> None:
        """Raises UnknownServiceError, and ForbiddenError for a service that this client may not use."""
        if not self.has(service_id):
            raise UnknownServiceError
        if not party.agreement.may_use(service_id):
            raise ForbiddenError("service")

    async def _answer(
        self, body: bytes, service_id: str, party: Party, at: dt.datetime, until: float, exchange: Exchange
    ) -> _Answered:
        now, client, agreement = Now.of(at, self.zone), party.client, party.agreement
        services = self.knowledge.service(service_id)
        started = time.perf_counter()
        call, context, record = await self._run(len(body), lambda: self._open(body, services, agreement, now, until))
        opened = time.perf_counter()
        self._observe(exchange, "parse", opened - started)
        exchange.hook = call.hook

        def run(judge: Callable[[], Judgement]) -> Awaitable[Judgement]:
            return self._run(record.size, judge)

        judgement = await gather(agreement.decider, record, call.hook, now, run, agreement.rollout)
        self.metrics.count_judgement(client, service_id, judgement, record)
        judged = time.perf_counter()
        quiet = await self.quieting.quiet(client, context, judgement, at)
        looking_up = time.perf_counter() - judged
        decision = agreement.decider.answer(context, judgement, quiet)
        encoded = encode(decision.response)
        fetching = record.seconds_fetching
        deciding = time.perf_counter() - opened - fetching - looking_up
        self._observe(exchange, "decide", deciding)
        if judgement.standing:
            self._observe(exchange, "look_up", looking_up)
        if record.asked:
            exchange.time("fetch", fetching)
        exchange.outcome, exchange.cards, exchange.gaps = decision.outcome, decision.cards, decision.gaps
        exchange.counts |= {"resources": judgement.situation.facts.reading.resources, "queries": len(record.asked)}
        whom = self.quieting.whom(client, context, judgement)
        timings = Timings((opened - started) * 1000, fetching * 1000, deciding * 1000)
        return _Answered(call.hook, call.hook_instance, decision, encoded, whom, timings)

    def _open(
        self, body: bytes, services: Sequence[ServiceEntry], agreement: Agreement, now: Now, until: float
    ) -> tuple[CDSRequest, HookContext, PatientRecord]:
        """What a body says. Raises RequestError, among it ForbiddenError for a FHIR server that is not the client's."""
        self.json_limits.check(body)
        call = parse_request(body)
        if call.hook not in {service.hook for service in services}:
            raise WrongHookError(service.hook for service in services)
        if not agreement.may_name(call.fhir_server):
            raise ForbiddenError("FHIR server")
        context = parse_context(call.hook, call.context)
        return call, context, agreement.records.open(call, context, now, until)

    async def _run(self, size: int, work: Callable[[], T]) -> T:
        """Do some work here, or beside the loop where a long record would hold up the other calls."""
        if size > _LARGE:
            return await asyncio.get_running_loop().run_in_executor(self.large_calls, work)
        return work()

    def _observe(self, exchange: Exchange, phase: str, seconds: float) -> None:
        exchange.time(phase, seconds)
        self.metrics.observe(exchange.service, phase, seconds)

    async def _record(
        self, exchange: Exchange, at: dt.datetime, service_id: str, answered: _Answered, party: Party
    ) -> None:
        decision = answered.decision
        record = DecisionRecord(
            call_id=exchange.call_id,
            at=at,
            client=party.client,
            tenant=party.tenant,
            service_id=service_id,
            hook=answered.hook,
            hook_instance=answered.hook_instance if is_uuid(answered.hook_instance) else "",
            knowledge_fingerprint=self.knowledge.fingerprint,
            outcome=decision.outcome,
            gaps=decision.gaps,
            cards=decision.cards,
            timings=answered.timings,
            whom=answered.whom,
            shadows=tuple(run for run in decision.shadows if run.stood or run.live_stood),
        )
        started = time.perf_counter()
        try:
            await self.ledger.record(record)
            self._observe(exchange, "record", time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001  # whatever it is, the setting says whether to advise without a record
            _LOG.error("call %s is not in the ledger: %s", exchange.call_id, type(error).__name__)
            if self.refuses_unkept:
                raise OverloadedError from None
            self.metrics.count_not_kept(party.client)

    async def feedback(self, request: Request, service_id: str, exchange: Exchange, party: Party) -> Response:
        """``POST /cds-services/{id}/feedback`` (FBK-2). Idempotent; a card not known yet is told, not refused."""
        self._check(service_id, party)
        limits = self.body_limits._replace(most_bytes=min(self.body_limits.most_bytes, _LARGEST_FEEDBACK))
        body = await read_body(request, limits)
        self.json_limits.check(body)
        reports = parse_feedback(body).feedback
        if len(reports) > _MOST_REPORTS:
            raise TooLargeError("feedback entries", _MOST_REPORTS)
        entries = [_entry(report, self._seal(report, party.client)) for report in reports if is_uuid(report.card)]
        try:
            kept = await self.ledger.record_feedback(party.client, service_id, entries, self.clock())
        except LedgerError as error:
            _LOG.error("feedback %s is not in the ledger: %s", exchange.call_id, type(error).__name__)
            raise OverloadedError from None
        self.metrics.count_feedback(party.client, entries, len(reports) - len(entries))
        answer = {"feedback": [{"status": _status(report.card, kept)} for report in reports]}
        exchange.counts |= {"bytes": len(body), "entries": len(reports), "kept": len(entries)}
        return Response(json.dumps(answer), headers={"cache-control": "no-store"}, media_type="application/json")

    def _seal(self, report: Feedback, client: str) -> SealedComment | None:
        """The user's comment, encrypted before it goes anywhere; None where this site keeps none."""
        comment = report.override_reason.user_comment if report.override_reason else None
        if self.comments is None or comment is None:
            return None
        return self.comments.seal(client, report.card.lower(), report.outcome_timestamp, comment)


def _status(card: str, kept: FeedbackReport) -> str:
    """What became of the entry on a card."""
    if not is_uuid(card):
        return "no card of this service"
    if kept.unknown is None:
        return "kept, its card was not looked up"
    return "kept, no such card yet" if card.lower() in kept.unknown else "kept"


def is_uuid(text: str) -> bool:
    """Only UUIDs are kept of what a client names freely: other text could hold anything."""
    return _UUID.fullmatch(text) is not None


def _entry(report: Feedback, comment: SealedComment | None) -> FeedbackEntry:
    """What is kept of a report: UUIDs and codes, never text that can be read, for it may name the patient."""
    reason = report.override_reason.reason if report.override_reason else None
    if reason and not (_CODE.fullmatch(reason.code) and _SYSTEM.fullmatch(reason.system)):
        reason = None
    return FeedbackEntry(
        card=report.card.lower(),
        outcome=report.outcome.value,
        outcome_timestamp=report.outcome_timestamp,
        accepted_suggestions=tuple(one.lower() for one in report.accepted_ids if is_uuid(one)),
        reason_system=reason.system if reason else None,
        reason_code=reason.code if reason else None,
        comment=comment,
    )
