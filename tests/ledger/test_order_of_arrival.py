"""Whatever the order in which calls and feedback arrive, the same stands for each card in the end."""

import asyncio
import random
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.decision.records import FeedbackRecord
from cds_service.ledger.database import CALL, FEEDBACK
from cds_service.ledger.journal import Entry
from tests.ledger.records import CLIENT, NOON, SERVICE, make_call, make_card, make_entry
from tests.ledger.stores import SQLiteStore, drained, keep

encode = msgspec.json.encode
CARDS = ("a" * 36, "b" * 36, "c" * 36)
CODES = (None, "wheelchair", "unfit")
SYSTEMS = (None, "urn:a", "urn:b")
SUGGESTIONS = ((), ("1",), ("1", "2"))

entries = st.builds(
    make_entry,
    st.sampled_from(CARDS),
    st.integers(0, 2),
    outcome=st.sampled_from(("accepted", "overridden")),
    accepted_suggestions=st.sampled_from(SUGGESTIONS),
    reason_system=st.sampled_from(SYSTEMS),
    reason_code=st.sampled_from(CODES),
)
calls = st.permutations(CARDS).map(
    lambda names: [make_call(*(make_card(name) for name in names[:2])), make_call(make_card(names[2]))]
)


@st.composite
def arrivals(draw):
    """Calls and reports in one order, and the same in another."""
    reports = draw(st.lists(st.lists(entries, min_size=1, max_size=3), max_size=6))
    bodies = [(FEEDBACK, encode(FeedbackRecord(CLIENT, SERVICE, NOON, tuple(report)))) for report in reports]
    bodies += [(CALL, encode(call)) for call in draw(calls)]
    return draw(st.permutations(bodies)), draw(st.permutations(bodies))


def deliver(store, bodies, groups):
    """Deliver in this order, so many at a time, into emptied tables; what stands then."""
    database = store.database()
    entries = [Entry(number, kind, body) for number, (kind, body) in enumerate(bodies, 1)]
    for start in range(0, len(entries), groups):
        database.deliver("journal", entries[start : start + groups])
    database.close()
    standing, kept = store.standing(), store.rows("feedback", "card_uuid", "outcome", "outcome_at", "reason_system")
    store.empty()
    return standing, kept


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals(), st.integers(1, 8))
def test_the_same_stands_when_calls_and_reports_arrive_in_any_other_order(store, both, groups):
    one, other = both
    assert deliver(store, one, 100) == deliver(store, other, groups)


def stories(seed, cards, posts):
    """Reports of many users who change their minds, some twice at one moment, some sent again."""
    choose = random.Random(seed)
    made = []
    for _ in range(posts):
        if made and choose.random() < 0.1:
            made.append(choose.choice(made))
            continue
        outcome = choose.choice(("accepted", "overridden"))
        made.append(
            make_entry(
                choose.choice(cards).uuid,
                outcome=outcome,
                outcome_timestamp=NOON + timedelta(seconds=choose.randrange(posts // 10)),
                accepted_suggestions=choose.choice(SUGGESTIONS[1:]) if outcome == "accepted" else (),
                reason_code=choose.choice(CODES) if outcome == "overridden" else None,
                reason_system=choose.choice(SYSTEMS) if outcome == "overridden" else None,
            )
        )
    return made


async def report_at_once(ledgers, entries, at_once):
    """Post entries to some ledgers in parallel."""
    room = asyncio.Semaphore(at_once)

    async def report(number, entry):
        async with room:
            await ledgers[number % len(ledgers)].record_feedback(CLIENT, SERVICE, [entry], NOON)

    await asyncio.gather(*(report(number, entry) for number, entry in enumerate(entries)))


def state(store):
    return store.standing(), store.rows("feedback", "card_uuid", "said") or store.rows("feedback")


@pytest.fixture
def in_sequence(tmp_path):
    """The state after all calls and then all reports, one after the other."""
    (tmp_path / "sequence").mkdir()
    reference = SQLiteStore(tmp_path / "sequence")

    def play(calls, entries):
        ledger = reference.open()
        keep(ledger, *calls)

        async def report_all():
            for entry in entries:
                await ledger.record_feedback(CLIENT, SERVICE, [entry], NOON)

        asyncio.run(report_all())
        drained(ledger, 120)
        return state(reference)

    yield play
    reference.close()


def parallel_as_in_sequence(store, in_sequence, posts, cards, seed):
    shown = [make_card() for _ in range(cards)]
    calls = [make_call(*shown[start : start + 3]) for start in range(0, cards, 3)]
    entries = stories(seed, shown, posts)
    wanted = in_sequence(calls, entries)
    replicas = [store.open(f"replica-{number}.sqlite3") for number in range(2)]
    mixed = entries[:]
    random.Random(seed + 1).shuffle(mixed)
    asyncio.run(report_at_once(replicas, mixed[: posts // 3], 50))  # a third overtakes the calls
    keep(replicas[0], *calls)
    asyncio.run(report_at_once(replicas, mixed[posts // 3 :], 50))
    for replica in replicas:
        drained(replica, 120)
    assert state(store) == wanted
    assert [replica.journal.count_set_aside() for replica in replicas] == [0, 0]
    assert len(set(wanted[0].values())) > 2


def test_reports_in_random_order_and_in_parallel_leave_the_same_as_in_sequence(store, in_sequence):
    parallel_as_in_sequence(store, in_sequence, posts=300, cards=30, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_thousand_reports_for_a_thousand_cards_leave_the_same_as_in_sequence(store, in_sequence, seed):
    parallel_as_in_sequence(store, in_sequence, posts=10_000, cards=1_000, seed=seed)
