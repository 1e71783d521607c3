"""The FHIR server within one call: asked side by side for what a round of the decision wants, until the deadline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from anyio import CancelScope

from cds_service.decision.records import Asked
from cds_service.domain.facts import GapReason
from cds_service.fhir.bundles import Answer
from cds_service.fhir.client.scopes import Right, Scopes
from cds_service.fhir.client.search import Connection, follow, read, search
from cds_service.fhir.questions import Question

_AT_ONCE: Final = 8


@dataclass(slots=True)
class Session:
    """What a call may ask of its FHIR server. ``connection`` is None where the server may not be asked at all."""

    connection: Connection | None
    scopes: Scopes | None
    asked: list[Asked] = field(default_factory=list)
    _taken: int = 0
    _scopes: list[CancelScope] = field(default_factory=list)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def answer(self, question: Question) -> Answer:
        """The answer to a question, or why there is none; a few questions are asked at the same time."""
        connection = self.connection
        if connection is None:
            return Answer.failed(GapReason.SERVER_NOT_ALLOWED)
        query = question.query
        right = self.scopes.right(query.resource, search=not query.is_read) if self.scopes else Right.ALL
        if right is Right.NONE:
            return Answer.failed(GapReason.OUT_OF_SCOPE)
        answer, started = Answer.failed(GapReason.LATE), time.perf_counter()
        with CancelScope() as scope:  # for `stop` alone: reads and searches keep the time, and what came by then
            self._scopes.append(scope)
            async with self._slots:
                started = time.perf_counter()
                answer = await _put(question, connection)
        answer.keep(max(connection.limits.resources_of_call - self._taken, 0))
        self._taken += len(answer.items)
        if right is Right.SOME and answer.failure is None:
            answer.cut_short(GapReason.OUT_OF_SCOPE)
        elapsed = time.perf_counter() - started
        self.asked.append(Asked(query.need, query.template, elapsed, len(answer.items), answer.reason))
        return answer

    def stop(self) -> None:
        """Give up what is still asked. Through scopes, for httpcore keeps its connections in order under those only."""
        for scope in self._scopes:
            scope.cancel()


async def _put(question: Question, connection: Connection) -> Answer:
    """Ask the server."""
    if question.after is not None:
        return await follow(connection, question.after)
    if question.query.is_read:
        return await read(connection, question.text, question.query.resource)
    return await search(connection, question.text, question.query.resource)
