"""Synthetic traffic for the page of figures, and how long its queries take on a million cards.

    python -m bench.insight --fill sqlite:///month.sqlite3     a month of traffic, to look at /insight with
    python -m bench.insight                                    a million cards on SQLite and PostgreSQL, timed
    python -m bench.insight --cards 50000 --markdown           fewer, as Markdown

Everything goes the way of the service: encoded as the journal holds it, and delivered in the courier's transactions.
Calls, people and what they did are made up; the recommendations, hooks and override reasons are those of cards/.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

import msgspec
import sqlalchemy as sa

from bench.ledger import postgresql
from cds_service.decision.insight import Filters
from cds_service.decision.records import (
    CardRecord,
    CardState,
    DataGap,
    DecisionRecord,
    FeedbackEntry,
    FeedbackRecord,
    Pseudonyms,
    ShadowRun,
    Timings,
)
from cds_service.domain.recommendations import Recommendation
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.loader import load_knowledge
from cds_service.ledger import open_database
from cds_service.ledger.database import CALL, FEEDBACK, Database
from cds_service.ledger.figures import LedgerFigures
from cds_service.ledger.journal import Entry
from cds_service.ledger.sqlite_files import claim_ledger_file
from cds_service.ledger.tables import card
from cds_service.settings import Settings

_ENCODE = msgspec.json.Encoder().encode
_AT_ONCE = 200  # entries in a transaction, as the courier takes them
_CLIENTS = {"open": 0.62, "north": 0.3, "harbour": 0.08}
_NEVER_REPORTS = "harbour"
_STATES: dict[CardState, float] = {"returned": 0.86, "folded": 0.07, "snoozed": 0.05, "shadow": 0.02}


class Traffic:
    """Made-up calls and what became of them, the same for the same seed."""

    def __init__(self, knowledge: Knowledge, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._knowledge = knowledge
        self._at_hook = {s.hook: knowledge.at_hook(s.hook) for s in knowledge.services}
        self._liked = {r.id: self._random.betavariate(4, 5) for r in knowledge.recommendations}

    def entries(self, cards: int, days: int, until: dt.datetime) -> Iterator[tuple[str, bytes]]:
        """Kind and body of journal entries, until so many cards were in them."""
        made = 0
        first = until - dt.timedelta(days=days)
        while made < cards:
            at = first + dt.timedelta(days=days * made / cards)
            record = self._call(at)
            made += len(record.cards)
            yield CALL, _ENCODE(record)
            if report := self._report(record):
                yield FEEDBACK, _ENCODE(report)

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _chosen(self, weights: dict[str, float]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def _call(self, at: dt.datetime) -> DecisionRecord:
        hook = self._random.choices(list(self._at_hook), [6, 2, 2, 1, 1])[0]
        spoken = self._random.sample(self._at_hook[hook], min(len(self._at_hook[hook]), self._random.randint(0, 4)))
        gaps = (self._gap(),) if self._random.random() < 0.12 else ()
        whom = Pseudonyms(*(f"{self._random.getrandbits(256):064x}" for _ in range(4)))
        shadow = self._knowledge.recommendations[0]
        stood = (self._random.random() < 0.3, self._random.random() < 0.3)
        return DecisionRecord(
            call_id=self._uuid(),
            at=at,
            client=self._chosen(_CLIENTS),
            service_id=f"foot-drop-{hook}",
            hook=hook,
            hook_instance=self._uuid(),
            knowledge_fingerprint=self._knowledge.fingerprint,
            outcome=f"{'partial' if gaps else 'complete'} {'with' if spoken else 'without'} cards",
            gaps=gaps,
            cards=tuple(self._card(recommendation) for recommendation in spoken),
            timings=Timings(0.4, 0.0, 1.3),
            whom=whom,
            shadows=(ShadowRun(shadow.id, "0.2.0", *stood),) if any(stood) else (),
        )

    def _gap(self) -> DataGap:
        need = self._random.choice(list(self._knowledge.names.needs))
        reason = self._random.choice(["late", "denied", "server error", "incomplete"])
        return DataGap(need, self._knowledge.names.needs[need].key, "failed", reason)

    def _card(self, recommendation: Recommendation) -> CardRecord:
        state = self._chosen(dict(_STATES))
        return CardRecord(
            uuid=self._uuid() if state in ("returned", "folded") else "",
            recommendation_id=recommendation.id,
            version=recommendation.stewardship.version,
            indicator=recommendation.indicator.value,
            suggestion_uuids=(self._uuid(),),
            state=state,  # type: ignore[arg-type]  # a key of the table above
            sides=1,
        )

    def _report(self, record: DecisionRecord) -> FeedbackRecord | None:
        if record.client == _NEVER_REPORTS:
            return None
        entries = tuple(entry for one in record.cards if one.uuid and (entry := self._entry(record, one)))
        return FeedbackRecord(record.client, record.service_id, record.at, entries) if entries else None

    def _entry(self, record: DecisionRecord, one: CardRecord) -> FeedbackEntry | None:
        if self._random.random() < 0.35:
            return None
        at = record.at + dt.timedelta(seconds=self._random.lognormvariate(3.2, 1.6))
        if self._random.random() < self._liked[one.recommendation_id]:
            return FeedbackEntry(one.uuid, "accepted", at, one.suggestion_uuids)
        recommendation = next(r for r in self._knowledge.recommendations if r.id == one.recommendation_id)
        reason = self._random.choice(recommendation.override_reasons)
        coded = self._random.random() < 0.8
        system, code = (reason.system, reason.code) if coded else (None, None)
        return FeedbackEntry(one.uuid, "overridden", at, (), system, code)


def fill(database: Database, traffic: Traffic, cards: int, days: int, until: dt.datetime) -> None:
    """Deliver made-up traffic as the courier does."""
    journal = f"bench-{until.timestamp():.0f}"
    entries = (Entry(seq, kind, body) for seq, (kind, body) in enumerate(traffic.entries(cards, days, until), 1))
    while some := list(islice(entries, _AT_ONCE)):
        database.deliver(journal, some)


def _seconds(work: Callable[[], object], times: int = 7) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _scan(database: Database) -> None:
    """What counting the cards anew would cost: one of the ten figures of the page."""
    with database.reading() as connection:
        columns = (card.c.recommendation_id, card.c.client, card.c.state, card.c.outcome)
        connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns)).all()


def bench(name: str, database: Database, knowledge: Knowledge, cards: int) -> tuple[str, ...]:
    """One row: filling, the whole page without and with filters, and one scan of the cards."""
    until = dt.datetime.now(dt.UTC)
    started = time.perf_counter()
    fill(database, Traffic(knowledge), cards, 365, until)
    filling = time.perf_counter() - started
    figures = LedgerFigures(database)
    week = until.date() - dt.timedelta(weeks=4)
    everything = _seconds(lambda: figures.insight(Filters()))
    narrowed = _seconds(lambda: figures.insight(Filters(client="open", hook="patient-view", first=week, by="week")))
    scan = _seconds(lambda: _scan(database), 3)
    return (
        name,
        f"{cards:,}",
        f"{cards / filling:,.0f}",
        f"{everything * 1000:,.0f}",
        f"{narrowed * 1000:,.0f}",
        f"{scan * 1000:,.0f}",
    )


_HEADS = ("database", "cards", "delivered a second", "the page, ms", "filtered, ms", "one scan of the cards, ms")


def main() -> None:
    """Fill a ledger to look at, or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fill", metavar="URL", help="a ledger to fill with a month of traffic")
    parser.add_argument("--cards", type=int, help="default: 20,000 for --fill, else a million")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    knowledge = load_knowledge(Settings().cards_dir)
    if options.fill:
        if options.fill.startswith("sqlite:///"):
            claim_ledger_file(Path(options.fill.removeprefix("sqlite:///")).absolute())
        now = dt.datetime.now(dt.UTC)
        fill(open_database(options.fill), Traffic(knowledge), options.cards or 20_000, 30, now)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.sqlite3"
        claim_ledger_file(file)
        rows = [bench("SQLite", open_database(f"sqlite:///{file}"), knowledge, options.cards or 1_000_000)]
        with postgresql(Path(folder)) as url:
            rows.append(bench("PostgreSQL", open_database(url), knowledge, options.cards or 1_000_000))
    if options.markdown:
        print("| " + " | ".join(_HEADS) + " |\n|" + " --- |" * len(_HEADS))
        print("\n".join("| " + " | ".join(row) + " |" for row in rows))
    else:
        for row in rows:
            print(", ".join(f"{head}: {value}" for head, value in zip(_HEADS, row, strict=True)))


if __name__ == "__main__":
    main()
