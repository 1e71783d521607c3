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
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from cds_service.api.body import read_body
from cds_service.decision.decide import Decider, Decision, Judgement
from cds_service.decision.gathering import gather
from cds_service.decision.ports import Ledger, PatientRecord, Records
from cds_service.decision.records import DecisionRecord, FeedbackEntry
from cds_service.domain.times import Now
from cds_service.errors import RequestError, TooLargeError, UnknownServiceError, WrongHookError
from cds_service.hooks.contexts import HookContext, parse_context
from cds_service.hooks.feedback import Feedback, parse_feedback
from cds_service.hooks.request import CDSRequest, parse_request
from cds_service.hooks.response import encode
from cds_service.knowledge.schema import ServiceEntry

OPEN_CLIENT = "open"
_LARGEST_FEEDBACK = 1024 * 1024
_MOST_REPORTS = 1000
_LARGE = 256 * 1024
_FOR_DECIDING = 0.1
T = TypeVar("T")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SYSTEM = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9:/._~%#?&=+-]{1,200}")
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOG = logging.getLogger("cds_service.calls")
Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class _Answered:
    """What a call came to: no more of the request is kept than the ledger needs."""

    hook: str
    hook_instance: str
    decision: Decision
    body: bytes


@dataclass(frozen=True, slots=True)
class CallHandler:
    """Answers service calls and takes feedback. ``large_calls`` is where long records are read, beside the loop.

    ``deadline`` is the time of a whole call in seconds, of which a little is left for deciding.
    """

    decider: Decider
    records: Records
    ledger: Ledger
    clock: Clock
    zone: dt.tzinfo
    deadline: float
    max_body_bytes: int
    large_calls: Executor

    async def call(self, request: Request, service_id: str, call_id: str) -> Response:
        """``POST /cds-services/{id}`` (REQ-1)."""
        started = time.perf_counter()
        until = asyncio.get_running_loop().time() + self.deadline - min(_FOR_DECIDING, self.deadline / 4)
        services = self.decider.knowledge.service(service_id)
        if not services:
            raise UnknownServiceError
        body = await read_body(request, self.max_body_bytes)
        at = self.clock()
        try:
            answered = await self._answer(body, services, at, until)
        except RequestError as error:
            _LOG.info("call %s %s refused: %s", call_id, service_id, type(error).__name__)
            raise
        duration = (time.perf_counter() - started) * 1000
        await self._record(call_id, at, service_id, answered, duration)
        return Response(answered.body, headers={"cache-control": "no-store"}, media_type="application/json")

    async def _answer(self, body: bytes, services: Sequence[ServiceEntry], at: dt.datetime, until: float) -> _Answered:
        now = Now.of(at, self.zone)
        call, context, record = await self._run(len(body), lambda: self._open(body, services, now, until))

        def run(judge: Callable[[], Judgement]) -> Awaitable[Judgement]:
            return self._run(record.size, judge)

        judgement = await gather(self.decider, record, call.hook, now, run)
        decision = self.decider.answer(context, judgement)
        return _Answered(call.hook, call.hook_instance, decision, encode(decision.response))

    def _open(
        self, body: bytes, services: Sequence[ServiceEntry], now: Now, until: float
    ) -> tuple[CDSRequest, HookContext, PatientRecord]:
        call = parse_request(body)
        if call.hook not in {service.hook for service in services}:
            raise WrongHookError(service.hook for service in services)
        context = parse_context(call.hook, call.context)
        return call, context, self.records.open(call, context, now, until)

    async def _run(self, size: int, work: Callable[[], T]) -> T:
        """Do some work here, or beside the loop where a long record would hold up the other calls."""
        if size > _LARGE:
            return await asyncio.get_running_loop().run_in_executor(self.large_calls, work)
        return work()

    async def _record(
        self, call_id: str, at: dt.datetime, service_id: str, answered: _Answered, duration: float
    ) -> None:
        decision = answered.decision
        record = DecisionRecord(
            call_id=call_id,
            at=at,
            client=OPEN_CLIENT,
            service_id=service_id,
            hook=answered.hook,
            hook_instance=answered.hook_instance if is_uuid(answered.hook_instance) else "",
            knowledge_fingerprint=self.decider.knowledge.fingerprint,
            outcome=decision.outcome,
            gaps=tuple(sorted(gap.need for gap in decision.gaps)),
            duration_ms=duration,
            cards=decision.cards,
        )
        try:
            await self.ledger.record(record)
        except Exception as error:  # noqa: BLE001  # advice that is not kept is better than no advice
            _LOG.error("call %s is not in the ledger: %s", call_id, type(error).__name__)
        shown = ",".join(card.recommendation_id for card in decision.cards) or "none"
        unread = ", ".join(f"{gap.need} {gap.reason or gap.state}" for gap in decision.gaps) or "nothing"
        _LOG.info(
            "call %s %s: %s, %s, not read: %s, %.1f ms", call_id, service_id, decision.outcome, shown, unread, duration
        )

    async def feedback(self, request: Request, service_id: str, call_id: str) -> Response:
        """``POST /cds-services/{id}/feedback`` (FBK-2). Idempotent; unknown cards are kept and counted, not refused."""
        if not self.decider.knowledge.service(service_id):
            raise UnknownServiceError
        reports = parse_feedback(await read_body(request, min(self.max_body_bytes, _LARGEST_FEEDBACK))).feedback
        if len(reports) > _MOST_REPORTS:
            raise TooLargeError("feedback entries", _MOST_REPORTS)
        entries = [_entry(report) for report in reports if is_uuid(report.card)]
        kept = await self.ledger.record_feedback(OPEN_CLIENT, service_id, entries, self.clock())
        unknown = kept.unknown + len(reports) - len(entries)  # what is no UUID is no card of ours
        counts = {"stored": kept.stored, "repeated": kept.repeated, "unknown": unknown}
        _LOG.info("feedback %s %s: %s", call_id, service_id, counts)
        body = json.dumps(counts)
        return Response(body, headers={"cache-control": "no-store"}, media_type="application/json")


def is_uuid(text: str) -> bool:
    """Only UUIDs are kept of what a client names freely: other text could hold anything."""
    return _UUID.fullmatch(text) is not None


def _entry(report: Feedback) -> FeedbackEntry:
    """What is kept of a report: UUIDs and codes, never the user's comment or other text, which may name the patient."""
    reason = report.override_reason.reason if report.override_reason else None
    if reason and not (_CODE.fullmatch(reason.code) and _SYSTEM.fullmatch(reason.system)):
        reason = None
    return FeedbackEntry(
        card=report.card,
        outcome=report.outcome.value,
        outcome_timestamp=report.outcome_timestamp,
        accepted_suggestions=tuple(filter(is_uuid, report.accepted_ids)),
        reason_system=reason.system if reason else None,
        reason_code=reason.code if reason else None,
    )
