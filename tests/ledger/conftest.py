"""Records, entries and ledgers for these tests."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from cds_service.decision.records import CardRecord, DecisionRecord, FeedbackEntry
from cds_service.ledger import Journal, MemoryLedger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_card(uuid: str | None = None, **changes: object) -> CardRecord:
    values = {
        "uuid": uuid or str(uuid4()),
        "recommendation_id": "FD-AFO-01",
        "version": "0.1.0",
        "indicator": "info",
        "suggestion_uuids": (str(uuid4()), str(uuid4())),
    }
    return CardRecord(**(values | changes))  # type: ignore[arg-type]  # a builder for tests


def make_decision(**changes: object) -> DecisionRecord:
    values = {
        "call_id": str(uuid4()),
        "at": NOON,
        "client": "general-hospital",
        "service_id": "foot-drop-patient-view",
        "hook": "patient-view",
        "hook_instance": str(uuid4()),
        "knowledge_fingerprint": "sha256:0123456789abcdef",
        "outcome": "cards",
        "gaps": ("conditions", "ncs"),
        "duration_ms": 1.25,
        "cards": (make_card(), make_card(recommendation_id="FD-NCS-02", state="folded", suggestion_uuids=())),
    }
    return DecisionRecord(**(values | changes))  # type: ignore[arg-type]  # a builder for tests


def make_feedback(card: str, *, minutes: int = 0, **changes: object) -> FeedbackEntry:
    values = {"card": card, "outcome": "accepted", "outcome_timestamp": NOON + timedelta(minutes=minutes)}
    return FeedbackEntry(**(values | changes))  # type: ignore[arg-type]  # a builder for tests


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture(params=["journal", "memory"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Journal | MemoryLedger]:
    opened: dict[str, Callable[[], Journal | MemoryLedger]] = {"journal": lambda: Journal(path), "memory": MemoryLedger}
    under_test = opened[request.param]()
    yield under_test
    under_test.close()
