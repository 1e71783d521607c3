"""Which ledger a database URL opens."""

import sqlite3
import stat
from contextlib import closing

import pytest

from cds_service.ledger import LedgerError, open_database, open_ledger, open_pseudonyms
from cds_service.ledger.sqlite_files import APPLICATION_ID, LEDGER_ID
from tests.ledger.records import make_call
from tests.ledger.stores import drained, keep


def application_id(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA application_id").fetchone()[0]


def test_a_relative_path_counts_from_where_the_service_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = open_ledger("sqlite:///ledger.sqlite3")
    monkeypatch.chdir("/")
    keep(ledger, make_call())
    drained(ledger).close()
    assert {file.name for file in tmp_path.iterdir()} == {"ledger.sqlite3", "ledger.journal.sqlite3"}


def test_an_absolute_path_has_four_slashes_and_may_have_odd_characters(tmp_path):
    path = tmp_path / "ledger of ward 3#100%20.sqlite3"
    ledger = open_ledger(f"sqlite:///{path}")
    keep(ledger, make_call())
    drained(ledger).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM call").fetchone() == (1,)


def test_the_journal_stands_beside_the_database_unless_it_is_named(tmp_path):
    open_ledger(f"sqlite:///{tmp_path}/l.db").close()
    open_ledger(f"sqlite:///{tmp_path}/m.db", tmp_path / "elsewhere.db").close()
    assert {file.name for file in tmp_path.iterdir()} == {"l.db", "l.journal.db", "m.db", "elsewhere.db"}
    assert application_id(tmp_path / "l.db") == LEDGER_ID
    assert application_id(tmp_path / "elsewhere.db") == APPLICATION_ID


def test_the_files_are_nobody_elses_to_read(tmp_path):
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite3")
    open_pseudonyms(f"sqlite:///{tmp_path}/ledger.sqlite3", None)
    keep(ledger, make_call())
    drained(ledger)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    ledger.close()
    assert set(modes) >= {"ledger.sqlite3", "ledger.sqlite3-wal", "ledger.journal.sqlite3", "ledger.key"}
    assert set(modes.values()) == {0o600}


def test_no_path_is_a_ledger_that_is_gone_with_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ledger = open_ledger("sqlite://")
    keep(ledger, make_call())
    drained(ledger)
    assert list(tmp_path.iterdir())
    ledger.close()
    assert not list(tmp_path.iterdir())


def test_a_ledger_that_is_gone_with_the_process_cannot_be_looked_at_from_outside(tmp_path):
    with pytest.raises(LedgerError, match="cannot be looked at"):
        open_database("sqlite://")
    with pytest.raises(LedgerError, match="no ledger at"):
        open_database(f"sqlite:///{tmp_path}/nothing.sqlite3")


def test_postgresql_is_waited_for_when_it_cannot_be_had(tmp_path):
    ledger = open_ledger("postgresql://nobody:secret@127.0.0.1:1/nothing", tmp_path / "journal.sqlite3")
    keep(ledger, make_call())
    assert ledger.journal.depth == 1
    ledger.close()


@pytest.mark.parametrize("url", ["postgresql+psycopg://u:secret@db/x", "mysql://u:secret@db/x", "sqlite+x:///secret"])
def test_other_databases_are_refused_and_no_password_is_repeated(url):
    with pytest.raises(LedgerError, match="only SQLite and PostgreSQL are supported") as refused:
        open_ledger(url)
    assert "secret" not in str(refused.value)


def test_a_postgresql_url_that_cannot_be_read_is_refused_and_no_password_is_repeated(tmp_path):
    with pytest.raises(LedgerError, match="cannot be read") as refused:
        open_ledger("postgresql://u:secret@db:port/x", tmp_path / "journal.sqlite3")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "ledger.sqlite3", "/data/secret.sqlite3", "sqlite:/x"])
def test_what_is_not_a_url_is_refused(url):
    with pytest.raises(LedgerError, match="not a URL"):
        open_ledger(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///",
        "sqlite:////",
        "sqlite://data/ledger",
        "sqlite:///folder/",
        "sqlite:///x?mode=ro",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_names_no_file_is_refused(url):
    with pytest.raises(LedgerError, match="names no file"):
        open_ledger(url)
