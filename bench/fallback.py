"""What does asking the FHIR server cost, beyond the time the server itself takes? All in one run, in turns.

    python -m bench.fallback                 a table for people
    python -m bench.fallback --markdown      the same as Markdown
    python -m bench.fallback --calls 50 --latency 5

A stub FHIR server on loopback, a process of its own on a core of its own, answers each query after a fixed latency and
notes when it read the query and when its answer was written. Three things are timed, one after the other, call by call:
a call whose prefetch holds everything; the same call without prefetch, so that the service asks the stub; and a bare
httpx client that puts the same queries to the stub, in the same rounds, side by side in each round, and reads the
bytes of the answers without decoding them. What the call without prefetch takes beyond the slowest query of each of its
rounds is the service's own: HTTP on both sides, reading, deciding, writing to the ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import http.client
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from bench import records
from bench.calls import _table as table
from bench.calls import running

_PATH = "/cds-services/foot-drop-patient-view"
_FORM = "application/x-www-form-urlencoded"
_WARM_UP = 5


@dataclasses.dataclass(frozen=True)
class Asked:
    """One query as the stub saw it: what was asked, when it was read, when its answer was written."""

    method: str
    target: str
    form: str
    start: float
    end: float


@dataclasses.dataclass
class Figures:
    """Seconds of each call, in the order in which they were made."""

    with_prefetch: list[float] = dataclasses.field(default_factory=list)
    without: list[float] = dataclasses.field(default_factory=list)
    slowest: list[list[float]] = dataclasses.field(default_factory=list)
    bare: list[float] = dataclasses.field(default_factory=list)
    bare_slowest: list[list[float]] = dataclasses.field(default_factory=list)

    @property
    def overhead(self) -> list[float]:
        """Of each call without prefetch, what it took beyond the slowest query of each round."""
        return _beyond(self.without, self.slowest)

    @property
    def bare_overhead(self) -> list[float]:
        """The same of the bare client."""
        return _beyond(self.bare, self.bare_slowest)


def _beyond(calls: list[float], slowest: list[list[float]]) -> list[float]:
    return [call - sum(rounds) for call, rounds in zip(calls, slowest, strict=True)]


# ---- the stub


class Stub:
    """Answers reads and searches of one patient's record, each after the same time."""

    def __init__(self, port: int, latency: float) -> None:
        self._port = port
        self._latency = latency
        self._log: list[Asked] = []
        self._answers = dict(_answers(f"http://127.0.0.1:{port}/fhir"))

    async def serve(self) -> None:
        """Serve until the process is stopped."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", self._port, limit=1 << 20)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                size = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), ":0")
                form = (await reader.readexactly(int(size.partition(":")[2]))).decode()
                method, target, _ = head.partition("\r\n")[0].split(" ")
                writer.write(self._noted() if target == "/log" else await self._answered(method, target, form))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answered(self, method: str, target: str, form: str) -> bytes:
        start = time.monotonic()
        await asyncio.sleep(self._latency)
        kind = urlsplit(target).path.removeprefix("/fhir/").partition("/")[0]
        patient = dict(parse_qsl(form or urlsplit(target).query)).get("patient", "")
        answer = _http(self._answers[kind].replace(b"PATIENT", patient.encode()))
        self._log.append(Asked(method, target, form, start, time.monotonic()))
        return answer

    def _noted(self) -> bytes:
        log, self._log = self._log, []
        return _http(json.dumps([dataclasses.asdict(one) for one in log]).encode())


def _http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _answers(base: str) -> Iterator[tuple[str, bytes]]:
    """Resource type → answer; PATIENT stands where a search's self link names the patient."""
    prefetch = json.loads(records.small())["prefetch"]
    kinds = {"deviceUse": "DeviceUseStatement"}
    for key, value in prefetch.items():
        kind = kinds.get(key) or key[0].upper() + key[1:].removesuffix("s")
        if value["resourceType"] == "Bundle":
            value["link"] = [{"relation": "self", "url": f"{base}/{kind}?patient=PATIENT"}]
            for entry in value["entry"]:
                entry["fullUrl"] = f"{base}/{kind}/{entry['resource']['id']}"
        yield kind, json.dumps(value).encode()


# ---- the calls


class Caller:
    """One connection to a server, kept open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, body: bytes) -> tuple[float, Any]:
        """A hook call: the seconds it took, and its answer."""
        start = time.perf_counter()
        self._connection.request("POST", _PATH, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        seconds = time.perf_counter() - start
        if answer.status != 200:
            raise SystemExit(f"the service answered {answer.status}: {text[:300]!r}")
        return seconds, json.loads(text)

    def log(self) -> list[Asked]:
        """What the stub was asked since it was last looked at."""
        self._connection.request("GET", "/log")
        return [Asked(**one) for one in json.loads(self._connection.getresponse().read())]


def rounds_of(asked: list[Asked]) -> list[list[Asked]]:
    """The queries of one call by rounds: a query that began after all earlier ones had ended begins a new one."""
    rounds: list[list[Asked]] = []
    end = 0.0
    for one in sorted(asked, key=lambda query: query.start):
        if not rounds or one.start >= end:
            rounds.append([])
        rounds[-1].append(one)
        end = max(end, one.end)
    return rounds


def _slowest(rounds: list[list[Asked]]) -> list[float]:
    return [max(one.end - one.start for one in queries) for queries in rounds]


async def put(client: httpx.AsyncClient, base: str, rounds: list[list[Asked]]) -> float:
    """The same queries by the bare client: the seconds they took."""
    start = time.perf_counter()
    for queries in rounds:
        answers = await asyncio.gather(*(_put(client, base, one) for one in queries))
        if any(answer.status_code != 200 for answer in answers):
            raise SystemExit("the stub did not answer the bare client")
    return time.perf_counter() - start


def _put(client: httpx.AsyncClient, base: str, one: Asked) -> Any:
    headers = {"Content-Type": _FORM} if one.form else None
    return client.request(one.method, f"{base}{one.target}", content=one.form or None, headers=headers)


def measure(service_port: int, stub_port: int, calls: int, into: Figures) -> list[list[Asked]]:
    """All three, in turns; the queries of the last call without prefetch, by rounds."""
    whole = records.small()
    base = f"http://127.0.0.1:{stub_port}"
    bare_call = json.loads(whole) | {"fhirServer": f"{base}/fhir"}
    del bare_call["prefetch"]
    without = json.dumps(bare_call).encode()
    service, stub = Caller(service_port), Caller(stub_port)
    rounds: list[list[Asked]] = []
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(trust_env=False)
        for number in range(-_WARM_UP, calls):
            stub.log()
            first, expected = service.post(whole)
            second, answer = service.post(without)
            rounds = rounds_of(stub.log())
            if _topics(answer) != _topics(expected):
                raise SystemExit(f"without prefetch the cards are {_topics(answer)}, with it {_topics(expected)}")
            third = runner.run(put(client, base, rounds))
            bare_rounds = rounds_of(stub.log())
            if number >= 0:
                into.with_prefetch.append(first)
                into.without.append(second)
                into.slowest.append(_slowest(rounds))
                into.bare.append(third)
                into.bare_slowest.append(_slowest(bare_rounds))
        runner.run(client.aclose())
    return rounds


def _topics(answer: Any) -> list[str]:
    return [card["source"]["topic"]["code"] for card in answer["cards"]]


# ---- the report


def _report(figures: Figures, rounds: list[list[Asked]], latency: float, markdown: bool) -> str:
    ratio = statistics.median(one / other for one, other in zip(figures.without, figures.bare, strict=True))
    sums = [sum(one) for one in figures.slowest]
    rows = [
        ["prefetch only", *_milliseconds(figures.with_prefetch)],
        ["no prefetch, the service asks", *_milliseconds(figures.without)],
        ["  the slowest query of each round, added up", *_milliseconds(sums)],
        ["  beyond that: the service's own", *_milliseconds(figures.overhead)],
        ["bare httpx client, the same queries", *_milliseconds(figures.bare)],
        ["  beyond its slowest queries", *_milliseconds(figures.bare_overhead)],
    ]
    for number, queries in enumerate(rounds, 1):
        spent = [one[number - 1] for one in figures.slowest]
        rows.append([f"  round {number}: the slowest of {len(queries)} queries", *_milliseconds(spent)])
    intro = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{len(figures.without)} calls; the stub answers after {latency:g} ms; "
        f"{' + '.join(str(len(queries)) for queries in rounds)} queries in {len(rounds)} rounds"
    )
    last = f"The service ÷ the bare client: {ratio:.2f} at the median, call by call."
    return "\n\n".join([intro, table(["ms", "p50", "p95"], rows, markdown), last])


def _milliseconds(seconds: list[float]) -> list[str]:
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return [f"{1000 * value:.1f}" for value in (statistics.median(ordered), high)]


def main() -> None:
    """Measure and print, or be the stub."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200, help="of each kind")
    parser.add_argument("--latency", type=float, default=20.0, help="of the stub, in ms")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--stub", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stub:
        asyncio.run(Stub(options.stub, options.latency / 1000).serve())
        return
    pin = _pins()
    figures = Figures()
    command = [sys.executable, "-m", "bench.fallback", "--stub", "{port}", "--latency", str(options.latency)]
    service = [sys.executable, "-m", "cds_service", "serve"]
    with tempfile.TemporaryDirectory() as folder:
        environment = {"CDS_DATABASE_URL": f"sqlite:///{Path(folder) / 'ledger.sqlite3'}", "CDS_LOG_LEVEL": "warning"}
        with running("stub", command, {}, pin(1)) as stub, running("service", service, environment, pin(0)) as ours:
            rounds = measure(ours.port, stub.port, options.calls, figures)
    print(_report(figures, rounds, options.latency, options.markdown))


def _pins() -> Callable[[int], int | None]:
    """The stub has a core to itself; the service and the bare client, of which one waits for the other, share one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return lambda _: None
    os.sched_setaffinity(0, {cores[0]})
    return lambda number: cores[number]


if __name__ == "__main__":
    main()
