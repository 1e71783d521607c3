"""Golden answers made anew: the same app without a server, at each hour of the day."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from cds_service.app import create_app
from cds_service.settings import Settings
from fhir_examples.golden import GoldenCall, with_relative_dates, without_chance
from fhir_examples.layout import laid_out
from fhir_examples.readme import README, with_tables

# Days and hours that no two share: "five hours ago" and "two hours ago" are the same day for most calls, not for all.
TIMES = tuple(
    dt.datetime(2026, 11, 22, 22, 41, 7, tzinfo=dt.UTC) + n * dt.timedelta(days=11, hours=1) for n in range(24)
)


class FrozenService:
    """The app with default settings at a time that stands still, called without a network."""

    def __init__(self, runner: asyncio.Runner) -> None:
        """Reads the knowledge once."""
        self.now = TIMES[0]
        settings = Settings(database_url="sqlite://")
        self.base_url = settings.base_url
        self._app = create_app(settings, lambda: self.now)
        self._runner = runner

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and answer of a POST."""
        return self._runner.run(self._post(path, json.dumps(body).encode()))

    async def _post(self, path: str, body: bytes) -> tuple[int, Any]:
        headers = [(b"host", b"127.0.0.1:8080"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


def answered_anew(calls: Iterable[GoldenCall]) -> Iterator[GoldenCall]:
    """Each call with the status and the answer that it gets now; its file is not touched."""
    with asyncio.Runner() as runner:
        service = FrozenService(runner)
        for call in calls:
            made = {name: value for name, value in call.data.items() if name not in ("status", "response")}
            yield GoldenCall(call.file, made | _answer(service, call))


def _answer(service: FrozenService, call: GoldenCall) -> dict[str, Any]:
    answers, statuses = {}, set()
    for service.now in TIMES:
        status, answer = service.post(call.path, call.request(service.now))
        statuses.add(status)
        answers[service.now] = without_chance(answer, service.now, service.now, service.base_url)
    (status,) = statuses
    return {"status": status, "response": with_relative_dates(call.story(), answers)}


def write(calls: Iterable[GoldenCall]) -> None:
    """Write the call files, each as people read it, and the tables of the README."""
    for call in calls:
        call.file.write_text(laid_out(call.data) + "\n", encoding="utf-8")
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
