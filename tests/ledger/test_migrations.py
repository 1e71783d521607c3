"""The tables are made by steps, and come out as the code has them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from cds_service.ledger import database, open_database
from cds_service.ledger.tables import metadata
from tests.api.world import ROOT
from tests.ledger.stores import SQLiteStore

MIGRATE = "import sys; from cds_service.ledger import open_database; open_database(sys.argv[1]).migrate()"


def step(store):
    with store.database().reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head():
    return ScriptDirectory(str(database._MIGRATIONS)).get_current_head()


def test_the_steps_make_the_tables_that_the_code_has(bare_store):
    with bare_store.database().reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    assert step(bare_store) == head()


def test_every_index_and_key_of_the_code_is_in_the_database(bare_store):
    with bare_store.database().reading() as connection:
        there = sa.inspect(connection)
        for name, table in metadata.tables.items():
            assert set(there.get_pk_constraint(name)["constrained_columns"]) == set(table.primary_key.columns.keys())
            assert {one["name"] for one in there.get_indexes(name)} >= {index.name for index in table.indexes}


def test_every_table_of_what_clients_send_has_the_client_in_its_key():
    assert {name for name, table in metadata.tables.items() if "client" not in table.primary_key.columns} <= {
        "delivery"
    }


def test_migrating_again_changes_nothing(bare_store):
    for _ in range(3):
        bare_store.database().migrate()
    assert step(bare_store) == head()


def test_threads_that_migrate_at_once_all_succeed(bare_store):
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(bare_store.database().migrate) for _ in range(8)]:
            done.result()
    assert step(bare_store) == head()


def test_processes_that_migrate_at_once_all_succeed(bare_store):
    command = [sys.executable, "-c", MIGRATE, bare_store.url]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    complaints = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 2, complaints
    assert step(bare_store) == head()


def test_other_databases_of_one_process_can_be_migrated_at_the_same_time(tmp_path):
    stores = []
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        stores.append(SQLiteStore(tmp_path / str(number)))
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(one.database().migrate) for one in stores]:
            done.result()
    assert [step(one) for one in stores] == [head()] * 8
    for one in stores:
        assert one.rows("call") == []
        one.close()


def test_a_ledger_of_an_earlier_release_is_not_taken_for_ours(tmp_path):
    file = tmp_path / "ledger.sqlite3"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE decision (call_id TEXT)"))
    engine.dispose()
    with pytest.raises(database.LedgerError, match="move it away"):
        open_database(f"sqlite:///{file}")
