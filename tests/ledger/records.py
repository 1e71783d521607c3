"""Records and entries for these tests."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cds_service.decision.records import CardRecord, DataGap, DecisionRecord, FeedbackEntry, Pseudonyms, Timings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLIENT, SERVICE = "general-hospital", "foot-drop-patient-view"
SYSTEM = "https://example.org/override-reasons"


def make_card(uuid=None, **changes):
    values = {
        "uuid": uuid or str(uuid4()),
        "recommendation_id": "FD-AFO-01",
        "version": "0.1.0",
        "indicator": "info",
        "suggestion_uuids": (str(uuid4()), str(uuid4())),
    }
    return CardRecord(**(values | changes))


def make_call(*cards, **changes):
    values = {
        "call_id": str(uuid4()),
        "at": NOON,
        "client": CLIENT,
        "service_id": SERVICE,
        "hook": "patient-view",
        "hook_instance": str(uuid4()),
        "knowledge_fingerprint": "sha256:0123456789abcdef",
        "outcome": "complete with cards",
        "gaps": (DataGap("conditions", "conditions", "missing", "timeout"), DataGap("ncs", "observations", "partial")),
        "cards": cards,
        "timings": Timings(0.5, 20.25, 1.125),
        "whom": Pseudonyms("1f" * 20, "2e" * 20, "3d" * 20),
    }
    return DecisionRecord(**(values | changes))


def make_entry(card, minutes=0, **changes):
    values = {"card": card, "outcome": "accepted", "outcome_timestamp": NOON + timedelta(minutes=minutes)}
    return FeedbackEntry(**(values | changes))


def make_override(card, minutes=0, code="wheelchair", **changes):
    reason = {"outcome": "overridden", "reason_system": SYSTEM, "reason_code": code}
    return make_entry(card, minutes, **(reason | changes))
