"""The journal's file: it outlives its process, is shared, and refuses what is not its own."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from cds_service.ledger import Journal, JournalFullError, LedgerError
from cds_service.ledger.group_writer import GroupWriter
from cds_service.ledger.sqlite_files import APPLICATION_ID, SCHEMA_VERSION
from tests.api.world import ROOT

WRITE_FOREVER = """
import asyncio, sys
from pathlib import Path
from cds_service.ledger import Journal

async def write(journal, lane):
    for number in range(1_000_000):
        await journal.append("call", f"{lane}-{number}".encode())
        sys.stdout.write(f"{lane}-{number}\\n")
        sys.stdout.flush()

async def main():
    journal = Journal(Path(sys.argv[1]), 1_000_000)
    await asyncio.gather(*(write(journal, lane) for lane in range(8)))

asyncio.run(main())
"""

WRITE_SOME = """
import asyncio, sys
from pathlib import Path
from cds_service.ledger import Journal

async def main():
    journal = Journal(Path(sys.argv[1]), 1000)
    await asyncio.gather(*(journal.append("call", b"{}") for _ in range(100)))
    journal.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path):
    opened = Journal(path, 1000)
    yield opened
    opened.close()


def start(script, path, **options):
    command = [sys.executable, "-c", script, str(path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE, **options)


def query(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def append(journal, *bodies):
    """Append entries at the same time; what each came to."""

    async def append_all():
        return await asyncio.gather(*(journal.append("call", body) for body in bodies), return_exceptions=True)

    return asyncio.run(append_all())


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(path):
    with start(WRITE_FOREVER, path, stdout=subprocess.PIPE) as process:
        acknowledged = [process.stdout.readline().strip() for _ in range(400)]
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert all(acknowledged)
    kept = [body.decode() for (body,) in query(path, "SELECT body FROM entry ORDER BY seq")]
    assert not set(acknowledged) - set(kept)
    assert len(kept) == len(set(kept))
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


def test_worker_processes_that_start_together_share_one_file(path):
    processes = [start(WRITE_SOME, path) for _ in range(2)]
    complaints = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 2, complaints
    assert query(path, "SELECT count(*) FROM entry") == [(200,)]


def test_entries_are_taken_in_the_order_in_which_they_came(journal):
    for number in range(5):
        append(journal, str(number).encode())
    assert [entry.body for entry in journal.take(3)] == [b"0", b"1", b"2"]
    journal.forget(journal.take(2)[-1].seq)
    assert [entry.body for entry in journal.take(9)] == [b"2", b"3", b"4"]


def test_a_number_is_never_given_twice_when_its_entry_is_gone(path, journal):
    append(journal, b"a", b"b")
    journal.forget(journal.take(9)[-1].seq)
    journal.close()
    again = Journal(path, 10)
    append(again, b"c")
    assert [entry.seq for entry in again.take(9)] == [3]
    again.close()


def test_a_journal_that_is_opened_again_has_its_name_and_what_waited(path, journal):
    append(journal, b"a", b"b")
    journal.close()
    again = Journal(path, 10)
    assert (again.id, again.depth) == (journal.id, 2)
    assert [entry.body for entry in again.take(9)] == [b"a", b"b"]
    again.close()


def test_two_journals_have_two_names(tmp_path, journal):
    other = Journal(tmp_path / "other.sqlite3", 10)
    assert other.id != journal.id
    other.close()


def test_close_writes_what_is_waiting(path, journal):
    async def append_and_close():
        waiting = [asyncio.ensure_future(journal.append("call", b"{}")) for _ in range(50)]
        await asyncio.sleep(0)
        journal.close()
        await asyncio.gather(*waiting)

    asyncio.run(append_and_close())
    assert query(path, "SELECT count(*) FROM entry") == [(50,)]
    assert not path.with_name(f"{path.name}-wal").exists()


def test_an_entry_is_written_and_counted_though_its_caller_gave_up(journal):
    async def append_and_give_up():
        task = asyncio.ensure_future(journal.append("call", b"{}"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(append_and_give_up())
    assert len(journal.take(9)) == 1
    assert journal.depth == 1


def test_what_waits_together_is_committed_together(path):
    statements = []
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.set_trace_callback(statements.append)
    writer = GroupWriter(connection)
    gate = threading.Event()

    async def write_behind_a_slow_one():
        slow = asyncio.ensure_future(writer.write(lambda _: gate.wait()))
        waiting = [asyncio.ensure_future(writer.write(lambda _: None)) for _ in range(100)]
        await asyncio.sleep(0.05)
        gate.set()
        await asyncio.gather(slow, *waiting)

    asyncio.run(write_behind_a_slow_one())
    writer.close()
    assert statements.count("COMMIT") <= 3


def test_work_with_a_fault_of_ours_fails_alone_and_the_writer_lives_on(path):
    writer = GroupWriter(sqlite3.connect(path, isolation_level=None, check_same_thread=False))

    async def write():
        work = (lambda _: 1, lambda _: 1 // 0, lambda _: 3)
        return await asyncio.gather(*(writer.write(each) for each in work), return_exceptions=True)

    first, failed, last = asyncio.run(write())
    writer.close()
    assert (first, last) == (1, 3)
    assert isinstance(failed, ZeroDivisionError)


def test_a_commit_that_fails_is_told_to_all_who_wait_and_the_next_one_works(path, journal):
    journal._writer._connection.execute("PRAGMA busy_timeout = 20")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        failures = append(journal, b"a", b"b", b"c")
        other.execute("ROLLBACK")
    assert [type(failure) for failure in failures] == [LedgerError] * 3
    assert append(journal, b"d") == [None]
    assert [entry.body for entry in journal.take(9)] == [b"d"]
    assert journal.depth == 1


def test_a_full_disk_is_named_and_the_journal_works_and_counts_again_once_there_is_room(path, journal):
    append(journal, b"x" * 100)
    page_count = query(path, "PRAGMA page_count")[0][0]
    journal._writer._connection.execute(f"PRAGMA max_page_count = {page_count}")
    failures = [failure for failure in append(journal, *[b"x" * 1000] * 100) if failure is not None]
    assert failures
    assert all(isinstance(failure, LedgerError) and "full" in str(failure) for failure in failures)
    journal._writer._connection.execute("PRAGMA max_page_count = 100000")
    assert append(journal, b"x") == [None]
    assert query(path, "SELECT count(*) FROM entry") == [(102 - len(failures),)]
    assert journal.depth == 102 - len(failures)


def test_the_file_tells_what_it_is_and_is_nobody_elses_to_read(path, journal):
    append(journal, b"{}")
    files = sorted(path.parent.iterdir())
    modes = [file.stat().st_mode & 0o777 for file in files]
    assert len(files) == 3
    assert modes == [0o600] * 3
    assert query(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


def test_the_folder_is_made_if_only_it_is_missing(tmp_path):
    Journal(tmp_path / "data" / "journal.sqlite3", 10).close()
    assert (tmp_path / "data" / "journal.sqlite3").exists()
    with pytest.raises(LedgerError, match="cannot be opened"):
        Journal(tmp_path / "no" / "such" / "journal.sqlite3", 10)


def test_a_file_of_a_newer_release_is_refused(path):
    Journal(path, 10).close()
    query(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(LedgerError, match=f"schema version {SCHEMA_VERSION + 1}"):
        Journal(path, 10)


def test_somebody_elses_database_is_refused_and_left_alone(path):
    query(path, "CREATE TABLE patients (name)")
    with pytest.raises(LedgerError, match="not a journal"):
        Journal(path, 10)
    assert query(path, "PRAGMA journal_mode") == [("delete",)]


def test_a_file_that_is_no_database_is_refused(path):
    path.write_text("somebody's shopping list, long enough to be read as a header " * 20)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Journal(path, 10)
    assert path.read_text().startswith("somebody's")


def test_the_room_of_what_could_not_be_written_or_was_given_up_is_neither_lost_nor_counted_twice(path):
    with closing(Journal(path, 3)) as journal, closing(sqlite3.connect(path)) as other:
        other.execute("ALTER TABLE entry RENAME TO away")

        async def fail():
            return await asyncio.gather(*(journal.append("call", b"{}") for _ in range(3)), return_exceptions=True)

        assert [type(outcome) for outcome in asyncio.run(fail())] == [LedgerError] * 3
        other.execute("ALTER TABLE away RENAME TO entry")

        async def give_up():
            waiting = asyncio.create_task(journal.append("call", b"{}"))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            journal.count_set_aside()  # whatever was handed over before is written by then
            await asyncio.gather(*(journal.append("call", b"{}") for _ in range(2)))

        asyncio.run(give_up())
        assert journal.depth == 3
        with pytest.raises(JournalFullError):
            asyncio.run(journal.append("call", b"{}"))
        journal.forget(journal.take(3)[-1].seq)
        asyncio.run(give_up())
        assert journal.depth == 3
