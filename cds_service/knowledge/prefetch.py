"""Which data the recommendations of a hook ask for: only what they do ask becomes a prefetch template or a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cds_service.domain import criteria as run
from cds_service.domain.facts import Kind
from cds_service.domain.moments import Extreme, FallOf, LatestOf, NamedMoment
from cds_service.domain.recommendations import Recommendation
from cds_service.domain.situation import Criterion, Moment
from cds_service.knowledge.names import Names


@dataclass(frozen=True, slots=True)
class HookNeeds:
    """What one hook asks for: the needs, and the codes of the findings."""

    needs: frozenset[str]
    codes: tuple[str, ...]

    def with_local_codes(self, local: Mapping[str, Sequence[str]]) -> HookNeeds:
        """The same, with the codes of a site that mean the same as some of these."""
        more = {one for code in self.codes for one in local.get(code, ())}
        return HookNeeds(self.needs, tuple(sorted({*self.codes, *more}))) if more else self


def needs_at(hook: str, recommendations: Iterable[Recommendation], concerns: Criterion, names: Names) -> HookNeeds:
    """The needs that the recommendations of one hook hang on, and the codes of the findings they look for."""
    spoken = [r for r in recommendations if hook in r.hooks and r.is_effective]
    criteria = [c for r in spoken for c in criteria_of(r)] + [concerns]
    needed: set[str] = set()
    findings: set[str] = set()
    for criterion in every([*criteria, *(c for r in spoken for m in moments_of(r) for c in inside(m))]):
        needed |= _needs_of(criterion)
        if isinstance(criterion, run.Latest | run.Falling) or (
            isinstance(criterion, run.Records) and criterion.kind is Kind.FINDING
        ):
            findings |= set(criterion.concepts)
    return HookNeeds(frozenset(needed), tuple(sorted(_finding_codes(findings, names))))


def criteria_of(recommendation: Recommendation) -> Iterator[Criterion]:
    """Every criterion that can decide a recommendation or its words."""
    each = recommendation.for_each
    if each and each.sides_with:
        yield each.sides_with
    yield recommendation.when
    yield from (e.criterion for e in recommendation.unless)
    yield from recommendation.gates
    yield from (c for _, c in recommendation.raised_when)
    yield from criteria_of_words(recommendation)


def criteria_of_words(recommendation: Recommendation) -> Iterator[Criterion]:
    """The criteria that a recommendation's texts and orders hang on."""
    yield from (t.when for t in recommendation.detail if t.when)
    yield from (s.criterion for s in recommendation.slots.values() if s.criterion)
    for suggestion in recommendation.suggestions:
        if suggestion.when:
            yield suggestion.when
        yield from (a.reason for a in suggestion.actions if a.reason)


def needs_of_words(recommendation: Recommendation) -> frozenset[str]:
    """The needs that only decide what a card says and offers, and how urgent it is, once it stands."""
    deciding = [*criteria_of_words(recommendation), *(c for _, c in recommendation.raised_when)]
    moments = (c for moment in moments_of(recommendation) for c in inside(moment))
    return frozenset().union(*(_needs_of(criterion) for criterion in every([*deciding, *moments])))


def _needs_of(criterion: Criterion) -> frozenset[str]:
    """The needs of one criterion, and of the ends of conditions that its records are compared with."""
    needs: frozenset[str] = getattr(criterion, "needs", frozenset())
    ends = criterion.ends if isinstance(criterion, run.Latest | run.Records) else None
    return needs | ends.needs if ends else needs


def moments_of(recommendation: Recommendation) -> Iterator[Moment]:
    """The moments that a recommendation's words and orders speak of."""
    yield from (slot.moment for slot in recommendation.slots.values() if slot.moment)
    for suggestion in recommendation.suggestions:
        yield from (a.planned.moment for a in suggestion.actions if a.planned and a.planned.moment)


def criteria_behind(recommendation: Recommendation) -> Iterator[Criterion]:
    """Every criterion of a recommendation, those inside others and those of its moments included, each once."""
    moments = (c for moment in moments_of(recommendation) for c in inside(moment))
    yield from every([*criteria_of(recommendation), *moments])


def asked_by(recommendation: Recommendation) -> tuple[str, ...]:
    """Every value set whose records some criterion of a recommendation asks for, by name."""
    found = {c for criterion in criteria_behind(recommendation) for c in getattr(criterion, "concepts", ())}
    drafted = recommendation.for_each.drafted if recommendation.for_each else ()
    return tuple(sorted({*found, *drafted}))


def every(criteria: Iterable[Criterion]) -> Iterator[Criterion]:
    """The criteria, what is inside them, and what the moments they speak of are found by."""
    pending = list(criteria)
    seen: set[int] = set()
    while pending:
        criterion = pending.pop()
        if id(criterion) in seen:
            continue
        seen.add(id(criterion))
        yield criterion
        pending.extend(criterion.parts())
        for moment in getattr(criterion, "moments", ()):
            pending.extend(inside(moment))


def inside(moment: Moment) -> Iterator[Criterion]:
    """The criteria by which a moment is found."""
    if isinstance(moment, NamedMoment):
        for source in moment.sources:
            if isinstance(source, Extreme):
                yield source.records
            elif isinstance(source, FallOf):
                yield source.fall
            elif isinstance(source, LatestOf):
                for other in source.moments:
                    yield from inside(other)


def _finding_codes(concepts: set[str], names: Names) -> Iterator[str]:
    """The bare codes of some findings: without a system, since some feeds store it under an OID."""
    for concept in concepts:
        value_set = names.value_sets.get(concept)
        if value_set is None:
            continue
        yield from (code.code for code in value_set.codes)
        yield from _finding_codes(set(value_set.includes), names)
