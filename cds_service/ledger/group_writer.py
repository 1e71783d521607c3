"""One thread that writes: what waits together is committed together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, TypeVar

from cds_service.errors import LedgerError

Answer = TypeVar("Answer")
_Outcome = tuple[Any, Exception | None]  # what a piece of work returned, or why it failed

_LARGEST_GROUP: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """Something to write, what to do once it is committed or has failed, and who waits for it."""

    work: Callable[[sqlite3.Connection], Any]
    committed: Callable[[Any], None] | None
    failed: Callable[[], None] | None = None
    done: Future[Any] = field(default_factory=Future)


class GroupWriter:
    """Runs work on one connection, in the order given, many pieces to a commit. Owns the connection.

    A piece of work that fails is undone alone and fails alone. Work that was handed over is done even if the one who
    waits for it is cancelled.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = Lock()
        self._closed = False
        self._thread = Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    async def write(
        self,
        work: Callable[[sqlite3.Connection], Answer],
        committed: Callable[[Answer], None] | None = None,
        failed: Callable[[], None] | None = None,
    ) -> Answer:
        """Run `work` in the writer's thread; return what it returned once the commit that holds it is done.

        `committed` is called with that in the same thread, after the commit and before any other work; `failed` where
        nothing comes of it. One of the two is called, also where nobody waits any more.
        Raises `LedgerError` after `close`, and when SQLite refuses the work or the commit.
        """
        try:
            answer: Answer = await asyncio.wrap_future(self._hand_over(_Job(work, committed, failed)))
        except sqlite3.Error as error:
            raise LedgerError(f"The journal could not be written: {error}") from error
        return answer

    def write_and_wait(
        self, work: Callable[[sqlite3.Connection], Answer], committed: Callable[[Answer], None] | None = None
    ) -> Answer:
        """The same for a thread that may wait."""
        try:
            answer: Answer = self._hand_over(_Job(work, committed)).result()
        except sqlite3.Error as error:
            raise LedgerError(f"The journal could not be written: {error}") from error
        return answer

    def _hand_over(self, job: _Job) -> Future[Any]:
        job.done.set_running_or_notify_cancel()  # from here on a cancelled caller no longer stops the work
        with self._lock:
            if self._closed:
                if job.failed is not None:
                    job.failed()
                raise LedgerError("The ledger is closed.")
            self._jobs.put(job)
        return job.done

    def close(self) -> None:
        """Finish what was handed over, then close the connection. Calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while group := self._next_group():
            self._commit(group)

    def _next_group(self) -> list[_Job]:
        """Wait for a job, then take all that wait behind it. Empty when the end is reached."""
        job = self._jobs.get()
        group: list[_Job] = []
        while job is not None:
            group.append(job)
            if len(group) == _LARGEST_GROUP:
                break
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
        else:
            if group:
                self._jobs.put(None)  # the end, for the next round
        return group

    def _commit(self, group: list[_Job]) -> None:
        """Write a group in one transaction and tell everyone who waits."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(job.work) for job in group]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - goes to all who wait; the thread must live on for those to come
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            outcomes = [(None, error)] * len(group)
        for job, (answer, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                if job.committed is not None:
                    job.committed(answer)
                job.done.set_result(answer)
            else:
                if job.failed is not None:
                    job.failed()
                job.done.set_exception(failure)

    def _attempt(self, work: Callable[[sqlite3.Connection], Any]) -> _Outcome:
        """Run one piece of work; undo it, and only it, if it fails."""
        self._connection.execute("SAVEPOINT piece")
        try:
            answer = work(self._connection)
        except Exception as failure:
            if not self._connection.in_transaction:
                raise  # SQLite gave up the whole transaction, for instance because the disk is full
            self._connection.execute("ROLLBACK TO piece")
            self._connection.execute("RELEASE piece")
            return None, failure
        self._connection.execute("RELEASE piece")
        return answer, None
