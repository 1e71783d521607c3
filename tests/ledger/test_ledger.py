"""What every ledger does: the same tests for the journal and for its twin in memory."""

import asyncio
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from cds_service.decision.records import CardRecord, DecisionRecord, FeedbackEntry, FeedbackReport
from cds_service.ledger import Journal, LedgerError, MemoryLedger
from tests.ledger.conftest import NOON, make_card, make_decision, make_feedback

Ledger = Journal | MemoryLedger
CLIENT, SERVICE = "general-hospital", "foot-drop-patient-view"


def send(ledger: Ledger, *entries: FeedbackEntry, client: str = CLIENT) -> FeedbackReport:
    return asyncio.run(ledger.record_feedback(client, SERVICE, entries, NOON))


class TestDecisions:
    def test_a_decision_is_read_back_as_it_was_written(self, ledger: Ledger) -> None:
        decision = make_decision()
        asyncio.run(ledger.record(decision))
        assert asyncio.run(ledger.decision_for(decision.client, decision.call_id)) == decision

    def test_cards_come_back_in_the_order_of_the_answer(self, ledger: Ledger) -> None:
        cards = tuple(make_card(recommendation_id=f"FD-{number:02}") for number in range(12))
        decision = make_decision(cards=cards)
        asyncio.run(ledger.record(decision))
        assert asyncio.run(ledger.cards_shown(decision.client, decision.call_id)) == cards

    def test_a_call_without_cards_is_kept_too(self, ledger: Ledger) -> None:
        decision = make_decision(cards=(), gaps=(), outcome="nothing to recommend")
        asyncio.run(ledger.record(decision))
        assert asyncio.run(ledger.decision_for(decision.client, decision.call_id)) == decision
        assert asyncio.run(ledger.cards_shown(decision.client, decision.call_id)) == ()

    def test_folded_recommendations_share_the_uuid_of_their_card(self, ledger: Ledger) -> None:
        cards = tuple(make_card("shared", recommendation_id=name, state="folded") for name in ("FD-A", "FD-B"))
        decision = make_decision(cards=cards)
        asyncio.run(ledger.record(decision))
        assert asyncio.run(ledger.cards_shown(decision.client, decision.call_id)) == cards
        assert send(ledger, make_feedback("shared")) == FeedbackReport(stored=1)

    def test_a_time_in_another_zone_is_the_same_instant(self, ledger: Ledger) -> None:
        decision = make_decision(at=NOON.astimezone(ZoneInfo("Europe/Brussels")))
        asyncio.run(ledger.record(decision))
        found = asyncio.run(ledger.decision_for(decision.client, decision.call_id))
        assert found is not None
        assert found.at == NOON

    def test_a_time_without_a_zone_is_refused(self, ledger: Ledger) -> None:
        decision = make_decision(at=NOON.replace(tzinfo=None))
        with pytest.raises(ValueError, match="time zone"):
            asyncio.run(ledger.record(decision))
        assert asyncio.run(ledger.decision_for(decision.client, decision.call_id)) is None

    def test_a_call_id_is_kept_once_for_a_client(self, ledger: Ledger) -> None:
        decision = make_decision()
        asyncio.run(ledger.record(decision))
        with pytest.raises(LedgerError):
            asyncio.run(ledger.record(make_decision(call_id=decision.call_id, outcome="other")))
        assert asyncio.run(ledger.decision_for(decision.client, decision.call_id)) == decision

    def test_clients_do_not_meet(self, ledger: Ledger) -> None:
        ours, theirs = make_decision(call_id="same"), make_decision(call_id="same", client="elsewhere")
        asyncio.run(ledger.record(ours))
        assert asyncio.run(ledger.decision_for("elsewhere", "same")) is None
        asyncio.run(ledger.record(theirs))
        assert asyncio.run(ledger.decision_for("elsewhere", "same")) == theirs
        assert asyncio.run(ledger.decision_for(CLIENT, "same")) == ours

    def test_two_hundred_at_once_are_all_kept(self, ledger: Ledger) -> None:
        decisions = [make_decision() for _ in range(200)]

        async def record_all() -> None:
            await asyncio.gather(*(ledger.record(decision) for decision in decisions))

        asyncio.run(record_all())
        for decision in decisions:
            assert asyncio.run(ledger.decision_for(decision.client, decision.call_id)) == decision

    def test_one_bad_record_among_many_fails_alone(self, ledger: Ledger) -> None:
        decisions = [make_decision() for _ in range(50)]
        attempts = [*decisions[:25], decisions[0], *decisions[25:]]

        async def record_all() -> list[BaseException | None]:
            return await asyncio.gather(*(ledger.record(each) for each in attempts), return_exceptions=True)

        failures = [failure for failure in asyncio.run(record_all()) if failure is not None]
        assert [type(failure) for failure in failures] == [LedgerError]
        for decision in decisions:
            assert asyncio.run(ledger.decision_for(decision.client, decision.call_id)) == decision


class TestFeedback:
    def test_feedback_on_a_card_that_was_shown_is_stored(self, ledger: Ledger) -> None:
        decision = make_decision()
        asyncio.run(ledger.record(decision))
        card = decision.cards[0]
        entry = make_feedback(card.uuid, accepted_suggestions=tuple(sorted(card.suggestion_uuids)))
        assert send(ledger, entry) == FeedbackReport(stored=1)
        assert asyncio.run(ledger.feedback_for(CLIENT, card.uuid)) == entry

    def test_the_reason_of_an_override_is_kept(self, ledger: Ledger) -> None:
        entry = make_feedback(
            "card", outcome="overridden", reason_system="https://example.org/r", reason_code="wheelchair"
        )
        send(ledger, entry)
        assert asyncio.run(ledger.feedback_for(CLIENT, "card")) == entry

    def test_nothing_is_known_of_a_card_without_feedback(self, ledger: Ledger) -> None:
        assert asyncio.run(ledger.feedback_for(CLIENT, "card")) is None

    def test_no_entries_make_an_empty_report(self, ledger: Ledger) -> None:
        assert send(ledger) == FeedbackReport()

    @pytest.mark.parametrize("times", [2, 5])
    def test_a_repeat_changes_nothing(self, ledger: Ledger, times: int) -> None:
        entry = make_feedback("card", outcome="overridden", reason_system="s", reason_code="c")
        reports = [send(ledger, entry) for _ in range(times)]
        assert reports[0] == FeedbackReport(stored=1, unknown=1)
        assert reports[1:] == [FeedbackReport(repeated=1, unknown=1)] * (times - 1)

    def test_a_repeat_within_one_call_is_stored_once(self, ledger: Ledger) -> None:
        assert send(ledger, *[make_feedback("card")] * 3) == FeedbackReport(stored=1, repeated=2, unknown=3)

    def test_the_order_of_suggestions_and_the_time_zone_do_not_make_a_new_entry(self, ledger: Ledger) -> None:
        east = timezone(timedelta(hours=2))
        entry = make_feedback("card", accepted_suggestions=("b", "a"))
        same = make_feedback("card", accepted_suggestions=("a", "b"), outcome_timestamp=NOON.astimezone(east))
        send(ledger, entry)
        assert send(ledger, same).repeated == 1

    @pytest.mark.parametrize(
        "difference",
        [
            {"outcome": "overridden"},
            {"outcome_timestamp": NOON + timedelta(microseconds=1)},
            {"accepted_suggestions": ("a",)},
            {"reason_system": "s"},
            {"reason_code": "c"},
            {"card": "another"},
        ],
        ids=lambda difference: next(iter(difference)),
    )
    def test_an_entry_that_differs_is_stored(self, ledger: Ledger, difference: dict[str, object]) -> None:
        send(ledger, make_feedback("card"))
        assert send(ledger, make_feedback(**({"card": "card"} | difference))).stored == 1  # type: ignore[arg-type]

    def test_feedback_that_overtakes_its_card_is_kept(self, ledger: Ledger) -> None:
        decision = make_decision()
        entry = make_feedback(decision.cards[0].uuid)
        assert send(ledger, entry) == FeedbackReport(stored=1, unknown=1)
        asyncio.run(ledger.record(decision))
        assert send(ledger, entry) == FeedbackReport(repeated=1)
        assert asyncio.run(ledger.feedback_for(CLIENT, entry.card)) == entry

    @pytest.mark.parametrize("arrival", [(0, 10), (10, 0)], ids=["in order", "out of order"])
    def test_the_latest_outcome_stands_however_it_arrives(self, ledger: Ledger, arrival: tuple[int, int]) -> None:
        outcomes = {0: "overridden", 10: "accepted"}
        for minutes in arrival:
            send(ledger, make_feedback("card", minutes=minutes, outcome=outcomes[minutes]))
        found = asyncio.run(ledger.feedback_for(CLIENT, "card"))
        assert found is not None
        assert found.outcome == "accepted"

    def test_of_two_at_the_same_instant_the_last_to_arrive_stands(self, ledger: Ledger) -> None:
        send(ledger, make_feedback("card", outcome="overridden"))
        send(ledger, make_feedback("card", outcome="accepted"))
        send(ledger, make_feedback("card", outcome="overridden", reason_code="c"))
        found = asyncio.run(ledger.feedback_for(CLIENT, "card"))
        assert found is not None
        assert found.reason_code == "c"

    def test_another_client_neither_knows_the_card_nor_sees_the_feedback(self, ledger: Ledger) -> None:
        decision = make_decision()
        asyncio.run(ledger.record(decision))
        entry = make_feedback(decision.cards[0].uuid)
        assert send(ledger, entry, client="elsewhere") == FeedbackReport(stored=1, unknown=1)
        assert asyncio.run(ledger.feedback_for(CLIENT, entry.card)) is None
        assert send(ledger, entry) == FeedbackReport(stored=1)

    def test_an_entry_without_a_time_zone_keeps_the_others_out_too(self, ledger: Ledger) -> None:
        good, bad = make_feedback("good"), make_feedback("bad", outcome_timestamp=datetime(2026, 1, 1))  # noqa: DTZ001 - the fault under test
        with pytest.raises(ValueError, match="time zone"):
            send(ledger, good, bad)
        assert asyncio.run(ledger.feedback_for(CLIENT, "good")) is None


class TestClosing:
    def test_a_closed_ledger_refuses_to_write_and_still_reads(self, ledger: Ledger) -> None:
        decision = make_decision()
        asyncio.run(ledger.record(decision))
        ledger.close()
        ledger.close()
        with pytest.raises(LedgerError, match="closed"):
            asyncio.run(ledger.record(make_decision()))
        with pytest.raises(LedgerError, match="closed"):
            send(ledger, make_feedback("card"))
        assert asyncio.run(ledger.decision_for(decision.client, decision.call_id)) == decision


def test_there_is_no_place_for_a_patient_a_user_or_free_text() -> None:
    names = {field.name for record in (DecisionRecord, CardRecord, FeedbackEntry) for field in fields(record)}
    assert names == {
        *("call_id", "at", "client", "service_id", "hook", "hook_instance", "knowledge_fingerprint", "outcome", "gaps"),
        *("duration_ms", "cards", "uuid", "recommendation_id", "version", "indicator", "suggestion_uuids", "state"),
        *("card", "outcome_timestamp", "accepted_suggestions", "reason_system", "reason_code"),
    }
