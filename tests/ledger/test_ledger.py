"""What is kept of calls and feedback, and what stands for a card: the same on SQLite and on PostgreSQL."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from cds_service.decision.records import RECORD_CORRECTION, FeedbackReport, Pseudonyms
from cds_service.errors import ForbiddenError, LedgerError
from tests.ledger.records import CLIENT, NOON, SERVICE, SYSTEM, make_call, make_card, make_entry, make_override
from tests.ledger.stores import drained, keep, report

BRUSSELS = ZoneInfo("Europe/Brussels")


@pytest.fixture
def card():
    return make_card()


@pytest.fixture
def shown(ledger, card):
    """The uuid of a card that is in the database."""
    keep(ledger, make_call(card))
    drained(ledger)
    return card.uuid


def stands(store, ledger):
    """What stands for the only card: outcome, time, reason and accepted suggestions."""
    drained(ledger)
    (found,) = store.standing().values()
    return found


class TestCalls:
    def test_a_call_is_kept_with_all_that_was_said_of_it(self, store, ledger, card):
        call = make_call(card, tenant="ward 3")
        keep(ledger, call)
        drained(ledger)
        (row,) = store.rows("call")
        wanted = {
            "client": CLIENT,
            "call_id": call.call_id,
            "at": NOON,
            "tenant": "ward 3",
            "service_id": SERVICE,
            "hook": "patient-view",
            "hook_instance": call.hook_instance,
            "knowledge_fingerprint": "sha256:0123456789abcdef",
            "outcome": "complete with cards",
            "gaps": [
                {"need": "conditions", "key": "conditions", "state": "missing", "reason": "timeout"},
                {"need": "ncs", "key": "observations", "state": "partial", "reason": None},
            ],
            "parse_ms": 0.5,
            "fetch_ms": 20.25,
            "decide_ms": 1.125,
            "patient": "1f" * 20,
            "user": "2e" * 20,
            "encounter": "3d" * 20,
        }
        assert wanted.items() <= row.items()

    def test_a_card_is_kept_with_whom_it_was_about_and_nothing_stands_for_it_yet(self, store, ledger, card):
        call = make_call(card)
        keep(ledger, call)
        drained(ledger)
        (row,) = store.rows("card")
        wanted = {
            "client": CLIENT,
            "call_id": call.call_id,
            "position": 0,
            "uuid": card.uuid,
            "at": NOON,
            "hook": "patient-view",
            "recommendation_id": "FD-AFO-01",
            "version": "0.1.0",
            "indicator": "info",
            "suggestion_uuids": list(card.suggestion_uuids),
            "state": "returned",
            "patient": "1f" * 20,
            "user": "2e" * 20,
            "encounter": "3d" * 20,
            "outcome": None,
            "outcome_at": None,
            "reason_system": None,
            "reason_code": None,
            "accepted_suggestions": None,
        }
        assert wanted.items() <= row.items()

    def test_cards_stand_in_the_order_of_the_answer(self, store, ledger):
        names = [f"FD-{number:02}" for number in range(12)]
        keep(ledger, make_call(*(make_card(recommendation_id=name) for name in names)))
        drained(ledger)
        assert sorted(store.rows("card", "position", "recommendation_id")) == list(enumerate(names))

    def test_a_call_without_cards_is_kept_too(self, store, ledger):
        keep(ledger, make_call(gaps=(), outcome="nothing to recommend", whom=Pseudonyms()))
        drained(ledger)
        assert store.rows("call", "outcome", "gaps", "patient") == [("nothing to recommend", [], "")]
        assert store.rows("card") == []

    def test_folded_recommendations_share_the_uuid_of_their_card_and_what_stands_for_it(self, store, ledger):
        folded = [make_card("5" * 36, recommendation_id=name, state="folded") for name in ("FD-A", "FD-B")]
        keep(ledger, make_call(make_card(), *folded))
        assert report(ledger, make_entry("5" * 36)) == FeedbackReport()
        drained(ledger)
        outcomes = {name: found[0] for (_, name), found in store.standing().items()}
        assert outcomes == {"FD-AFO-01": None, "FD-A": "accepted", "FD-B": "accepted"}

    def test_a_time_in_another_zone_is_the_same_instant(self, store, ledger, card):
        keep(ledger, make_call(card, at=NOON.astimezone(BRUSSELS)))
        report(ledger, make_entry(card.uuid, outcome_timestamp=NOON.astimezone(BRUSSELS)))
        drained(ledger)
        assert store.rows("call", "at") == store.rows("card", "outcome_at") == [(NOON,)]

    def test_a_time_without_a_zone_is_refused(self, store, ledger, card):
        with pytest.raises(ValueError, match="time zone"):
            keep(ledger, make_call(card, at=NOON.replace(tzinfo=None)))
        drained(ledger)
        assert store.rows("call") == []

    def test_a_call_id_is_kept_once_for_a_client(self, store, ledger, card):
        call = make_call(card)
        keep(ledger, call, replace(call, outcome="other", cards=(make_card(), make_card())))
        drained(ledger)
        assert store.rows("call", "outcome") == [("complete with cards",)]
        assert store.rows("card", "uuid") == [(card.uuid,)]

    def test_two_clients_with_the_same_call_id_do_not_meet(self, store, ledger):
        ours, theirs = make_card(), make_card()
        keep(ledger, make_call(ours, call_id="same"), make_call(theirs, call_id="same", client="elsewhere"))
        report(ledger, make_entry(theirs.uuid), client="elsewhere")
        drained(ledger)
        assert store.rows("call", "client", "call_id") == [("elsewhere", "same"), (CLIENT, "same")]
        assert store.rows("card", "client", "uuid", "outcome") == [
            ("elsewhere", theirs.uuid, "accepted"),
            (CLIENT, ours.uuid, None),
        ]

    def test_a_closed_ledger_refuses_to_write(self, store, ledger):
        ledger.close()
        ledger.close()
        with pytest.raises(LedgerError, match="closed"):
            keep(ledger, make_call())
        with pytest.raises(LedgerError, match="closed"):
            report(ledger, make_entry("card"))
        assert store.rows("call") == []

    def test_what_was_acknowledged_is_in_the_database_when_the_ledger_is_closed_at_once(self, store, ledger):
        keep(ledger, *(make_call() for _ in range(300)))
        ledger.close()
        assert len(store.rows("call")) == 300


class TestFeedback:
    def test_an_acceptance_stands_with_its_suggestions(self, store, ledger, card, shown):
        second, first = sorted(card.suggestion_uuids, reverse=True)
        assert report(ledger, make_entry(shown, accepted_suggestions=(second, first))) == FeedbackReport()
        assert stands(store, ledger) == ("accepted", NOON, "", "", f'["{first}","{second}"]')

    def test_an_override_stands_with_its_reason(self, store, ledger, shown):
        report(ledger, make_override(shown))
        assert stands(store, ledger) == ("overridden", NOON, SYSTEM, "wheelchair", "[]")

    def test_an_override_without_a_reason_stands(self, store, ledger, shown):
        report(ledger, make_override(shown, reason_system=None, reason_code=None))
        assert stands(store, ledger) == ("overridden", NOON, "", "", "[]")

    def test_nothing_stands_for_a_card_without_feedback(self, store, ledger, shown):  # noqa: ARG002  # it is there
        assert stands(store, ledger) == (None,) * 5

    def test_what_was_dismissed_is_looked_up_and_of_an_offered_correction_what_was_accepted_too(self, ledger):
        names = ("FD-AFO-01", "FD-EDX-01", RECORD_CORRECTION, "FD-OTHER")
        dismissed, taken, corrected, other = cards = [make_card(recommendation_id=name) for name in names]
        call = make_call(*cards, make_card(recommendation_id=RECORD_CORRECTION))
        keep(ledger, call)
        report(ledger, make_override(dismissed.uuid, 5), make_override(other.uuid, 5))
        report(ledger, *(make_entry(one.uuid, 6) for one in (taken, corrected)))
        drained(ledger)
        found = ledger.database.overrides(CLIENT, [call.whom.patient], names[:3], NOON)
        assert {(one.recommendation_id, one.shown, one.at) for one in found} == {
            ("FD-AFO-01", NOON, NOON + timedelta(minutes=5)),
            (RECORD_CORRECTION, NOON, NOON + timedelta(minutes=6)),
        }

    def test_no_entries_make_an_empty_report(self, store, ledger):
        assert report(ledger) == FeedbackReport()
        drained(ledger)
        assert store.rows("feedback") == []

    @pytest.mark.norm("FBK-9")
    def test_a_repeat_changes_nothing_in_one_report_or_in_many(self, store, ledger, shown):
        entry = make_override(shown)
        for _ in range(3):
            assert report(ledger, entry, entry) == FeedbackReport()
        drained(ledger)
        (kept,) = store.rows("feedback")
        assert kept["received_at"] == NOON
        assert stands(store, ledger)[3] == "wheelchair"

    def test_the_first_arrival_of_a_repeated_report_is_the_one_whose_time_is_kept(self, store, ledger, shown):
        report(ledger, make_entry(shown), received_at=NOON)
        report(ledger, make_entry(shown), received_at=NOON + timedelta(days=1))
        drained(ledger)
        assert store.rows("feedback", "received_at") == [(NOON,)]

    def test_the_order_of_suggestions_and_the_time_zone_do_not_make_another_entry(self, store, ledger, shown):
        east = timezone(timedelta(hours=2))
        report(ledger, make_entry(shown, accepted_suggestions=("b", "a")))
        report(
            ledger,
            make_entry(shown, accepted_suggestions=("a", "b"), outcome_timestamp=NOON.astimezone(east)),
        )
        drained(ledger)
        assert store.rows("feedback", "accepted_suggestions") == [('["a","b"]',)]

    def test_an_entry_that_differs_in_anything_is_kept_beside_the_others(self, store, ledger):
        differences = (
            {},
            {"outcome": "overridden"},
            {"outcome_timestamp": NOON + timedelta(microseconds=1)},
            {"accepted_suggestions": ("a",)},
            {"accepted_suggestions": ("a", "b")},
            {"reason_system": "urn:x"},
            {"reason_code": "urn:x"},
            {"card": "another"},
        )
        for difference in differences:
            report(ledger, make_entry(**({"card": "card"} | difference)))
        drained(ledger)
        assert len(store.rows("feedback")) == len(differences)

    def test_the_latest_outcome_stands_however_the_reports_arrive(self, store, ledger):
        arrivals = list(itertools.permutations((0, 10, 20)))
        cards = [make_card() for _ in arrivals]
        keep(ledger, make_call(*cards))
        for shown, arrival in zip(cards, arrivals, strict=True):
            said = {
                0: make_override(shown.uuid),
                10: make_entry(shown.uuid, 10),
                20: make_override(shown.uuid, 20, "x"),
            }
            for minutes in arrival:
                report(ledger, said[minutes])
        drained(ledger)
        assert {found[:4] for found in store.standing().values()} == {
            ("overridden", NOON + timedelta(minutes=20), SYSTEM, "x")
        }
        assert len(store.rows("feedback")) == 3 * len(arrivals)

    def test_of_two_at_one_instant_the_same_stands_whichever_comes_first(self, store, ledger):
        pairs = (
            ({"outcome": "overridden"}, {"outcome": "accepted"}),
            ({"reason_code": "a"}, {"reason_code": "b"}),
            ({"reason_system": "urn:a"}, {"reason_system": "urn:b"}),
            ({"reason_system": None}, {"reason_system": "urn:b"}),
            ({"accepted_suggestions": ("a",)}, {"accepted_suggestions": ("b",)}),
            ({"accepted_suggestions": ()}, {"accepted_suggestions": ("b", "c")}),
        )
        shown = [[make_card(), make_card()] for _ in pairs]
        keep(ledger, *(make_call(*cards) for cards in shown))
        for cards, pair in zip(shown, pairs, strict=True):
            for card, order in zip(cards, (pair, pair[::-1]), strict=True):
                for said in order:
                    report(ledger, make_override(card.uuid, **said))
        drained(ledger)
        standing = {uuid: found for (uuid, _), found in store.standing().items()}
        for one, other in shown:
            assert standing[one.uuid] == standing[other.uuid]

    def test_feedback_that_overtakes_its_card_is_kept_and_joined_when_the_card_comes(self, store, ledger, card):
        assert report(ledger, make_override(card.uuid, 5), make_entry(card.uuid)) == FeedbackReport(
            frozenset({card.uuid})
        )
        drained(ledger)
        keep(ledger, make_call(card))
        assert stands(store, ledger)[:2] == ("overridden", NOON + timedelta(minutes=5))
        assert report(ledger, make_entry(card.uuid)) == FeedbackReport()

    def test_a_report_tells_which_cards_are_not_known(self, ledger, shown):
        entries = [make_entry(name) for name in ("nobody", shown, "nowhere", shown)]
        assert report(ledger, *entries) == FeedbackReport(frozenset({"nobody", "nowhere"}))

    def test_a_card_is_known_before_and_after_it_is_in_the_database_and_in_another_process(self, store, ledger, card):
        keep(ledger, make_call(card))
        assert report(ledger, make_entry(card.uuid)) == FeedbackReport()
        drained(ledger)
        assert report(store.open("another.sqlite3"), make_entry(card.uuid)) == FeedbackReport()

    @pytest.mark.parametrize("is_recent", [True, False], ids=["of this process", "of another process"])
    def test_a_card_of_another_client_is_refused_and_nothing_of_the_report_is_kept(
        self, store, ledger, card, is_recent
    ):
        ours = make_card()
        keep(ledger, make_call(ours), make_call(card, client="elsewhere"))
        drained(ledger)
        asked = ledger if is_recent else store.open("another.sqlite3")
        with pytest.raises(ForbiddenError):
            report(asked, make_entry(ours.uuid), make_entry(card.uuid))
        drained(asked)
        assert store.rows("feedback") == []
        assert {found[0] for found in store.standing().values()} == {None}

    def test_feedback_of_another_client_that_overtook_the_card_never_stands_for_it(self, store, ledger, card):
        assert report(ledger, make_entry(card.uuid), client="elsewhere") == FeedbackReport(frozenset({card.uuid}))
        keep(ledger, make_call(card))
        assert stands(store, ledger) == (None,) * 5

    def test_an_entry_without_a_time_zone_keeps_the_others_out_too(self, store, ledger, shown):
        bad = make_entry(shown, outcome_timestamp=datetime(2026, 1, 1))  # noqa: DTZ001  # the fault under test
        with pytest.raises(ValueError, match="time zone"):
            report(ledger, make_entry(shown), bad)
        drained(ledger)
        assert store.rows("feedback") == []


def test_what_was_dismissed_is_found_without_reading_every_card_of_the_patient(sqlite_store):
    database = sqlite_store.database()
    database.migrate()
    asked = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: asked.append((a[2], a[3])))
    database.overrides(CLIENT, ["1f" * 20], ["FD-AFO-01"], NOON)
    statement, values = asked[-1]
    with database.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert [row[-1] for row in plan if "client=? AND patient=? AND outcome=?" in row[-1]], plan


def test_no_statement_of_a_delivery_reads_a_whole_table(sqlite_store):
    """Else a ledger would grow slower with each day."""
    ledger, asked = sqlite_store.open(), []
    sa.event.listen(ledger.database.engine, "before_cursor_execute", lambda *a: asked.append((a[2], a[3], a[5])))
    card = make_card()
    keep(ledger, make_call(card))
    report(ledger, make_override(card.uuid, 1))
    drained(ledger)
    with ledger.database.reading() as connection:
        for statement, values, many in asked:
            if statement.startswith(("SELECT", "UPDATE")):
                first = values[0] if many else values
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", first).all()
                assert not [row[-1] for row in plan if row[-1].startswith("SCAN")], statement


def test_whose_card_it_is_is_found_without_reading_every_card(sqlite_store):
    database, asked = sqlite_store.database(), []
    database.migrate()
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: asked.append((a[2], a[3])))
    database.clients_of(["3f" * 18])
    statement, values = asked[-1]
    with database.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert not [row[-1] for row in plan if row[-1].startswith("SCAN")], plan
