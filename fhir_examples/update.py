"""Golden answers written anew: the same app without a server, at two times that share neither day nor hour."""

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

# the first late in its day, the other early in its own: "six hours ago" is today for one and yesterday for the other
TIMES = (dt.datetime(2026, 11, 22, 22, 41, 7, tzinfo=dt.UTC), dt.datetime(2027, 3, 3, 1, 5, 58, tzinfo=dt.UTC))


class FrozenService:
    """The app with default settings at a time that stands still, called without a network."""

    def __init__(self) -> None:
        """Reads the knowledge once."""
        self.now = TIMES[0]
        settings = Settings(database_url="sqlite://")
        self.base_url = settings.base_url
        self._app = create_app(settings, lambda: self.now)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and answer of a POST."""
        return asyncio.run(self._post(path, json.dumps(body).encode()))

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
    service = FrozenService()
    for call in calls:
        made = {name: value for name, value in call.data.items() if name not in ("status", "response")}
        answers, statuses = {}, set()
        for service.now in TIMES:
            status, answer = service.post(call.path, call.request(service.now))
            statuses.add(status)
            answers[service.now] = without_chance(answer, service.now, service.now, service.base_url)
        (made["status"],) = statuses
        made["response"] = with_relative_dates(call.story(), answers)
        yield GoldenCall(call.file, made)


def write(calls: Iterable[GoldenCall]) -> None:
    """Write the call files, each as people read it."""
    for call in calls:
        call.file.write_text(laid_out(call.data) + "\n", encoding="utf-8")
