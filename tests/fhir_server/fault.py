"""A small FHIR R4 server on loopback that behaves well unless told otherwise, and can misbehave as no good server does.

`search` has the good answers, `faults` the others.
"""

import asyncio
import contextlib
import gzip
import inspect
import math
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fhir_server.faults import FAULTS, HARMLESS, ONLY_SEARCHES, SOMEBODY_ELSE, TABLE, Fault, head
from tests.fhir_server.search import Answer, Asked, answer, outcome

__all__ = ["FAULTS", "HARMLESS", "ONLY_SEARCHES", "SOMEBODY_ELSE", "Asked", "FaultServer"]

LONGEST_HEAD = 2**20
FORM = "application/x-www-form-urlencoded"


class HangUpError(Exception):
    """The client has closed the connection."""


class FaultServer:
    """Answers reads and searches of its resources, each resource type with the fault it is told to have.

    `resources`, `faults` (resource type or "*" → name of a fault), `page_size`, `latency` and `slowness` may be
    changed between requests. Requests at `elsewhere`, or outside of /fhir, are answered well, and stand in `strayed`.
    """

    def __init__(
        self,
        resources: list[dict[str, Any]],
        *,
        page_size: int | None = None,
        faults: dict[str, str] | None = None,
        latency: float = 0.0,
    ) -> None:
        self.resources = resources
        self.page_size = page_size
        self.faults = faults or {}
        self.latency = latency
        self.slowness = 10.0
        self.asked: list[Asked] = []
        self.strayed: list[Asked] = []
        self.most_at_once = 0
        self.at_work = 0
        self.failures: list[Exception] = []
        self._sockets = [socket.create_server(("127.0.0.1", 0), backlog=256) for _ in range(2)]
        self.base, self.elsewhere = (f"http://127.0.0.1:{one.getsockname()[1]}/fhir" for one in self._sockets)
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._thread = threading.Thread(target=self._run, name="fault server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(5):
            raise AssertionError("the fault server did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(2)
        if self._thread.is_alive():
            raise AssertionError("the fault server did not stop")
        if self.failures and kind is None:
            raise ExceptionGroup("in the fault server", self.failures)

    @property
    def open_connections(self) -> int:
        """How many connections are open now, here and elsewhere."""
        return len(self._connections)

    def reset(self) -> None:
        """Forget what was asked, here and elsewhere."""
        self.asked.clear()
        self.strayed.clear()
        self.most_at_once = 0

    def fault_of(self, asked: Asked) -> Fault | None:
        """The fault that a request meets."""
        faults = self.faults  # may be replaced meanwhile
        name = faults.get(asked.resource_type) or faults.get("*")
        return TABLE[name] if name else None

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        servers = []
        for one, base in zip(self._sockets, (self.base, self.elsewhere), strict=True):
            servers.append(await asyncio.start_server(self._acceptor(base), sock=one, limit=LONGEST_HEAD))
        self._ready.set()
        await self._stopping.wait()
        for server in servers:
            server.close()
        for task, writer in self._connections.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # the aborted transports let go of their sockets

    def _acceptor(self, base: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(_Connection(self, base, reader, writer).serve())
            self._connections[task] = writer
            task.add_done_callback(self._end)

        return accept

    def _end(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task).transport.abort()
        if not task.cancelled() and isinstance(failure := task.exception(), Exception):
            self.failures.append(failure)


class _Connection:
    """One connection, request after request; it is the `Exchange` of the faults."""

    def __init__(
        self, server: FaultServer, base: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.base = base
        self.elsewhere = server.elsewhere
        self.asked: Asked
        self.times_asked = 0
        self._reader = reader
        self._writer = writer

    @property
    def slowness(self) -> float:
        return self.server.slowness

    async def serve(self) -> None:
        """Answer until one side has enough."""
        with contextlib.suppress(HangUpError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while await self._answer_one():
                pass
            self._writer.close()
            await self._writer.wait_closed()

    async def _answer_one(self) -> bool:
        self.asked = await self._read()
        self._note()
        self.server.at_work += 1
        self.server.most_at_once = max(self.server.most_at_once, self.server.at_work)
        try:
            await self.pause(self.server.latency)
            turned = await self._turn(self._good_answer())
            if turned is not None:
                await self.write(self._packed(turned))
        finally:
            self.server.at_work -= 1
        return turned is not None and self.asked.headers.get("connection", "").lower() != "close"

    async def _read(self) -> Asked:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if headers.get("content-type", "").startswith(FORM):
            query += parse_qsl(body.decode(), keep_blank_values=True)
        return Asked(method, _resource_type(parts.path), tuple(query), headers, parts.path)

    def _note(self) -> None:
        is_here = self.base == self.server.base
        if is_here:
            self.server.asked.append(self.asked)
            self.times_asked = sum(one.resource_type == self.asked.resource_type for one in self.server.asked)
        if not is_here or not self.asked.path.startswith("/fhir/"):
            self.server.strayed.append(self.asked)

    def _good_answer(self) -> Answer:
        if self.asked.resource_type:
            return answer(self.asked, self.server.resources, self.base, self.server.page_size)
        if self.asked.path.startswith("/fhir"):
            return Answer(404, outcome("not-found", f"nothing at {self.asked.path}"))
        return Answer(200, {"resourceType": "Bundle", "type": "searchset", "total": 0, "link": []})

    async def _turn(self, good: Answer) -> Answer | None:
        fault = self.server.fault_of(self.asked) if self.base == self.server.base else None
        if fault is None or not self.asked.resource_type:
            return good
        turned = fault.deed(self, good)
        return await turned if inspect.isawaitable(turned) else turned

    def _packed(self, given: Answer) -> bytes:
        payload = given.payload
        is_packed = any(name == "Content-Encoding" for name, _ in given.headers)
        if not is_packed and len(payload) > 1024 and "gzip" in self.asked.headers.get("accept-encoding", ""):
            payload = gzip.compress(payload, 1)
            given = given.having(headers=(*given.headers, ("Content-Encoding", "gzip")))
        return head(given, payload) + payload

    async def pause(self, seconds: float) -> None:
        """Wait, in steps short enough to notice that the client hangs up."""
        steps = math.ceil(seconds / 0.02)
        for _ in range(steps):
            if self._reader.at_eof():
                raise HangUpError
            await asyncio.sleep(seconds / steps)

    async def write(self, data: bytes) -> None:
        """Write to the wire, as fast as the client reads."""
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """Tear the connection down with a RST."""
        plug = self._writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def _resource_type(path: str) -> str:
    """Of /fhir/Condition, of /fhir/Patient/77 and of /fhir/moved/Condition; empty outside of /fhir."""
    parts = path.removeprefix("/fhir/").removeprefix("moved/").split("/")
    is_one = path.startswith("/fhir/") and parts[0][:1].isupper() and len(parts) <= 2
    return parts[0] if is_one else ""
