"""Looking after the ledger: numbers, lines, letting go; by hand and by itself."""

import asyncio
import datetime as dt
import json

import pytest

from cds_service.cli import main
from cds_service.ledger.courier import Courier
from cds_service.ledger.upkeep import export, purge, stats
from tests.ledger.records import CLIENT, NOON, SERVICE, make_call, make_card, make_entry
from tests.ledger.stores import drained

LATER = NOON + dt.timedelta(days=40)


def fill(ledger):
    """A call with feedback, and another forty days later."""
    old, new = make_call(make_card(), make_card()), make_call(make_card(), at=LATER)

    async def keep():
        await ledger.record(old)
        await ledger.record(new)
        await ledger.record_feedback(CLIENT, SERVICE, [make_entry(old.cards[0].uuid)], NOON)

    asyncio.run(keep())
    drained(ledger)
    return old, new


def test_the_numbers_tell_how_much_there_is_and_from_when_to_when(ledger):
    assert {table["rows"] for table in stats(ledger.database).values()} == {0}
    old, new = fill(ledger)
    found = stats(ledger.database)
    assert {name: table["rows"] for name, table in found.items()} == {
        "call": 2,
        "card": len(old.cards) + len(new.cards),
        "feedback": 1,
        "comment": 0,
    }
    assert (found["call"]["first"], found["call"]["last"]) == (NOON.isoformat(), LATER.isoformat())


def test_every_row_is_a_line_with_the_name_of_its_table(ledger):
    old, new = fill(ledger)
    lines = [json.loads(line) for line in export(ledger.database)]
    assert [line["call_id"] for line in lines if line["table"] == "call"] == [old.call_id, new.call_id]
    assert {line["table"] for line in lines} == {"call", "card", "feedback"}
    since = [json.loads(line) for line in export(ledger.database, LATER)]
    assert {line["call_id"] for line in since} == {new.call_id}


def test_what_is_older_is_deleted_and_the_rest_is_not(ledger):
    old, new = fill(ledger)
    gone = purge(ledger.database, LATER)
    assert gone == {"call": 1, "card": len(old.cards), "feedback": 1, "comment": 0}
    assert {json.loads(line)["call_id"] for line in export(ledger.database)} == {new.call_id}
    assert purge(ledger.database, LATER) == {"call": 0, "card": 0, "feedback": 0, "comment": 0}


def test_what_is_older_than_the_period_goes_by_itself(store):
    ledger = store.open()
    old = make_call(at=dt.datetime.now(dt.UTC) - dt.timedelta(days=31))
    new = make_call(at=dt.datetime.now(dt.UTC) - dt.timedelta(days=29))
    asyncio.run(ledger.record(old))
    asyncio.run(ledger.record(new))
    drained(ledger)
    courier = Courier(ledger.journal, ledger.database, dt.timedelta(days=30))
    courier.start()
    courier.stop(5)
    assert {json.loads(line)["call_id"] for line in export(ledger.database)} == {new.call_id}


def test_the_command_line_looks_after_a_sqlite_ledger(sqlite_store, monkeypatch, tmp_path, capsys):
    fill(sqlite_store.open())
    sqlite_store.close()
    monkeypatch.setenv("CDS_DATABASE_URL", f"sqlite:///{sqlite_store.file}")
    assert main(["ledger", "stats"]) == 0
    assert "call: 2 rows, 2026-11-22T12:00:00+00:00 to " in capsys.readouterr().out
    assert main(["ledger", "export", "--out", str(tmp_path / "all.ndjson"), "--since", "2026-12-01"]) == 0
    lines = (tmp_path / "all.ndjson").read_text().splitlines()
    assert {json.loads(line)["at"][:10] for line in lines} == {"2027-01-01"}
    assert main(["ledger", "purge", "--older-than", "0"]) == 0
    assert "feedback: " in capsys.readouterr().out


@pytest.mark.parametrize("url", ["sqlite:///{}/none.sqlite3", "sqlite://", "mysql://x"])
def test_the_command_line_says_so_when_there_is_no_such_ledger(url, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CDS_DATABASE_URL", url.format(tmp_path))
    assert main(["ledger", "stats"]) == 1
    assert capsys.readouterr().err.startswith("cds-service: ")
    assert list(tmp_path.iterdir()) == []


def test_a_negative_age_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("CDS_DATABASE_URL", "sqlite://")
    assert main(["ledger", "purge", "--older-than", "-1"]) == 1
    assert "a number of days" in capsys.readouterr().err
