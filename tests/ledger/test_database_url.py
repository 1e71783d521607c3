"""Which ledger a database URL opens."""

import asyncio
from pathlib import Path

import pytest

from cds_service.ledger import Journal, LedgerError, MemoryLedger, open_ledger
from tests.ledger.conftest import make_decision


def test_a_relative_path_counts_from_where_the_service_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = open_ledger("sqlite:///ledger.sqlite3")
    monkeypatch.chdir("/")
    decision = make_decision()
    asyncio.run(ledger.record(decision))
    assert asyncio.run(ledger.cards_shown(decision.client, decision.call_id)) == decision.cards
    ledger.close()
    assert isinstance(ledger, Journal)
    assert (tmp_path / "ledger.sqlite3").exists()


def test_an_absolute_path_has_four_slashes(tmp_path: Path) -> None:
    path = tmp_path / "ledger of ward 3#.sqlite3"
    ledger = open_ledger(f"sqlite:///{path}")
    assert asyncio.run(ledger.cards_shown("client", "call")) == ()
    ledger.close()
    assert path.exists()


def test_no_path_is_memory() -> None:
    assert isinstance(open_ledger("sqlite://"), MemoryLedger)


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@db/x", "postgresql+psycopg://u:secret@db/x", "mysql://u:secret@db/x"]
)
def test_other_databases_come_later_and_no_password_is_repeated(url: str) -> None:
    with pytest.raises(LedgerError, match="PostgreSQL comes later") as refused:
        open_ledger(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "ledger.sqlite3", "/data/secret.sqlite3", "sqlite:/x"])
def test_what_is_not_a_url_is_refused(url: str) -> None:
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
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(LedgerError, match="names no file"):
        open_ledger(url)
