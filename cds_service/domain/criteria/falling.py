"""A finding that falls: the latest lies lower than an earlier one, with no recovery between them."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.domain.criteria.records import each_side, newest
from cds_service.domain.facts import Finding, Kind
from cds_service.domain.sides import Side, same_side
from cds_service.domain.situation import DONT_KNOW, NO, Answer, Criterion, Situation
from cds_service.domain.times import Window
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN


@dataclass(slots=True)
class Falling:
    """The latest observation lies lower than an earlier one, with no recovery between them."""

    text: str
    concepts: tuple[str, ...]
    needs: frozenset[str]
    by_at_least: float
    over_at_most: Window
    latest_within: Window | None = None
    both_within: Window | None = None
    that_side: bool = False

    def answer(self, situation: Situation) -> Answer:
        """Compare the latest examination with those before it, side by side."""
        sides = each_side(situation.scope.side if self.that_side else None)
        best = max((self._of_side(each, situation) for each in sides), key=lambda a: a.truth)
        missing = situation.facts.missing(self.needs)
        return Answer(UNKNOWN, best.facts, missing) if missing else best

    def _of_side(self, side: Side, situation: Situation) -> Answer:
        if not _is_series_clear(self.concepts, side, situation):
            return DONT_KNOW
        pair = find_fall(self, side, situation)
        if pair is None:
            return NO
        earlier, _, latest = pair
        truth = MET
        if self.latest_within:
            truth = min(truth, self.latest_within.holds(latest.when, situation.now))
        if self.both_within:
            truth = min(truth, self.both_within.holds(earlier.when, situation.now))
        return Answer(truth, (earlier, latest) if truth is not NOT_MET else ())

    def parts(self) -> tuple[Criterion, ...]:
        """A criterion over records has no parts."""
        return ()


def find_fall(fall: Falling, side: Side, situation: Situation) -> tuple[Finding, Finding, Finding] | None:
    """The last examination before the fall, the first after it, and the latest: None where there is no fall."""
    series = [
        f
        for f in situation.facts.of(Kind.FINDING, fall.concepts)
        if isinstance(f, Finding) and f.when and f.number is not None and not f.doubtful and same_side(f.side, side)
    ]
    series.sort(key=lambda f: situation.now.day_span(f.when)[1] if f.when else 0.0)
    if len(series) < 2:
        return None
    latest = series[-1]
    for index in range(len(series) - 2, -1, -1):
        earlier = series[index]
        if _value(earlier) < _value(latest):
            return None  # it has recovered since: not getting worse
        if _apart(earlier, latest) > fall.over_at_most.amount:
            return None
        if _value(earlier) - _value(latest) >= fall.by_at_least:
            after = next(f for f in series[index + 1 :] if _value(earlier) - _value(f) >= fall.by_at_least)
            return earlier, after, latest
    return None


def _is_series_clear(concepts: tuple[str, ...], side: Side, situation: Situation) -> bool:
    """Whether it is certain which examination is the latest, and what it showed. Undated ones are passed over."""
    dated = [
        f for f in situation.facts.of(Kind.FINDING, concepts) if isinstance(f, Finding) and same_side(f.side, side)
    ]
    latest = newest(dated)
    return len({f.number for f in latest}) < 2 and all(f.number is not None and not f.doubtful for f in latest)


def _value(finding: Finding) -> float:
    return finding.number if finding.number is not None else 0.0


def _apart(earlier: Finding, latest: Finding) -> int:
    if earlier.when is None or latest.when is None:
        return 0
    return latest.when.latest - earlier.when.earliest
