"""From the journal to the database: in order, each entry once, database up or down."""

import asyncio
import itertools
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa

from cds_service.decision.records import FeedbackRecord, FeedbackReport
from cds_service.errors import ForbiddenError, JournalFullError
from cds_service.ledger import Journal
from cds_service.ledger.courier import Courier
from cds_service.ledger.database import CALL, FEEDBACK, UndeliverableError
from cds_service.ledger.journal import Entry
from tests.api.world import wait_until
from tests.ledger.records import CLIENT, NOON, SERVICE, make_call, make_card, make_entry, make_override
from tests.ledger.stores import TABLES, drained, keep, report

encode = msgspec.json.encode


def encode_feedback(*entries):
    return encode(FeedbackRecord(CLIENT, SERVICE, NOON, entries))


def calls(number):
    return [make_call(make_card()) for _ in range(number)]


def ids(records):
    return sorted((record.call_id,) for record in records)


def log_of_delivery(ledger, monkeypatch):
    """The numbers of the entries that the courier delivers, as they go through."""
    delivered = []
    deliver = ledger.database.deliver

    def noted(journal, entries):
        deliver(journal, entries)
        delivered.extend(entry.seq for entry in entries)

    monkeypatch.setattr(ledger.database, "deliver", noted)
    return delivered


class TestDatabaseDown:
    pytestmark = pytest.mark.usefixtures("impatient")

    def test_the_journal_fills_and_drains_by_itself_in_order_when_the_database_is_gone_for_a_while(
        self, store, ledger, monkeypatch, caplog
    ):
        delivered = log_of_delivery(ledger, monkeypatch)
        before, meanwhile, after = calls(3), calls(250), calls(3)
        keep(ledger, *before)
        drained(ledger)
        assert ledger.health["database"] == "up"
        store.go_down()
        keep(ledger, *meanwhile)
        report(ledger, make_override(meanwhile[7].cards[0].uuid))
        wait_until(lambda: ledger.courier.is_stuck, "the courier to notice")
        assert ledger.health["database"] == "cannot be had"
        assert ledger.health["journal"]["waiting"] == 251
        store.come_back()
        drained(ledger)
        keep(ledger, *after)
        drained(ledger)
        wait_until(lambda: not ledger.courier.is_stuck, "the courier to be well")
        assert {"database": "up", "journal": {"waiting": 0, "limit": 100_000}}.items() <= ledger.health.items()
        assert store.rows("call", "call_id") == ids(before + meanwhile + after)
        assert store.standing()[meanwhile[7].cards[0].uuid, "FD-AFO-01"][0] == "overridden"
        assert delivered == sorted(set(delivered))
        assert [line.message for line in caplog.records if line.levelname == "WARNING"] == [
            "the ledger's database is back"
        ]

    def test_calls_are_acknowledged_and_delivered_later_when_the_database_is_down_at_the_start(self, store):
        store.go_down()
        ledger = store.open()
        kept = calls(5)
        start = time.perf_counter()
        keep(ledger, *kept)
        assert time.perf_counter() - start < 1
        wait_until(lambda: ledger.courier.is_stuck, "the courier to notice")
        store.come_back()
        drained(ledger)
        assert store.rows("call", "call_id") == ids(kept)

    def test_what_waits_is_delivered_by_the_next_process_when_the_database_was_down_to_the_end(self, store):
        ledger = store.open()
        store.go_down()
        kept = calls(5)
        keep(ledger, *kept)
        ledger.close()
        store.come_back()
        drained(store.open())
        assert store.rows("call", "call_id") == ids(kept)

    def test_feedback_says_that_its_card_was_not_looked_up_while_the_database_cannot_be_asked(
        self, postgresql_store, monkeypatch
    ):
        ledger = postgresql_store.open()
        known, foreign = make_card(), make_card()
        keep(ledger, make_call(known), make_call(foreign, client="elsewhere"))
        postgresql_store.go_down()
        with monkeypatch.context() as unaware:
            unaware.setattr(Courier, "is_stuck", False)
            assert report(ledger, make_entry(str(uuid4()))) == FeedbackReport(None)
        assert report(ledger, make_entry(known.uuid)) == FeedbackReport()
        with pytest.raises(ForbiddenError):
            report(ledger, make_entry(str(uuid4())), make_entry(foreign.uuid))
        keep(ledger, *calls(1))
        wait_until(lambda: ledger.courier.is_stuck, "the courier to notice")
        assert report(ledger, make_entry(str(uuid4()))) == FeedbackReport(None)
        with pytest.raises(ForbiddenError):
            report(ledger, make_entry(str(uuid4())), make_entry(foreign.uuid))
        postgresql_store.come_back()
        drained(ledger)
        assert len(postgresql_store.rows("feedback")) == 3

    def test_calls_and_feedback_are_acknowledged_in_time_when_the_database_hangs(self, postgresql_store, monkeypatch):
        monkeypatch.setattr("cds_service.ledger.courier._HANGS_AFTER", 0.2)
        ledger = postgresql_store.open()
        keep(ledger, *calls(2))
        drained(ledger)
        kept = calls(20)
        with postgresql_store.server.frozen():
            start = time.perf_counter()
            keep(ledger, *kept)
            assert time.perf_counter() - start < 0.5
            answers = []
            asking = threading.Thread(target=lambda: answers.append(report(ledger, make_entry(str(uuid4())))))
            asking.start()
            wait_until(lambda: ledger.journal.depth == 21, "the report to be kept", 2)
            wait_until(lambda: ledger.health["database"] == "cannot be had", "health to say so", 2)
        asking.join()
        assert answers == [FeedbackReport(None)]
        drained(ledger)
        assert len(postgresql_store.rows("call")) == 22

    def test_a_database_that_hangs_while_it_is_looked_after_is_noticed_once_something_waits_for_it(
        self, postgresql_store, monkeypatch
    ):
        monkeypatch.setattr("cds_service.ledger.courier._HANGS_AFTER", 0.2)
        ledger = postgresql_store.open()
        keep(ledger, *calls(1))
        drained(ledger)
        wait_until(lambda: ledger.courier._seconds_to_looking_after > 0, "the first look")
        with postgresql_store.server.frozen():
            ledger.courier._looked_after_at = -math.inf  # a day is over
            ledger.courier.call()
            wait_until(lambda: ledger.courier._asking_since, "the courier to ask", 2)
            time.sleep(0.3)
            assert not ledger.courier.is_stuck  # it holds up nobody
            keep(ledger, *calls(1))
            wait_until(lambda: ledger.courier.is_stuck, "the courier to notice", 2)
        drained(ledger)
        assert len(postgresql_store.rows("call")) == 2


class TestOnce:
    def test_nothing_is_taken_twice_when_the_process_dies_between_delivery_and_forgetting(self, store):
        journal = Journal(store.folder / "journal.sqlite3", 100)
        kept = calls(3)
        for record in kept:
            asyncio.run(journal.append(CALL, encode(record)))
        asyncio.run(journal.append(FEEDBACK, encode_feedback(make_entry(kept[0].cards[0].uuid))))
        database = store.database()
        database.deliver(journal.id, journal.take(10))
        journal.close()
        for number in range(3):
            assert store.rows("call", "call_id") == ids(kept[number:])
            with database.engine.begin() as connection:  # a row that is gone shows whether it is taken again
                connection.execute(sa.delete(TABLES["call"]).where(TABLES["call"].c.call_id == kept[number].call_id))
            ledger = store.open()
            drained(ledger)
            ledger.close()
        assert store.rows("call") == []
        assert len(store.rows("feedback")) == 1

    def test_all_of_a_delivery_is_taken_or_nothing(self, store):
        database = store.database()
        entries = [Entry(1, CALL, encode(make_call())), Entry(2, CALL, b"{")]
        with pytest.raises(UndeliverableError):
            database.deliver("journal", entries)
        assert store.rows("call") == store.rows("delivery", "seq") == []
        database.deliver("journal", entries[:1])
        assert store.rows("delivery", "seq") == [(1,)]

    def test_deliveries_that_overlap_bring_each_entry_once(self, store):
        database = store.database()
        kept = calls(6)
        entries = [Entry(number, CALL, encode(record)) for number, record in enumerate(kept, 1)]
        for start, end in ((0, 3), (0, 3), (1, 5), (2, 4), (0, 6)):
            database.deliver("journal", entries[start:end])
        assert store.rows("call", "call_id") == ids(kept)

    def test_skipping_never_moves_back_what_another_process_has_reached(self, store):
        database = store.database()
        database.deliver("journal", [Entry(5, CALL, encode(make_call()))])
        database.skip("journal", 3)
        assert store.rows("delivery", "seq") == [(5,)]

    def test_each_entry_is_taken_once_when_two_processes_share_one_journal(self, store):
        ledgers = [store.open("shared.sqlite3") for _ in range(2)]
        kept = calls(200)

        async def keep_all():
            await asyncio.gather(
                *(ledger.record(record) for ledger, record in zip(itertools.cycle(ledgers), kept, strict=False))
            )

        asyncio.run(keep_all())
        report(ledgers[0], make_entry(kept[1].cards[0].uuid))
        for ledger in ledgers:
            drained(ledger)
        assert store.rows("call", "call_id") == ids(kept)
        assert store.rows("delivery", "seq") == [(201,)]
        assert [ledger.journal.count_set_aside() for ledger in ledgers] == [0, 0]

    def test_each_journal_is_followed_by_itself_when_two_replicas_have_one_database(self, store):
        ledgers = [store.open(f"replica-{number}.sqlite3") for number in range(2)]
        kept = [calls(50), calls(30)]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda pair: keep(pair[0], *pair[1]), zip(ledgers, kept, strict=True)))
        for ledger in ledgers:
            drained(ledger)
        assert store.rows("call", "call_id") == ids(kept[0] + kept[1])
        assert store.rows("delivery", "seq") == [(30,), (50,)]

    @pytest.mark.parametrize("first", ["card", "feedback"])
    def test_a_card_and_its_feedback_meet_when_two_replicas_deliver_them_at_the_same_moment(self, store, first):
        card = make_card()
        both = {
            "card": [Entry(1, CALL, encode(make_call(card)))],
            "feedback": [Entry(1, FEEDBACK, encode_feedback(make_entry(card.uuid)))],
        }
        slow, fast = store.database(), store.database()
        slow.migrate()
        fast.migrate()
        is_about_to_commit, other_is_done = threading.Event(), threading.Event()

        @sa.event.listens_for(slow.engine, "commit")
        def _(_):
            is_about_to_commit.set()
            other_is_done.wait(0.3)

        with ThreadPoolExecutor(1) as threads:
            delivery = threads.submit(slow.deliver, "one", both.pop(first))
            assert is_about_to_commit.wait(5)
            fast.deliver("other", *both.values())
            other_is_done.set()
            delivery.result()
        assert [found[0] for found in store.standing().values()] == ["accepted"]


class TestSetAside:
    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            (CALL, b"{"),
            (CALL, b"Erika Mustermann"),
            ("letter", b"{}"),
            (FEEDBACK, b'{"client": "c"}'),
            (FEEDBACK, b"\xff"),
        ],
    )
    def test_an_entry_that_can_never_be_taken_holds_up_nobody(self, store, ledger, caplog, kind, body):
        kept = calls(4)
        keep(ledger, *kept[:2])
        asyncio.run(ledger.journal.append(kind, body))
        keep(ledger, *kept[2:])
        drained(ledger)
        assert store.rows("call", "call_id") == ids(kept)
        assert ledger.journal.count_set_aside() == 1
        assert not ledger.courier.is_stuck
        assert "an entry of the journal was set aside" in caplog.text
        assert "Mustermann" not in caplog.text

    @pytest.mark.parametrize(
        "odd",
        [
            {"accepted_suggestions": tuple(str(uuid4()) for _ in range(5000))},
            {"outcome_timestamp": NOON.replace(year=1)},
            {"outcome_timestamp": NOON.replace(year=9999)},
        ],
        ids=["5,000 suggestions", "year 1", "year 9999"],
    )
    def test_an_odd_entry_is_kept_like_any_other(self, store, ledger, odd):
        card = make_card()
        keep(ledger, make_call(card))
        report(ledger, make_entry(card.uuid, **odd))
        keep(ledger, *calls(1))
        drained(ledger)
        assert len(store.rows("call")) == 2
        assert ledger.journal.count_set_aside() == 0
        assert [found[0] for found in store.standing().values() if found[0]] == ["accepted"]

    def test_an_entry_that_was_set_aside_stays_so_and_nothing_else_comes_twice_after_a_restart(self, store, ledger):
        kept = calls(2)
        keep(ledger, kept[0])
        asyncio.run(ledger.journal.append("letter", b"{}"))
        keep(ledger, kept[1])
        drained(ledger)
        ledger.close()
        again = drained(store.open())
        assert again.journal.count_set_aside() == 1
        assert store.rows("call", "call_id") == ids(kept)


@pytest.mark.usefixtures("impatient")
class TestLimit:
    def test_no_more_is_kept_than_the_limit_and_all_goes_on_when_there_is_room(self, store):
        ledger = store.open(limit=3)
        store.go_down()
        kept = calls(3)
        keep(ledger, *kept)
        with pytest.raises(JournalFullError):
            keep(ledger, *calls(1))
        with pytest.raises(JournalFullError):
            report(ledger, make_entry(kept[0].cards[0].uuid))
        assert ledger.health["journal"] == {"waiting": 3, "limit": 3}
        store.come_back()
        drained(ledger)
        more = calls(1)
        keep(ledger, *more)
        drained(ledger)
        assert store.rows("call", "call_id") == ids(kept + more)

    def test_the_limit_holds_when_many_come_at_once(self, store):
        ledger = store.open(limit=3)
        store.go_down()

        async def keep_many():
            return await asyncio.gather(*(ledger.record(one) for one in calls(20)), return_exceptions=True)

        outcomes = asyncio.run(keep_many())
        assert [type(outcome) for outcome in outcomes].count(JournalFullError) == 17
        assert outcomes.count(None) == 3
        store.come_back()
        drained(ledger)
        assert len(store.rows("call")) == 3

    def test_a_journal_that_was_drained_has_room_again_each_time(self, store):
        ledger = store.open(limit=1)
        for number in range(10):
            keep(ledger, *calls(1))
            drained(ledger)
            assert ledger.journal.depth == 0, number
        assert len(store.rows("call")) == 10
