"""What the service counts, for Prometheus: nothing of any patient, and never more series than at the start.

Each label value comes from the knowledge, from the list of clients or from a list in the code, and each series is made
at the start, or when a client is registered. So no call can add one, and counting only looks up what is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import product
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from cds_service.api.errors import STATUSES
from cds_service.decision.decide import OUTCOMES, Decision, Judgement
from cds_service.decision.ports import PatientRecord
from cds_service.decision.records import RECORD_CORRECTION, CardState, FeedbackEntry
from cds_service.domain.evaluation import Standing
from cds_service.domain.facts import GapReason, NeedState, PatientFacts
from cds_service.errors import LedgerError, RefusalReason
from cds_service.hooks.feedback import Outcome
from cds_service.knowledge.knowledge import Knowledge

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PHASES: Final = ("parse", "fetch", "decide", "look_up", "record")
_STATES: Final = (*get_args(CardState), "unknown")
_UNKNOWN_SERVICE: Final = "unknown"
_REFUSED: Final = {None: "client left"} | {status: f"refused_{status}" for status in STATUSES}
_PREFETCH, _FETCHED, _NOT_HAD, _NOT_ASKED = _HOW = ("prefetch", "fetched", "not had", "not asked")
_HAD: Final = frozenset(state for state in NeedState if state.was_had)
_NOTHING_CAME: Final = frozenset((NeedState.ABSENT, NeedState.NOT_ASKED))
_HELD_BACK: Final = frozenset((GapReason.SERVER_NOT_ALLOWED, GapReason.OUT_OF_SCOPE))
"""Why a query that was wanted was not sent."""
_OPEN: Final = frozenset((Standing.UNKNOWN, Standing.WITHHELD))

disable_created_metrics()  # type: ignore[no-untyped-call]  # when a series was born would be a second series


class Metrics:
    """Counts calls, needs, recommendations and feedback, in a registry of its own. Safe to use from any thread."""

    def __init__(self, knowledge: Knowledge, clients: Iterable[str] = ()) -> None:
        """Make every series there will be for these clients."""
        self.registry = CollectorRegistry()
        self._by_client: list[Callable[[str], None]] = []
        self._services = frozenset(service.id for service in knowledge.services)
        services, needs = sorted(self._services), list(knowledge.vocabulary.needs)
        self._calls = self._counters(
            "cds_calls",
            "Hook calls, by what they came to.",
            client=(),
            service=[*services, _UNKNOWN_SERVICE],
            outcome=[*OUTCOMES, *_REFUSED.values()],
        )
        self._call_seconds = self._histograms(
            "cds_call_seconds",
            "Seconds of each phase of a call that came through it; `fetch` only where something was fetched, `look_up` "
            "(of what was dismissed) only where there is a card.",
            service=services,
            phase=_PHASES,
        )
        self._not_kept = self._counters(
            "cds_calls_not_kept", "Answered calls that the ledger could not keep.", client=()
        )
        self._fallback = self._counters("cds_fallback_calls", "Calls for which a FHIR server was asked.", client=())
        self._needs = self._counters(
            "cds_needs",
            "Needs of each judged call: met by prefetch, met by fetching, not had or cut short, or not asked (no "
            "answer hung on it, or the EHR has no such data).",
            need=needs,
            how=_HOW,
        )
        self._fetch_seconds = self._histograms(
            "cds_fetch_seconds", "Seconds of each query to a FHIR server.", need=needs
        )
        self._fetch_failures = self._counters(
            "cds_fetch_failures",
            "Needs that fetching did not meet, or not wholly, by the reason.",
            need=needs,
            reason=[reason.value for reason in GapReason],
        )
        self._recommendations = self._states_of(knowledge)
        self._token_refusals = self._counters(
            "cds_token_refusals", "Client tokens that were refused, by the reason.", reason=list(RefusalReason)
        )
        self._feedback_calls = self._counters(
            "cds_feedback_calls",
            "Feedback calls, by what they came to.",
            client=(),
            outcome=["kept", *_REFUSED.values()],
        )
        self._feedback = self._counters(
            "cds_feedback",
            "What users did with cards; `no card` names no card of any service.",
            client=(),
            outcome=[*(outcome.value for outcome in Outcome), "no card"],
        )
        self._audit_lost = Counter(
            "cds_audit_not_written", "Entries of the audit that could not be written.", registry=self.registry
        )
        Info("cds_knowledge", "The knowledge that runs.", registry=self.registry).info(
            {"fingerprint": knowledge.fingerprint}
        )
        self.know(clients)

    def know(self, clients: Iterable[str]) -> None:
        """Make the series of these clients, where there are none yet. A client that is gone keeps its own."""
        for client in clients:
            for add in self._by_client:
                add(client)

    def watch_ledger(
        self, *, waiting: Callable[[], int], set_aside: Callable[[], int], database_is_up: Callable[[], bool]
    ) -> None:
        """Ask the ledger how it is, at each scrape."""
        for name, meaning, ask in (
            ("cds_journal_waiting", "Calls and reports that wait for the ledger's database.", waiting),
            ("cds_journal_set_aside", "Calls and reports that the ledger's database will never take.", set_aside),
            ("cds_ledger_database_up", "1 if the ledger's database takes what waits, else 0.", database_is_up),
        ):
            Gauge(name, meaning, registry=self.registry).set_function(_number(ask))

    def observe(self, service_id: str, phase: str, seconds: float) -> None:
        """A call came through a phase."""
        self._call_seconds[service_id, phase].observe(seconds)

    def count_judgement(self, client: str, service_id: str, judgement: Judgement, record: PatientRecord) -> None:
        """What a call had of its record, and what could not be judged for want of it, whether it is answered or not."""
        asked = record.asked
        if asked:
            self._fallback[(client,)].inc()
            self.observe(service_id, "fetch", record.seconds_fetching)
        for one in asked:
            self._fetch_seconds[(one.need,)].observe(one.seconds)
        fetched = {one.need for one in asked}
        for need, how in _met(judgement, fetched):
            self._needs[need, how].inc()
        for need, reason in _failures(judgement.situation.facts, fetched):
            self._fetch_failures[need, reason].inc()
        for evaluation in judgement.evaluations:
            if evaluation.standing in _OPEN:
                recommendation = evaluation.recommendation
                self._recommendations[recommendation.id, recommendation.stewardship.version, "unknown"].inc()

    def count_answer(self, client: str, service_id: str, decision: Decision) -> None:
        """A call is answered, with cards or without."""
        self._calls[client, service_id, decision.outcome].inc()
        for card in decision.cards:
            if card.recommendation_id == RECORD_CORRECTION:  # it recommends nothing
                continue
            self._recommendations[card.recommendation_id, card.version, card.state].inc()

    def count_not_kept(self, client: str) -> None:
        """A call is answered all the same, but it is not in the ledger."""
        self._not_kept[(client,)].inc()

    def count_refusal(self, client: str, service_id: str, status: int | None) -> None:
        """A call is refused or failed with an HTTP status; None where the client did not wait for it."""
        service = service_id if service_id in self._services else _UNKNOWN_SERVICE
        self._calls[client, service, _REFUSED[status]].inc()

    def count_token_refusal(self, reason: RefusalReason) -> None:
        """A client token is refused."""
        self._token_refusals[(reason,)].inc()

    def count_feedback(self, client: str, entries: Sequence[FeedbackEntry], without_card: int) -> None:
        """A feedback call is kept; ``without_card`` counts the reports on what is no card."""
        self._feedback_calls[client, "kept"].inc()
        for outcome in Outcome:
            self._feedback[client, outcome.value].inc(sum(entry.outcome == outcome.value for entry in entries))
        self._feedback[client, "no card"].inc(without_card)

    def count_refused_feedback(self, client: str, status: int | None) -> None:
        """A feedback call is refused, as a hook call can be."""
        self._feedback_calls[client, _REFUSED[status]].inc()

    def count_lost_audit(self) -> None:
        """An entry of the audit could not be written."""
        self._audit_lost.inc()

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format. Waits for the ledger, so that the event loop should not wait for it."""
        return generate_latest(self.registry)

    def _counters(self, name: str, meaning: str, **values: Collection[str]) -> dict[tuple[str, ...], Counter]:
        """A counter for each combination of label values; with a client, for each client that is known."""
        metric = Counter(name, meaning, list(values), registry=self.registry)
        made = {labels: metric.labels(*labels) for labels in product(*values.values())}
        if next(iter(values)) == "client":
            others = list(values.values())[1:]

            def add(client: str) -> None:
                made.update({labels: metric.labels(*labels) for labels in product((client,), *others)})

            self._by_client.append(add)
        return made

    def _histograms(self, name: str, meaning: str, **values: Iterable[str]) -> dict[tuple[str, ...], Histogram]:
        metric = Histogram(name, meaning, list(values), registry=self.registry, buckets=_SECONDS)
        return {labels: metric.labels(*labels) for labels in product(*values.values())}

    def _states_of(self, knowledge: Knowledge) -> dict[tuple[str, str, str], Counter]:
        """A counter for each recommendation, in the version that runs and in the next one, and each state."""
        metric = Counter(
            "cds_recommendations",
            "Recommendations returned on a card of their own, folded into one, snoozed, in shadow, or unknown (not "
            "settled, or withheld).",
            ("recommendation", "version", "state"),
            registry=self.registry,
        )
        return {
            (one.id, one.stewardship.version, state): metric.labels(one.id, one.stewardship.version, state)
            for one in (*knowledge.recommendations, *knowledge.next_versions.values())
            for state in _STATES
        }


def _met(judgement: Judgement, fetched: set[str]) -> Iterator[tuple[str, str]]:
    """How each need was met."""
    for need, state in judgement.situation.facts.needs.items():
        if state in _HAD:
            yield need, _FETCHED if need in fetched else _PREFETCH
        elif state in _NOTHING_CAME and need not in judgement.hanging:
            yield need, _NOT_ASKED
        else:
            yield need, _NOT_HAD


def _failures(facts: PatientFacts, fetched: set[str]) -> Iterator[tuple[str, str]]:
    """The needs for which fetching was tried in vain, or to which something is wanting still, with the reason."""
    for need in facts.missing(fetched.union(facts.reasons)):
        reason = facts.reason(need)
        if reason and facts.needs[need] not in _NOTHING_CAME and (need in fetched or reason in _HELD_BACK):
            yield need, reason.value


def _number(ask: Callable[[], float]) -> Callable[[], float]:
    """What is asked, or NaN: a ledger that cannot say how it is must not hide all the rest."""

    def answer() -> float:
        try:
            return float(ask())
        except LedgerError:
            return math.nan

    return answer
