"""One request as it stands on the wire, how it is asked, and what the service promises of each answer."""

import json
import logging
import re
import time
from dataclasses import dataclass
from urllib.parse import unquote

MARK = "ZZMARK"
"""In whatever a request names freely: a refusal, a log line or a figure that repeats it has repeated a patient."""
SECONDS = 10
"""Far more than any answer takes, far less than a hang, also on a busy machine."""
JSON = (b"content-type", b"application/json")
_NOT_OURS = ("asyncio", "httpx", "httpcore", "hypothesis")
_FOR_PEOPLE = re.compile(r"/insight/?|/")


@dataclass(frozen=True)
class Asked:
    """One request. ``parts`` is the body as it arrives; where ``leaves``, the client goes before the end."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    parts: tuple[bytes, ...] = ()
    leaves: bool = False

    @property
    def path(self):
        """As a server hands it on: without the query, percent signs undone."""
        return unquote(self.target.partition(b"?")[0].decode("latin-1"))

    def scope(self):
        """What an ASGI server makes of it."""
        path, _, query = self.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": path,
            "root_path": "",
            "query_string": query,
            "headers": [(b"host", b"127.0.0.1:8080"), *self.headers],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 8080),
        }

    def on_the_wire(self):
        """As a client writes it to a socket: what a file of the corpus holds."""
        body = b"".join(self.parts)
        head = [b"%s %s HTTP/1.1" % (self.method.encode(), self.target), b"Host: 127.0.0.1"]
        head += [b"%s: %s" % pair for pair in self.headers]
        head += [b"Content-Length: %d" % len(body)] if body else []
        return b"\r\n".join([*head, b"", body])


@dataclass(frozen=True)
class Answer:
    """What came back; a status of None where the client had left and was told nothing."""

    status: int | None
    headers: dict[bytes, bytes]
    body: bytes
    seconds: float


def ask(client, asked):
    """Send a request straight into the app: no client of ours that could mend or refuse it first."""
    arriving = [
        {"type": "http.request", "body": part, "more_body": number < len(asked.parts) or asked.leaves}
        for number, part in enumerate(asked.parts or (b"",), 1)
    ]
    sent = []

    async def receive():
        return arriving.pop(0) if arriving else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    start = time.perf_counter()
    client.run(client.app(asked.scope(), receive, send))
    seconds = time.perf_counter() - start
    begun = next((one for one in sent if one["type"] == "http.response.start"), {"status": None, "headers": []})
    return Answer(begun["status"], dict(begun["headers"]), b"".join(one.get("body", b"") for one in sent), seconds)


def lines_of(caplog):
    """Every line as a log file would hold it, but for those of the test's own tools."""
    form = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(form.format(one) for one in caplog.records if not one.name.startswith(_NOT_OURS))


def assert_promises(asked, answer, said):
    """What holds of every answer, whatever was asked. ``said`` is what the service has logged meanwhile."""
    assert answer.seconds < SECONDS
    assert MARK.lower() not in said.lower(), "a log line repeats the request"
    if answer.status is None:
        assert asked.leaves
        return
    assert 200 <= answer.status < 500, f"{answer.status}: {answer.body[:300]!r} {said}"
    assert answer.headers[b"x-content-type-options"] == b"nosniff"
    if answer.status >= 400:
        assert MARK.lower().encode() not in answer.body.lower(), "a refusal repeats the request"
        assert_outcome(asked, answer)
    elif answer.headers.get(b"content-type") == b"application/json" and asked.method != "HEAD":
        json.loads(answer.body)


def assert_outcome(asked, answer):
    """A refusal is an OperationOutcome with one issue, but for people's pages and for a browser's own question."""
    kind = answer.headers.get(b"content-type", b"")
    if is_preflight(asked) or (kind.startswith(b"text/html") and _FOR_PEOPLE.fullmatch(asked.path)):
        return
    assert kind == b"application/fhir+json", answer
    if asked.method != "HEAD":
        outcome = json.loads(answer.body)
        assert outcome["resourceType"] == "OperationOutcome"
        assert [issue["severity"] for issue in outcome["issue"]] == ["error"]
        assert outcome["issue"][0]["diagnostics"]


def is_preflight(asked):
    """Whether a browser asks whether it may ask: answered in plain words, which no person reads."""
    names = {name.lower() for name, _ in asked.headers}
    return asked.method == "OPTIONS" and {b"origin", b"access-control-request-method"} <= names
