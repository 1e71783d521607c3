"""Where a criterion is judged: one patient at one time, for one side or one draft, with named definitions kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from cds_service.domain.facts import Fact, Order, PatientFacts
from cds_service.domain.sides import Side
from cds_service.domain.times import Now, When
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN, Truth


class Answer(NamedTuple):
    """What a criterion says: its truth, the facts that decided it, and the needs whose absence leaves it open."""

    truth: Truth
    facts: tuple[Fact, ...] = ()
    needs: frozenset[str] = frozenset()


YES, NO, DONT_KNOW = Answer(MET), Answer(NOT_MET), Answer(UNKNOWN)


class Scope(NamedTuple):
    """What is being judged: a side of the body, a draft order with the side it names, or the patient as a whole."""

    side: Side | None = None
    draft: Order | None = None


WHOLE_PATIENT = Scope()


class Criterion(Protocol):
    """One applicability condition. ``text`` is the line as the author wrote it, read aloud."""

    text: str

    def answer(self, situation: Situation) -> Answer:
        """Judge this criterion in this situation."""
        ...

    def parts(self) -> tuple[Criterion, ...]:
        """The criteria inside this one."""
        ...


class MomentAnswer(NamedTuple):
    """A point in time of this patient's course: when, by which facts, and the needs that leave it open."""

    when: When | None
    facts: tuple[Fact, ...] = ()
    needs: frozenset[str] = frozenset()


class Moment(Protocol):
    """A named point in time, such as the onset of foot drop."""

    name: str

    def find(self, situation: Situation, *, for_look_back: bool = False) -> MomentAnswer:
        """The moment; for a look-back the default period stands in where it is unknown."""
        ...


@dataclass(slots=True)
class Situation:
    """Everything a criterion may look at. ``kept`` holds what was already answered in this call."""

    facts: PatientFacts
    now: Now
    hook: str
    scope: Scope = WHOLE_PATIENT
    kept: dict[tuple[str, Side | None, int], object] = field(default_factory=dict)

    def narrowed(self, scope: Scope) -> Situation:
        """The same call, judged for one side or one draft."""
        return Situation(self.facts, self.now, self.hook, scope, self.kept)

    def key(self, name: str) -> tuple[str, Side | None, int]:
        """Under which a named definition's answer is kept: it depends on side and draft."""
        return name, self.scope.side, id(self.scope.draft)
