"""Golden answers written anew: the same app without a server, at two times that share neither day nor hour."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

from cds_service.app import create_app
from cds_service.settings import Settings
from fhir_examples.golden import GoldenCall, request_of, with_relative_dates, without_chance

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

    def get(self, path: str) -> Any:
        """The answer to a GET."""
        return asyncio.run(self._request("GET", path, b""))[1]

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and answer of a POST."""
        return asyncio.run(self._request("POST", path, json.dumps(body).encode()))

    async def _request(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        headers = [(b"host", b"127.0.0.1:8080"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


def update(calls: Iterable[GoldenCall]) -> Iterable[Path]:
    """Write request and answer of each call file from its patient, hook and drafts; gives the files that changed."""
    service = FrozenService()
    types = {
        entry["hook"]: {
            key: template.partition("?")[0].partition("/")[0] for key, template in entry["prefetch"].items()
        }
        for entry in service.get("/cds-services")["services"]
    }
    for call in calls:
        made: dict[str, Any] = {
            name: call.data[name] for name in ("about", "patient", "hook", "drafts", "unread") if name in call.data
        }
        made["request"] = request_of(made, types[made["hook"]])
        answers, statuses = {}, set()
        for service.now in TIMES:
            status, answer = service.post(call.path, GoldenCall(call.file, made).request(service.now))
            statuses.add(status)
            answers[service.now] = without_chance(answer, service.now, service.now, service.base_url)
        (made["status"],) = statuses
        made["response"] = with_relative_dates(made["request"], answers)
        text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        if text != call.file.read_text(encoding="utf-8"):
            call.file.write_text(text, encoding="utf-8")
            yield call.file
