"""One query to a FHIR server: asked by GET or POST, retried, redirected and paged until its answer is whole or failed.

Every address that the server itself names, as the next page or as a redirect, stays on the server's origin and path,
or is not followed. Searches ask for strict handling; a first page whose self link shows that the patient was not part
of the search is no answer.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urljoin, urlsplit

import httpcore
import msgspec
from anyio import CancelScope

from cds_service import __version__
from cds_service.domain.facts import GapReason, NeedState
from cds_service.errors import FetchError, TooLargeError
from cds_service.fhir.bundles import Answer, read_answer
from cds_service.fhir.client.transfer import Reply, exchange
from cds_service.hooks.request import AccessToken

_ACCEPT: Final = b"application/fhir+json, application/json;q=0.9"
_USER_AGENT: Final = f"foot-drop-cds/{__version__}".encode()
_FORM: Final = b"application/x-www-form-urlencoded"
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_KEEPS_METHOD: Final = frozenset((307, 308))
_BUSY: Final = frozenset((429, 503))
_LARGE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one query may bring, and all queries of a call; how long a URL may be before the search is posted."""

    page_bytes: int = 16 * 1024 * 1024
    query_bytes: int = 32 * 1024 * 1024
    pages: int = 50
    resources: int = 2_000
    resources_of_call: int = 5_000
    redirects: int = 3
    retries: int = 2
    url: int = 2_000
    page_size: int = 200


class Origin:
    """The base of a FHIR server: its origin and path, inside which every request stays."""

    __slots__ = ("_segments", "base", "host", "path", "port", "scheme", "server")

    def __init__(self, base: str) -> None:
        """``base`` is the absolute URL of the server, as the client sent it."""
        self.base = base.rstrip("/")
        parts = urlsplit(self.base)
        self.scheme = parts.scheme.lower()
        self.server = (parts.hostname or "").lower()
        self.port = _port(parts)
        self.host = parts.netloc
        self.path = parts.path
        self._segments = _segments(parts.path)

    def inside(self, url: str) -> str | None:
        """Path and query of a link or redirect, if it lies on this origin and below its path: nothing else is sent."""
        text = url.strip()
        if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
            return None
        try:
            parts = urlsplit(urljoin(f"{self.base}/", text))
            origin = (parts.scheme.lower(), (parts.hostname or "").lower(), _port(parts))
        except ValueError:
            return None
        segments = _segments(parts.path)
        if origin != (self.scheme, self.server, self.port) or "@" in parts.netloc:
            return None
        if segments is None or self._segments is None or segments[: len(self._segments)] != self._segments:
            return None
        path = parts.path or "/"
        return f"{path}?{parts.query}" if parts.query else path


def _segments(path: str) -> list[str] | None:
    """The parts of a path for comparison: some servers change its case. None where it could mean another path."""
    parts: list[str] = []
    if path.startswith("//"):  # some servers read an authority there
        return None
    for raw in path.strip("/").split("/"):
        part = unquote(unquote(raw))
        if part.partition(";")[0].strip() in (".", "..") or "/" in part or "\\" in part or not part.isprintable():
            return None
        parts.append(part.lower())
    return parts if parts != [""] else []


def _port(parts: SplitResult) -> int:
    if parts.port is not None:
        return parts.port
    return 443 if parts.scheme.lower() == "https" else 80


@dataclass(frozen=True, slots=True)
class Connection:
    """What every query of a call shares: the server and its connections, the token, the time by which all must be had.

    ``until`` is on the clock of the event loop. ``large`` is where long answers are decoded, beside the loop.
    """

    origin: Origin
    pool: httpcore.AsyncConnectionPool
    token: AccessToken | None
    patient_id: str = field(repr=False)
    until: float
    limits: Limits
    large: Executor

    @property
    def seconds_left(self) -> float:
        """The time until all must be had."""
        return self.until - asyncio.get_running_loop().time()

    def request(self, method: str, target: str, *, is_search: bool, form: bytes = b"") -> httpcore.Request:
        """A request for a path and query of the server, with its headers; the token goes nowhere else."""
        origin = self.origin
        headers = [
            (b"Host", origin.host.encode()),
            (b"Accept", _ACCEPT),
            (b"Accept-Encoding", b"gzip"),
            (b"User-Agent", _USER_AGENT),
        ]
        if self.token is not None:
            headers.append((b"Authorization", f"Bearer {self.token.reveal()}".encode()))
        if is_search:
            headers.append((b"Prefer", b"handling=strict"))
        if method == "POST":
            headers += [(b"Content-Type", _FORM), (b"Content-Length", str(len(form)).encode())]
        left = max(self.seconds_left, 0.001)
        waits = {"connect": left, "read": left, "write": left, "pool": left}
        url = httpcore.URL(scheme=origin.scheme, host=origin.server, port=origin.port, target=target)
        return httpcore.Request(method, url, headers=headers, content=form, extensions={"timeout": waits})

    async def send(self, method: str, target: str, *, is_search: bool, form: bytes = b"") -> bytes:
        """The body of the answer, past redirects and a busy server. Raises FetchError."""
        redirects = retries = 0
        while True:
            if self.seconds_left <= 0:
                raise FetchError(GapReason.LATE)
            request = self.request(method, target, is_search=is_search, form=form)
            reply = await exchange(self.pool, request, self.limits.page_bytes)
            if reply.status in _REDIRECTS and reply.location and redirects < self.limits.redirects:
                redirects += 1
                target = self._followed(reply.location)
                if reply.status not in _KEEPS_METHOD:
                    method, form = "GET", b""
            elif reply.status in _BUSY and retries < self.limits.retries and self._worth_waiting(reply):
                retries += 1
                await asyncio.sleep(_seconds(reply))
            elif reply.failure is not None:
                raise FetchError(reply.failure)
            else:
                return reply.body

    def _followed(self, link: str) -> str:
        target = self.origin.inside(link)
        if target is None:
            raise FetchError(GapReason.UNSAFE)
        return target

    def _worth_waiting(self, reply: Reply) -> bool:
        seconds = _seconds(reply)
        return 0 <= seconds < self.seconds_left

    async def decode(self, body: bytes) -> Answer:
        """The answer in a body. Raises FetchError where it is no FHIR JSON at all."""
        if len(body) > _LARGE:
            answer = await asyncio.get_running_loop().run_in_executor(self.large, _decode, body)
        else:
            answer = _decode(body)
        answer.size = len(body)
        return answer


def _seconds(reply: Reply) -> float:
    """How long the server wants us to wait; -1 where it does not say."""
    said = (reply.retry_after or "").strip()
    if said.isdecimal():
        return float(said)
    try:
        parsed = email.utils.parsedate_tz(said)
        return max(email.utils.mktime_tz(parsed) - time.time(), 0.0) if parsed else -1.0
    except (ValueError, OverflowError):  # a year that no calendar has
        return -1.0


def _decode(body: bytes) -> Answer:
    try:
        return read_answer(msgspec.Raw(body))
    except TooLargeError:
        raise FetchError(GapReason.TOO_MUCH) from None


# ---- a read, a search, the pages after it


async def read(connection: Connection, path: str, resource_type: str) -> Answer:
    """Read one resource. Never raises: an answer that failed says why."""
    answer = Answer.failed(GapReason.LATE)
    try:
        with CancelScope(deadline=connection.until):
            body = await connection.send("GET", f"{connection.origin.path}/{path}", is_search=False)
            answer = await connection.decode(body)
    except FetchError as error:
        return Answer.failed(GapReason(error.reason))
    kinds = [item.resource.kind for item in answer.items]
    if answer.failure is None and (answer.is_bundle or kinds != [resource_type]):
        return Answer.failed(GapReason.UNREADABLE)
    return answer


async def search(connection: Connection, query: str, resource_type: str) -> Answer:
    """Search, and follow the pages. Never raises: an answer that failed or is cut short says why."""
    first = Answer.failed(GapReason.LATE)
    try:
        with CancelScope(deadline=connection.until):
            first = await _first_page(connection, query)
    except FetchError as error:
        return Answer.failed(GapReason(error.reason))
    if not first.is_bundle and first.failure is None:
        return Answer.failed(GapReason.UNREADABLE)
    if not _is_about(first.self_url, connection.patient_id):
        return Answer.failed(GapReason.OTHER_PATIENT)
    whole = await follow(connection, first)
    if whole.reason is None and not whole.said_so and whole.state(resource_type) is NeedState.FAILED:
        whole.reject(GapReason.UNREADABLE)
    return whole


async def _first_page(connection: Connection, query: str) -> Answer:
    limits = connection.limits
    kind, _, parameters = query.partition("?")
    parameters = parameters if "_count=" in parameters else f"{parameters}&_count={limits.page_size}"
    target = f"{connection.origin.path}/{kind}?{parameters}"
    if len(target) + len(connection.origin.host) <= limits.url:
        body = await connection.send("GET", target, is_search=True)
    else:
        target = f"{connection.origin.path}/{kind}/_search"
        body = await connection.send("POST", target, is_search=True, form=parameters.encode())
    return await connection.decode(body)


async def follow(connection: Connection, first: Answer) -> Answer:
    """The answer with all pages behind it, as far as they can be had: what came counts in any case."""
    try:
        with CancelScope(deadline=connection.until) as scope:
            await _follow(connection, first)
        if scope.cancelled_caught:
            first.cut_short(GapReason.LATE)
    except FetchError as error:
        first.cut_short(GapReason(error.reason))
    first.keep(connection.limits.resources)
    return first


async def _follow(connection: Connection, first: Answer) -> None:
    limits, seen = connection.limits, set[str]()
    while first.has_more and first.failure is None:
        target = connection.origin.inside(first.next_url) if first.next_url else None
        if target is None:
            first.cut_short(GapReason.UNSAFE if first.next_url else GapReason.INCOMPLETE)
            return
        if target in seen:
            first.cut_short(GapReason.INCOMPLETE)
            return
        seen.add(target)
        if len(seen) >= limits.pages or len(first.items) > limits.resources or first.size > limits.query_bytes:
            first.cut_short(GapReason.TOO_MUCH)
            return
        page = await connection.decode(await connection.send("GET", target, is_search=False))
        if page.failure is not None or not page.is_bundle:
            first.cut_short(page.reason or GapReason.INCOMPLETE)
            return
        first.add_page(page)


def _is_about(self_url: str | None, patient_id: str) -> bool:
    """Whether the server's own account of the search names the patient; without one, nothing speaks against it."""
    if not self_url or "?" not in self_url:
        return True
    parameters = parse_qsl(self_url.partition("?")[2].partition("#")[0])
    named = {
        value.rpartition("/")[2]
        for name, value in parameters
        if name.partition(":")[0] in ("patient", "subject") and name.partition(":")[2] in ("", "Patient")
    }
    return named == {patient_id}
