"""The figures of `/insight`: kept as calls and feedback come in, equal to those counted by hand."""

import datetime as dt
import random
from collections import Counter
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.decision.insight import Delay, Filters, Gap, Group, Outcome, Rate, Reason, Shadow, Tally, rate
from cds_service.decision.records import DataGap, ShadowRun
from cds_service.ledger.figures import LedgerFigures
from cds_service.ledger.upkeep import purge
from tests.ledger.records import CLIENT, NOON, SYSTEM, make_call, make_card, make_entry, make_override
from tests.ledger.stores import TABLES, drained, keep, report

MONDAY = dt.date(2026, 11, 16)


def figures(ledger, **filters):
    drained(ledger)
    return ledger.figures.insight(Filters(**filters))


def quiet_call(*cards, **changes):
    return make_call(*cards, **({"gaps": ()} | changes))


def test_an_empty_ledger_has_no_figures(ledger):
    found = figures(ledger)
    assert found.total == Tally()
    assert (found.groups, found.weeks, found.reasons, found.delays, found.gaps) == ([], [], (), (), ())
    assert found.total.acceptance is None


def test_cards_are_counted_by_what_became_of_them(ledger):
    accepted, overridden, silent = (make_card() for _ in range(3))
    keep(ledger, quiet_call(accepted, overridden, silent))
    report(ledger, make_entry(accepted.uuid, 1), make_override(overridden.uuid, 2))
    total = figures(ledger).total
    assert total == Tally(returned=3, reporting=3, accepted=1, overridden=1)
    assert total.without_feedback == 1
    assert total.acceptance == Rate(1, 3, 1 / 3, pytest.approx(0.0615, abs=1e-3), pytest.approx(0.7923, abs=1e-3))


def test_a_client_that_never_reported_is_in_no_rate(ledger):
    mine = make_card()
    keep(ledger, quiet_call(mine), quiet_call(make_card(), make_card(), client="another"))
    report(ledger, make_entry(mine.uuid))
    found = figures(ledger, by="client")
    assert found.total == Tally(returned=3, reporting=1, accepted=1)
    assert found.groups == [
        Group("another", Tally(returned=2)),
        Group(CLIENT, Tally(returned=1, reporting=1, accepted=1)),
    ]


def test_a_change_of_mind_moves_the_count(ledger):
    card = make_card()
    keep(ledger, quiet_call(card))
    report(ledger, make_override(card.uuid, 1))
    assert figures(ledger).total.overridden == 1
    report(ledger, make_entry(card.uuid, 3))
    found = figures(ledger)
    assert (found.total.accepted, found.total.overridden) == (1, 0)
    assert found.reasons == ()
    assert sum(bar.accepted + bar.overridden for bar in found.delays) == 1
    report(ledger, make_override(card.uuid, 2))  # older than what stands
    assert figures(ledger).total.accepted == 1


def test_the_same_report_twice_counts_once(ledger):
    card = make_card()
    keep(ledger, quiet_call(card))
    for _ in range(2):
        report(ledger, make_entry(card.uuid, 1))
    assert figures(ledger).total.accepted == 1


def test_a_report_that_came_before_its_card_is_counted_when_the_card_comes(ledger):
    card = make_card()
    report(ledger, make_override(card.uuid, 1))
    assert figures(ledger).total == Tally()
    keep(ledger, quiet_call(card))
    assert figures(ledger).total == Tally(returned=1, reporting=1, overridden=1)


def test_of_a_folded_card_only_what_was_accepted_counts(ledger):
    uuid = str(uuid4())
    first, second = (make_card(uuid, state="folded", recommendation_id=name) for name in ("FD-PT-01", "FD-DM-01"))
    keep(ledger, quiet_call(first, second))
    report(ledger, make_entry(uuid, 1, accepted_suggestions=first.suggestion_uuids[:1]))
    groups = {group.name: group.tally for group in figures(ledger).groups}
    assert groups == {"FD-PT-01": Tally(folded=1, folded_accepted=1), "FD-DM-01": Tally(folded=1)}
    report(ledger, make_override(uuid, 2))
    found = figures(ledger)
    assert found.total == Tally(folded=2)
    assert found.reasons == ()


def test_quiet_ones_and_shadows_are_counted_apart(ledger):
    quiet, shadow = make_card("", state="snoozed"), make_card("", state="shadow", version="0.2.0")
    keep(ledger, quiet_call(quiet, shadow))
    found = figures(ledger, by="version")
    assert found.groups == [Group("0.1.0", Tally(snoozed=1)), Group("0.2.0", Tally(shadow=1))]


def test_a_shadow_is_set_against_what_is_live(ledger):
    runs = [(True, True), (True, True), (True, False), (False, True)]
    keep(ledger, *(quiet_call(shadows=(ShadowRun("FD-AFO-01", "0.2.0", *run),)) for run in runs))
    found = figures(ledger)
    assert found.shadows == (Shadow("FD-AFO-01", "0.2.0", both=2, only_live=1, only_shadow=1),)
    assert figures(ledger, recommendation="FD-PT-01").shadows == ()


def test_reasons_are_counted_the_commonest_first(ledger):
    cards = [make_card() for _ in range(4)]
    keep(ledger, quiet_call(*cards))
    codes = ("declines", "wheelchair", "declines", None)
    for card, code in zip(cards, codes, strict=True):
        report(ledger, make_override(card.uuid, 1, code, **({} if code else {"reason_system": None})))
    expected = (Reason(SYSTEM, "declines", 2), Reason("", "", 1), Reason(SYSTEM, "wheelchair", 1))
    assert figures(ledger).reasons == expected


def test_the_time_from_card_to_action_falls_into_bars(ledger):
    cards = [make_card() for _ in range(4)]
    keep(ledger, quiet_call(*cards))
    seconds = (-30, 5, 5.5, 8 * 86_400)
    for card, after in zip(cards, seconds, strict=True):
        report(ledger, make_entry(card.uuid, after / 60))
    delays = figures(ledger).delays
    assert [bar.accepted for bar in delays] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert (delays[0], delays[-1]) == (Delay(5, 2, 0), Delay(None, 1, 0))


def test_gaps_and_outcomes_are_counted_by_call(ledger):
    gap = DataGap("device use", "deviceUse", "failed", "late")
    other = {"outcome": "partial without cards", "gaps": (gap, DataGap("devices", "devices", "unclear"))}
    keep(ledger, quiet_call(), quiet_call(gaps=(gap,)), quiet_call(**other))
    found = figures(ledger)
    assert found.gaps == (Gap("device use", "failed", "late", 2), Gap("devices", "unclear", "", 1))
    assert found.outcomes == (Outcome("complete with cards", 2), Outcome("partial without cards", 1))
    assert figures(ledger, recommendation="FD-AFO-01").gaps == found.gaps


def test_every_filter_narrows_and_every_grouping_adds_up(ledger):
    card = make_card()
    keep(
        ledger,
        quiet_call(card, at=NOON),
        quiet_call(make_card(indicator="warning"), at=NOON - dt.timedelta(weeks=2)),
        quiet_call(make_card(version="0.2.0"), hook="order-sign"),
        quiet_call(make_card(recommendation_id="FD-PT-01"), client="another"),
    )
    report(ledger, make_entry(card.uuid, 1))
    for by in ("recommendation", "version", "hook", "indicator", "client", "week"):
        assert sum(group.tally.returned for group in figures(ledger, by=by).groups) == 4
    for narrowed in (
        {"client": "another"},
        {"hook": "order-sign"},
        {"recommendation": "FD-PT-01"},
        {"version": "0.2.0"},
        {"indicator": "warning"},
        {"last": MONDAY - dt.timedelta(weeks=1)},
        {"first": MONDAY, "version": "0.2.0"},
    ):
        assert figures(ledger, **narrowed).total.returned == 1, narrowed
    weeks = figures(ledger).weeks
    assert [(week.name, week.tally.returned) for week in weeks] == [
        ("2026-11-02", 1), ("2026-11-09", 0), ("2026-11-16", 3),
    ]  # fmt: skip
    choices = figures(ledger, client="another").choices
    assert choices.clients == ("another", CLIENT)
    assert choices.hooks == ("order-sign", "patient-view")
    assert choices.weeks == (dt.date(2026, 11, 2), dt.date(2026, 11, 9), MONDAY)


def test_a_week_begins_on_monday_in_utc(ledger):
    sunday = dt.datetime(2026, 11, 15, 23, 59, tzinfo=dt.UTC)
    there = dt.timezone(dt.timedelta(hours=2))
    keep(
        ledger,
        quiet_call(make_card(), at=sunday.astimezone(there)),
        quiet_call(make_card(), at=sunday + dt.timedelta(minutes=1)),
    )
    assert [week.name for week in figures(ledger).weeks] == ["2026-11-09", "2026-11-16"]


def test_a_purge_takes_nothing_from_the_figures(ledger):
    keep(ledger, quiet_call(make_card()))
    before = figures(ledger)
    purge(ledger.database, NOON + dt.timedelta(days=1))
    assert figures(ledger) == before


def test_two_replicas_count_together(store):
    ledgers = [store.open(journal=f"journal-{number}.sqlite3") for number in range(2)]
    cards = [make_card() for _ in range(20)]
    for number, card in enumerate(cards):
        keep(ledgers[number % 2], quiet_call(card))
        report(ledgers[1 - number % 2], make_entry(card.uuid, 1))
    for ledger in ledgers:
        drained(ledger)
    assert figures(ledgers[0]).total == Tally(returned=20, reporting=20, accepted=20)


OUTCOMES = st.sampled_from(["accepted", "overridden"])
EVENTS = st.lists(st.tuples(st.integers(0, 4), OUTCOMES, st.integers(0, 5), st.sampled_from(["a", "b"])), max_size=25)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, seed=st.integers(0, 1000), late=st.sets(st.integers(0, 4)))
def test_the_figures_are_those_of_a_recount_whatever_the_order(store, events, seed, late):
    """Cards 0 to 4, any feedback in any order, some of it before its card; counted again from the rows."""
    ledger = store.open(journal=f"journal-{uuid4()}.sqlite3")
    client = f"client-{uuid4()}"
    cards = [make_card() for _ in range(5)]
    keep(ledger, *(quiet_call(card, client=client) for number, card in enumerate(cards) if number not in late))
    random.Random(seed).shuffle(events)
    for number, outcome, minutes, code in events:
        entry = (
            make_override(cards[number].uuid, minutes, code)
            if outcome == "overridden"
            else make_entry(cards[number].uuid, minutes)
        )
        report(ledger, entry, client=client)
    keep(ledger, *(quiet_call(card, client=client) for number, card in enumerate(cards) if number in late))
    found = figures(ledger, client=client)
    card = TABLES["card"]
    with ledger.database.reading() as connection:
        rows = connection.execute(sa.select(card).where(card.c.client == client)).all()
    outcomes = Counter(row.outcome for row in rows)
    assert (found.total.accepted, found.total.overridden) == (outcomes["accepted"], outcomes["overridden"])
    assert {reason.code: reason.count for reason in found.reasons} == Counter(
        row.reason_code for row in rows if row.outcome == "overridden"
    )
    assert sum(bar.accepted + bar.overridden for bar in found.delays) == outcomes.total() - outcomes[None]
    ledger.close()


@given(st.integers(0, 400), st.integers(0, 400))
def test_an_interval_holds_its_share_and_stays_within_nought_and_one(count, more):
    found = rate(count, count + more)
    assert found is None if count + more == 0 else 0 <= found.low <= found.share <= found.high <= 1


def test_the_interval_is_that_of_the_literature():
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29 (Wilson score, method 3)."""
    for count, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = rate(count, of)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_figures_are_read_from_the_counts_and_not_from_the_calls(ledger):
    keep(ledger, quiet_call(make_card()))
    drained(ledger)
    asked = []
    sa.event.listen(ledger.database.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    LedgerFigures(ledger.database).insight(Filters())
    assert asked
    assert all("figure" in statement for statement in asked if "SELECT" in statement), asked
