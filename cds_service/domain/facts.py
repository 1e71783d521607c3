"""What is known about one patient: typed facts by kind and concept, and how far each data need was met.

Facts are made at the edge (``cds_service.fhir``) and only hold what a recommendation may ask. A fact that the record
states in a way we may not trust (an unknown modifier extension, an unknown status) is *doubtful*: it can make an
answer unknown, never met or not met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum

from cds_service.domain.codes import Coding
from cds_service.domain.sides import Side
from cds_service.domain.times import When
from cds_service.domain.truth import MET, NOT_MET, Truth

NO_CONCEPTS: frozenset[str] = frozenset()


class Kind(Enum):
    """The kinds of record a criterion can ask about."""

    CONDITION = "condition"
    FINDING = "finding"
    DONE = "done"
    ORDER = "order"
    REFUSAL = "refusal"
    DEVICE = "device"


@dataclass(slots=True, kw_only=True)
class Fact:
    """One record of the patient, reduced to what criteria ask. ``reference`` is ``Type/id``, or empty without an id."""

    reference: str
    concepts: frozenset[str]
    coding: Coding
    side: Side = Side.UNSPECIFIED
    when: When | None = None
    doubtful: bool = False


class Certainty(Enum):
    """FHIR's verificationStatus as gate G4 reads it."""

    CONFIRMED = "confirmed"
    SUSPECTED = "suspected"


@dataclass(slots=True, kw_only=True)
class Condition(Fact):
    """A problem or diagnosis. ``when`` is its onset; ``cause`` is None where no cause is stated."""

    active: Truth = MET
    certainty: Certainty = Certainty.CONFIRMED
    recorded: When | None = None
    ended: When | None = None
    severity: frozenset[str] = NO_CONCEPTS
    has_cause: bool = False
    causes: frozenset[str] = NO_CONCEPTS


@dataclass(slots=True, kw_only=True)
class Finding(Fact):
    """An observation. Exactly one of ``number`` and ``values`` is set, or neither: then its value could not be read."""

    number: float | None = None
    values: frozenset[str] = NO_CONCEPTS
    value_text: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether the value was understood."""
        return self.number is not None or bool(self.values)


@dataclass(slots=True, kw_only=True)
class Done(Fact):
    """Something completed: a procedure, a final report, a completed order, a dose given. ``when`` is when."""


class Stage(Enum):
    """How far an order has come."""

    DRAFT = "draft"
    OPEN = "open"


class Priority(IntEnum):
    """FHIR request priority, by urgency."""

    ROUTINE = 0
    URGENT = 1
    ASAP = 2
    STAT = 3


@dataclass(slots=True, kw_only=True)
class Order(Fact):
    """An order that is drafted or open. ``when`` is when it was written.

    ``in_call`` marks a draft of this hook call, ``judged`` one that this call is about (on order-select: selected).
    ``reasons`` holds the concepts of its reasons; ``states_reason`` tells a blank reason from one not understood.
    ``resource`` is the draft as it came, for updates.
    """

    stage: Stage = Stage.OPEN
    priority: Priority = Priority.ROUTINE
    planned: When | None = None
    reasons: frozenset[str] = NO_CONCEPTS
    states_reason: bool = False
    replaces: bool = False
    in_call: bool = False
    judged: bool = False
    resource: Mapping[str, object] | None = None


@dataclass(slots=True, kw_only=True)
class Refusal(Fact):
    """An order not to do something (doNotPerform), and whether it says why."""

    states_reason: bool = False


@dataclass(slots=True, kw_only=True)
class Device(Fact):
    """A device, as its use statement or its own record says. ``when`` is since when it is used."""

    in_use: Truth = MET
    until: When | None = None


KIND_OF: dict[type[Fact], Kind] = {
    Condition: Kind.CONDITION,
    Finding: Kind.FINDING,
    Done: Kind.DONE,
    Order: Kind.ORDER,
    Refusal: Kind.REFUSAL,
    Device: Kind.DEVICE,
}


class NeedState(Enum):
    """What came of asking for one kind of patient data."""

    PRESENT = "present"
    EMPTY = "empty"
    FAILED = "failed"
    DENIED = "denied"
    TRUNCATED = "truncated"
    PARTIAL = "partial"
    NOT_ASKED = "not asked"
    ABSENT = "absent"

    @property
    def proves_absence(self) -> bool:
        """Whether "none on record" may be concluded."""
        return self in (NeedState.PRESENT, NeedState.EMPTY)

    @property
    def was_had(self) -> bool:
        """Whether an answer came, though a part of it could not be understood."""
        return self.proves_absence or self is NeedState.PARTIAL


class GapReason(StrEnum):
    """Why a need could not be had, where more is known than its state tells. In words: ``services.yaml``."""

    LATE = "late"
    DENIED = "denied"
    OUT_OF_SCOPE = "out of scope"
    OTHER_PATIENT = "other patient"
    TOO_MUCH = "too much"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"
    SERVER_ERROR = "server error"
    NOT_OFFERED = "not offered"
    UNSAFE = "unsafe"
    SERVER_NOT_ALLOWED = "server not allowed"
    NOT_SENT = "not sent"


REASON_OF: Mapping[NeedState, GapReason] = {
    NeedState.FAILED: GapReason.SERVER_ERROR,
    NeedState.DENIED: GapReason.DENIED,
    NeedState.TRUNCATED: GapReason.INCOMPLETE,
    NeedState.PARTIAL: GapReason.UNREADABLE,
    NeedState.ABSENT: GapReason.NOT_SENT,
}
"""What a state alone tells of the reason."""


@dataclass(slots=True)
class Subject:
    """The patient: only what criteria ask. ``birth`` and ``deceased`` are unknown without the Patient resource."""

    birth: When | None = None
    deceased: Truth = NOT_MET


@dataclass(slots=True)
class Reading:
    """What the reader counted while reading, for the trace, the metrics and the response's extension."""

    resources: int = 0
    text_only: int = 0
    invalid: dict[str, int] = field(default_factory=dict)
    doubtful: int = 0
    ignored_selections: int = 0


class PatientFacts:
    """All facts of one call, indexed by kind and concept; immutable once built."""

    __slots__ = ("_index", "facts", "needs", "reading", "reasons", "subject")

    def __init__(
        self,
        subject: Subject | None,
        facts: Iterable[Fact],
        needs: Mapping[str, NeedState],
        reading: Reading | None = None,
        reasons: Mapping[str, GapReason] | None = None,
    ) -> None:
        """Index ``facts``; ``subject`` is None when the Patient could not be had; ``reasons`` are those of fetching."""
        self.subject = subject
        self.facts = tuple(facts)
        self.needs = needs
        self.reading = reading or Reading()
        self.reasons = reasons or {}
        index: dict[tuple[Kind, str], list[Fact]] = {}
        for fact in self.facts:
            kind = KIND_OF[type(fact)]
            for concept in fact.concepts:
                index.setdefault((kind, concept), []).append(fact)
        self._index = index

    def of(self, kind: Kind, concepts: Iterable[str]) -> list[Fact]:
        """The facts of one kind that mean one of the concepts, each once."""
        found: list[Fact] = []
        for concept in concepts:
            found.extend(self._index.get((kind, concept), ()))
        return found if len(found) < 2 else list({id(fact): fact for fact in found}.values())

    def reason(self, need: str) -> GapReason | None:
        """Why a need was not met; None where it was."""
        return self.reasons.get(need) or REASON_OF.get(self.needs.get(need, NeedState.ABSENT))

    def missing(self, needs: Iterable[str]) -> frozenset[str]:
        """Those of ``needs`` from which absence cannot be concluded."""
        return frozenset(need for need in needs if not self.needs.get(need, NeedState.ABSENT).proves_absence)
