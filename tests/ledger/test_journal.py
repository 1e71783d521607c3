"""What only the journal on disk has to show: it outlives its process, is shared, and refuses what is not its own."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cds_service.ledger import Journal, LedgerError
from cds_service.ledger.group_writer import GroupWriter
from cds_service.ledger.schema import APPLICATION_ID, SCHEMA_VERSION
from tests.ledger.conftest import NOON, make_decision, make_feedback

ROOT = Path(__file__).parents[2]

WRITE_FOREVER = """
import asyncio, sys
from pathlib import Path
from cds_service.ledger import Journal
from tests.ledger.conftest import make_decision

async def write(journal, lane):
    for number in range(1_000_000):
        decision = make_decision(call_id=f"{lane}-{number}")
        await journal.record(decision)
        sys.stdout.write(decision.call_id + "\\n")
        sys.stdout.flush()

async def main():
    journal = Journal(Path(sys.argv[1]))
    await asyncio.gather(*(write(journal, lane) for lane in range(8)))

asyncio.run(main())
"""

WRITE_SOME = """
import asyncio, sys
from pathlib import Path
from cds_service.ledger import Journal
from tests.ledger.conftest import make_decision

async def main():
    journal = Journal(Path(sys.argv[1]))
    await asyncio.gather(*(journal.record(make_decision()) for _ in range(100)))
    journal.close()

asyncio.run(main())
"""


def start(script: str, path: Path, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(path: Path) -> None:
    with start(WRITE_FOREVER, path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(400)]
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert all(acknowledged)
    kept = {call_id for (call_id,) in query(path, "SELECT call_id FROM decision")}
    assert not set(acknowledged) - kept
    assert query(path, "SELECT count(*) FROM card") == [(2 * len(kept),)]
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


def test_worker_processes_that_start_together_share_one_file(path: Path) -> None:
    processes = [start(WRITE_SOME, path) for _ in range(4)]
    complaints = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, complaints
    assert query(path, "SELECT count(*) FROM decision") == [(400,)]


def test_close_writes_what_is_waiting(path: Path) -> None:
    journal = Journal(path)

    async def record_and_close() -> None:
        waiting = [asyncio.ensure_future(journal.record(make_decision())) for _ in range(50)]
        await asyncio.sleep(0)
        journal.close()
        await asyncio.gather(*waiting)

    asyncio.run(record_and_close())
    assert query(path, "SELECT count(*) FROM decision") == [(50,)]
    assert not path.with_name(f"{path.name}-wal").exists()


def test_a_record_is_written_though_its_caller_gave_up(path: Path) -> None:
    journal = Journal(path)
    decision = make_decision()

    async def record_and_give_up() -> None:
        task = asyncio.ensure_future(journal.record(decision))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(record_and_give_up())
    journal.close()
    assert asyncio.run(journal.decision_for(decision.client, decision.call_id)) == decision


def test_what_waits_together_is_committed_together(path: Path) -> None:
    statements: list[str] = []
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.set_trace_callback(statements.append)
    writer = GroupWriter(connection)
    gate = threading.Event()

    async def write_behind_a_slow_one() -> None:
        slow = asyncio.ensure_future(writer.write(lambda _: gate.wait()))
        waiting = [asyncio.ensure_future(writer.write(lambda _: None)) for _ in range(100)]
        await asyncio.sleep(0.05)
        gate.set()
        await asyncio.gather(slow, *waiting)

    asyncio.run(write_behind_a_slow_one())
    writer.close()
    assert statements.count("COMMIT") <= 3


def test_work_with_a_fault_of_ours_fails_alone_and_the_writer_lives_on(path: Path) -> None:
    writer = GroupWriter(sqlite3.connect(path, isolation_level=None, check_same_thread=False))

    async def write() -> list[object]:
        work = (lambda _: 1, lambda _: 1 // 0, lambda _: 3)
        return await asyncio.gather(*(writer.write(each) for each in work), return_exceptions=True)

    first, failed, last = asyncio.run(write())
    writer.close()
    assert (first, last) == (1, 3)
    assert isinstance(failed, ZeroDivisionError)


def test_a_commit_that_fails_is_told_to_all_who_wait_and_the_next_one_works(path: Path) -> None:
    journal = Journal(path)
    journal._writer._connection.execute("PRAGMA busy_timeout = 20")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        async def record_three() -> list[BaseException | None]:
            return await asyncio.gather(*(journal.record(make_decision()) for _ in range(3)), return_exceptions=True)

        failures = asyncio.run(record_three())
        other.execute("ROLLBACK")
    assert [type(failure) for failure in failures] == [LedgerError] * 3
    asyncio.run(journal.record(make_decision()))
    journal.close()
    assert query(path, "SELECT count(*) FROM decision") == [(1,)]


def test_a_full_disk_is_named_and_the_journal_works_again_once_there_is_room(path: Path) -> None:
    journal = Journal(path)
    asyncio.run(journal.record(make_decision()))
    page_count = query(path, "PRAGMA page_count")[0][0]
    journal._writer._connection.execute(f"PRAGMA max_page_count = {page_count}")

    async def record_many() -> list[BaseException | None]:
        return await asyncio.gather(*(journal.record(make_decision()) for _ in range(100)), return_exceptions=True)

    failures = [failure for failure in asyncio.run(record_many()) if failure is not None]
    assert failures
    assert all("full" in str(failure) for failure in failures)
    journal._writer._connection.execute("PRAGMA max_page_count = 100000")
    asyncio.run(journal.record(make_decision()))
    journal.close()
    assert query(path, "SELECT count(*) FROM decision") == [(102 - len(failures),)]


def test_a_journal_that_is_opened_again_has_what_was_written(path: Path) -> None:
    decision = make_decision()
    for _ in range(2):
        journal = Journal(path)
        if not asyncio.run(journal.cards_shown(decision.client, decision.call_id)):
            asyncio.run(journal.record(decision))
        journal.close()
    assert query(path, "SELECT count(*) FROM decision") == [(1,)]


def test_the_file_tells_what_it_is_and_is_nobody_elses_to_read(path: Path) -> None:
    journal = Journal(path)
    asyncio.run(journal.record_feedback("c", "s", [make_feedback("card")], NOON))
    files = sorted(path.parent.iterdir())
    modes = [file.stat().st_mode & 0o777 for file in files]
    journal.close()
    assert len(files) == 3
    assert modes == [0o600] * 3
    assert query(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


def test_every_table_has_the_client_in_its_key(path: Path) -> None:
    Journal(path).close()
    tables = [name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert tables
    for table in tables:
        key = {name for _, name, _, _, _, place in query(path, f"PRAGMA table_info({table})") if place}
        assert "client" in key


def test_the_folder_is_made_if_only_it_is_missing(tmp_path: Path) -> None:
    Journal(tmp_path / "data" / "ledger.sqlite3").close()
    assert (tmp_path / "data" / "ledger.sqlite3").exists()
    with pytest.raises(LedgerError, match="cannot be opened"):
        Journal(tmp_path / "no" / "such" / "ledger.sqlite3")


def test_a_file_of_a_newer_release_is_refused(path: Path) -> None:
    Journal(path).close()
    query(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(LedgerError, match=f"schema version {SCHEMA_VERSION + 1}"):
        Journal(path)


def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    query(path, "CREATE TABLE patients (name)")
    with pytest.raises(LedgerError, match="not a ledger"):
        Journal(path)
    assert query(path, "PRAGMA journal_mode") == [("delete",)]


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("somebody's shopping list, long enough to be read as a header " * 20)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Journal(path)
    assert path.read_text().startswith("somebody's")
