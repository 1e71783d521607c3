"""A real PostgreSQL, and an empty database of each kind for each test."""

import pytest

from tests.ledger.stores import PostgreSQL, PostgreSQLStore, SQLiteStore


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        server = PostgreSQL()
        yield server
        server.remove()


@pytest.fixture(scope="session")
def _pattern(tmp_path_factory):
    """A SQLite ledger with tables and nothing in them."""
    made = SQLiteStore(tmp_path_factory.mktemp("pattern"))
    made.database().migrate()
    made.close()
    return made.file


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    if request.param == "sqlite":
        opened = SQLiteStore(tmp_path, request.getfixturevalue("_pattern"))
    else:
        opened = PostgreSQLStore(tmp_path, request.getfixturevalue("postgresql"))
    yield opened
    opened.come_back()
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_store(request, tmp_path):
    """A database without tables."""
    if request.param == "sqlite":
        opened = SQLiteStore(tmp_path)
    else:
        opened = PostgreSQLStore(tmp_path, request.getfixturevalue("postgresql"), without_tables=True)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path, _pattern):
    opened = SQLiteStore(tmp_path, _pattern)
    yield opened
    opened.come_back()
    opened.close()


@pytest.fixture
def postgresql_store(postgresql, tmp_path):
    opened = PostgreSQLStore(tmp_path, postgresql)
    yield opened
    opened.come_back()
    opened.close()


@pytest.fixture
def ledger(store):
    return store.open()


@pytest.fixture
def impatient(monkeypatch):
    """A database that is down is noticed at once, and looked for again soon."""
    monkeypatch.setattr("cds_service.ledger.database_url._CONNECT_SECONDS", 0.1)
    monkeypatch.setattr("cds_service.ledger.courier._LONGEST_PAUSE", 0.2)
