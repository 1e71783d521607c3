"""What calls and feedback add to the figures: counted as they come in, so that no page ever counts the calls.

A count is kept for each week, client, hook, recommendation, version and indicator, by what was counted (`measure`) and,
where there is more to tell, by a detail. A further figure is a further measure, not a further table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from cds_service.decision.insight import monday
from cds_service.decision.records import DecisionRecord

DELAYS: Final = (5, 15, 30, 60, 120, 300, 900, 3600, 86_400, 604_800)
"""Seconds from a card to what the user did with it: the upper ends of the histogram's bars."""
LATER: Final = "later"
RETURNED, FOLDED, SNOOZED, SHADOW = "returned", "folded", "snoozed", "shadow"
ACCEPTED, OVERRIDDEN, FOLDED_ACCEPTED = "accepted", "overridden", "folded accepted"
REASON, DELAY, GAP, OUTCOME = "reason", "delay", "gap", "outcome"
BOTH, ONLY_LIVE, ONLY_SHADOW = "both stood", "only live", "only shadow"
BETWEEN: Final = "|"


class Key(NamedTuple):
    """What one count is of. Empty where it is of no recommendation, or where there is no detail."""

    measure: str
    client: str
    week: date
    hook: str
    recommendation_id: str = ""
    version: str = ""
    indicator: str = ""
    detail: str = ""


Counts = Counter[Key]


def of_call(record: DecisionRecord) -> Counts:
    """What a call adds: its outcome, its gaps, its cards, and its shadows against what is live."""
    counts: Counts = Counter()
    week = _week(record.at)

    def count(measure: str, recommendation: str = "", version: str = "", indicator: str = "", detail: str = "") -> None:
        counts[Key(measure, record.client, week, record.hook, recommendation, version, indicator, detail)] += 1

    count(OUTCOME, detail=record.outcome)
    for gap in record.gaps:
        count(GAP, detail=BETWEEN.join((gap.need, gap.state, gap.reason or "")))
    for card in record.cards:
        count(card.state, card.recommendation_id, card.version, card.indicator)
    for run in record.shadows:
        measure = BOTH if run.stood and run.live_stood else ONLY_SHADOW if run.stood else ONLY_LIVE
        count(measure, run.recommendation_id, run.version)
    return counts


def of_feedback(card: Mapping[str, Any]) -> Counts:
    """What the feedback that stands for a card adds; nothing where there is none. ``card`` is a row of the table.

    Of a card that holds several, only those are accepted of which a suggestion was; that it was dismissed says nothing
    of each.
    """
    outcome, counts = card["outcome"], Counts()
    if outcome is None:
        return counts
    key = Key(
        outcome, card["client"], _week(card["at"]), card["hook"], card["recommendation_id"], card["version"],
        card["indicator"],
    )  # fmt: skip
    if card["state"] == FOLDED:
        if any(uuid in card["accepted_suggestions"] for uuid in card["suggestion_uuids"]):
            counts[key._replace(measure=FOLDED_ACCEPTED)] += 1
        return counts
    counts[key] += 1
    counts[key._replace(measure=DELAY, detail=f"{_bar(card['at'], card['outcome_at'])}{BETWEEN}{outcome}")] += 1
    if outcome == OVERRIDDEN:
        reason = f"{card['reason_system']}{BETWEEN}{card['reason_code']}"
        counts[key._replace(measure=REASON, detail=reason)] += 1
    return counts


def of_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> Counts:
    """What changes in the counts when other feedback stands for a card."""
    counts = of_feedback(after)
    counts.subtract(of_feedback(before))
    return counts


def _week(at: datetime) -> date:
    return monday(at.astimezone(UTC).date())


def _bar(returned: datetime, done: datetime) -> str:
    """The bar of the histogram; a clock that is behind ours makes it the first."""
    seconds = (done - returned).total_seconds()
    return next((str(end) for end in DELAYS if seconds <= end), LATER)
