"""How fast is one worker? The service and a bare ASGI app, side by side on loopback, in turns.

    python -m bench.calls                    a table for people
    python -m bench.calls --markdown         the same as Markdown, for docs/performance.md
    python -m bench.calls --rounds 3 --seconds 0.5

Each server is one uvicorn process with one worker, on one core where the system lets us choose; the load comes from
another. Throughput is taken with eight connections, latency with one. CPU per call moves least.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import os
import platform
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import records
from cds_service.agreements import make_decider
from cds_service.domain.times import Now
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.request import parse_request
from cds_service.hooks.response import encode
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_CONNECTIONS = 8
_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_ALLOCATOR = {  # see docs: large bodies gain from it; set on both sides or on neither
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(16 << 20),
}


@dataclasses.dataclass
class Figures:
    """What was measured for one server and one body, over all rounds."""

    rates: list[float] = dataclasses.field(default_factory=list)
    cpu: list[float] = dataclasses.field(default_factory=list)
    waits: list[float] = dataclasses.field(default_factory=list)

    @property
    def rate(self) -> float:
        """Calls per second, the median of the rounds."""
        return statistics.median(self.rates)

    @property
    def cpu_us(self) -> float:
        """CPU of the server per call in µs; NaN where the system does not tell."""
        return statistics.median(self.cpu) if self.cpu else float("nan")

    def wait_ms(self, share: float) -> float:
        """The latency that this share of the calls did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


@dataclasses.dataclass(frozen=True)
class Server:
    """A running server process."""

    name: str
    port: int
    pid: int

    def cpu_seconds(self) -> float | None:
        """User and system time so far."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK


@contextlib.contextmanager
def running(name: str, command: list[str], environment: dict[str, str], core: int | None) -> Iterator[Server]:
    """Start a server on a free port, wait until it listens, stop it by its own pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CDS_")}
    with subprocess.Popen(
        [part.format(port=port) for part in command],
        cwd=_ROOT,
        env={**clean, **environment, "CDS_PORT": str(port), "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        try:
            _wait_for(port, process)
            yield Server(name, port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise SystemExit(f"the server {process.args!r} did not start")


class Load:
    """Some connections that each send the same request again as soon as its answer is there."""

    def __init__(self, port: int, body: bytes, connections: int) -> None:
        head = (
            f"POST /cds-services/foot-drop-patient-view HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body
        self._port = port
        self._connections = connections

    def run(self, seconds: float) -> tuple[int, float, list[float]]:
        """Calls made, seconds taken, and the wait for each answer."""
        selector = selectors.DefaultSelector()
        open_ones = [_Connection(self._port, self._request) for _ in range(self._connections)]
        for connection in open_ones:
            connection.begin()
            selector.register(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        waits: list[float] = []
        start = time.perf_counter()
        busy = len(open_ones)
        while busy:  # the last answers are waited for, lest the next measurement stand in their queue
            for key, _ in selector.select(1):
                connection = key.data
                was_sending = connection.sending
                took = connection.advance()
                if took is not None:
                    waits.append(took)
                    if time.perf_counter() - start < seconds:
                        connection.begin()
                    else:
                        busy -= 1
                if connection.sending != was_sending or took is not None:
                    events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.sending else 0)
                    selector.modify(connection.socket, events, connection)
        elapsed = time.perf_counter() - start
        for connection in open_ones:
            connection.socket.close()
        selector.close()
        return len(waits), elapsed, waits


class _Connection:
    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._request = memoryview(request)
        self._sent = 0
        self._answer = b""
        self._since = 0.0

    @property
    def sending(self) -> bool:
        """Whether part of the request is still to be sent."""
        return self._sent < len(self._request)

    def begin(self) -> None:
        """Send the request, or as much as the socket takes at once."""
        self._sent, self._answer, self._since = 0, b"", time.perf_counter()
        self._send()

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._sent += self.socket.send(self._request[self._sent :])

    def advance(self) -> float | None:
        """Go on sending or reading; the seconds since the request began once the answer is complete."""
        if self.sending:
            self._send()
        with contextlib.suppress(BlockingIOError):
            part = self.socket.recv(262_144)
            if not part:
                raise SystemExit("the server closed a connection")
            self._answer += part
        head, found, rest = self._answer.partition(b"\r\n\r\n")
        if not found:
            return None
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the server did not answer 200: {head[:60]!r} {rest[:200]!r}")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return time.perf_counter() - self._since if len(rest) >= length else None


def measure(server: Server, body: bytes, seconds: float, into: Figures) -> None:
    """One round: throughput and CPU with many connections, latency with one."""
    before = server.cpu_seconds()
    calls, took, _ = Load(server.port, body, _CONNECTIONS).run(seconds)
    after = server.cpu_seconds()
    into.rates.append(calls / took)
    if before is not None and after is not None:
        into.cpu.append((after - before) / calls * 1e6)
    into.waits += Load(server.port, body, 1).run(seconds)[2]


def inside(body: bytes, repeat: int) -> dict[str, float]:
    """Where the time of one call goes, in µs, without any server: the best of some runs."""
    settings = Settings(database_url="sqlite://")
    decider, reader = make_decider(settings, load_knowledge(settings.cards_dir))
    now = Now.of(dt.datetime.now(dt.UTC), settings.zone)
    call = parse_request(body)
    context = parse_context(call.hook, call.context)
    facts = reader.read(call, context, now)
    decision = decider.decide(context, decider.situation(call.hook, facts, now))
    steps: dict[str, Callable[[], object]] = {
        "envelope": lambda: parse_context(call.hook, parse_request(body).context),
        "facts": lambda: reader.read(call, context, now),
        "evaluation": lambda: decider.judge(decider.situation(call.hook, facts, now)),
        "evaluation and cards": lambda: decider.decide(context, decider.situation(call.hook, facts, now)),
        "encoding": lambda: encode(decision.response),
    }
    return {name: _best(step, repeat) for name, step in steps.items()}


def _best(step: Callable[[], object], repeat: int) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement in a round")
    parser.add_argument("--allocator", action="store_true", help="set glibc's malloc thresholds on both sides")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    core = cores[0] if len(cores) > 1 else None
    if core is not None:
        os.sched_setaffinity(0, set(cores[1:]))
    bodies = {"usual": records.usual(), "foot drop": records.small(), "large": records.large()}
    figures: dict[tuple[str, str], Figures] = {(s, b): Figures() for b in bodies for s in ("bare", "service")}
    uvicorn = [sys.executable, "-m", "uvicorn", "bench.bare:app", "--port", "{port}", "--no-access-log"]
    service = [sys.executable, "-m", "cds_service", "serve"]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        extra = dict(_ALLOCATOR) if options.allocator else {}
        ledger = f"sqlite:///{folder}/ledger.sqlite3"
        bare = stack.enter_context(running("bare", uvicorn, extra, core))
        extra |= {"CDS_DATABASE_URL": ledger, "CDS_LOG_LEVEL": "warning"}
        ours = stack.enter_context(running("service", service, extra, core))
        for server in (bare, ours):  # warm up
            for body in bodies.values():
                Load(server.port, body, 1).run(0.3)
        for _ in range(options.rounds):
            for name, body in bodies.items():
                for server in (bare, ours):
                    measure(server, body, options.seconds, figures[server.name, name])
    parts = {name: inside(body, 30 if name == "large" else 200) for name, body in bodies.items()}
    print(_report(bodies, figures, parts, options.markdown))


def _report(
    bodies: dict[str, bytes],
    figures: dict[tuple[str, str], Figures],
    parts: dict[str, dict[str, float]],
    markdown: bool,
) -> str:
    sizes = {name: body.count(b'"resourceType"') - body.count(b'"Bundle"') for name, body in bodies.items()}
    head = ["", "calls/s", "÷ bare", "p50 ms", "p99 ms", "CPU µs/call", "CPU µs/resource"]
    rows = []
    for name in bodies:
        for server in ("bare", "service"):
            found = figures[server, name]
            rows.append(
                [
                    f"{name}, {server}",
                    f"{found.rate:,.0f}",
                    f"{found.rate / figures['bare', name].rate:.2f}",
                    f"{found.wait_ms(0.5):.2f}",
                    f"{found.wait_ms(0.99):.2f}",
                    f"{found.cpu_us:,.0f}",
                    f"{found.cpu_us / sizes[name]:.1f}",
                ]
            )
    steps = [[name, *(f"{parts[body][name]:,.0f}" for body in bodies)] for name in parts["usual"]]
    intro = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        + "; ".join(f"{name}: {sizes[name]:,} resources, {len(body) / 1000:,.0f} KB" for name, body in bodies.items())
    )
    tables = [_table(head, rows, markdown), _table(["inside one call, µs", *bodies], steps, markdown)]
    return "\n\n".join([intro, *tables])


def _table(head: list[str], rows: list[list[str]], markdown: bool) -> str:
    if markdown:
        lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join("  ".join(map(_aligned, range(len(widths)), row, widths)) for row in [head, *rows])


def _aligned(column: int, cell: str, width: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


if __name__ == "__main__":
    main()
