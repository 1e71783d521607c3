"""A small invented knowledge, a patient made of facts, and criteria written as an author writes them."""

import datetime as dt
import itertools
import textwrap
from types import SimpleNamespace

import yaml
from pydantic import TypeAdapter

from cds_service.domain.codes import Coding
from cds_service.domain.facts import (
    Condition,
    Device,
    Done,
    Finding,
    NeedState,
    Order,
    PatientFacts,
    Refusal,
    Subject,
)
from cds_service.domain.sides import Side
from cds_service.domain.situation import MomentAnswer, Scope, Situation
from cds_service.domain.times import Now, When, parse_when
from cds_service.domain.truth import Truth
from cds_service.knowledge.criteria_compiler import CriteriaCompiler
from cds_service.knowledge.document import Document, _plain
from cds_service.knowledge.names import Names
from cds_service.knowledge.problems import Problems
from cds_service.knowledge.schema import CriterionEntry

_ENTRY = TypeAdapter(CriterionEntry)
UTC = dt.UTC
NOON = dt.datetime(2026, 6, 15, 12, tzinfo=UTC)
NOW = Now.of(NOON, UTC)
MET, NOT_MET, UNKNOWN = Truth.MET, Truth.NOT_MET, Truth.UNKNOWN
RIGHT, LEFT, BOTH, UNSTATED = Side.RIGHT, Side.LEFT, Side.BOTH, Side.UNSPECIFIED

VALUE_SETS = ("limp", "numbness", "brace", "splint", "study", "drug", "severe", "present", "absent", "gout", "fall")
NEEDS = {
    "patient": ("patient",),
    "problems": ("condition",),
    "findings": ("finding",),
    "procedures": ("done",),
    "orders": ("order", "refusal"),
    "devices": ("device",),
}
PARAMETERS = {
    "a week": (7, "days"),
    "a month": (30, "days"),
    "a day": (24, "hours"),
    "weak": (3, "MRC grade"),
    "none": (0, "MRC grade"),
    "full": (5, "MRC grade"),
    "one grade": (1, "MRC grade"),
    "adult": (16, "years"),
}


class FixedMoment:
    """A moment that a test sets: known, not on record, or not to be looked up for want of a need."""

    def __init__(self, name, when=None, needs=()):
        self.name = name
        self.answer = MomentAnswer(when, (), frozenset(needs))

    def find(self, _, *, for_look_back=False):
        if self.answer.when is None and for_look_back:
            return self.answer._replace(when=day(365))
        return self.answer


def day(ago: int) -> When:
    """A date so many days ago; negative in the future."""
    return When(NOW.today - ago, NOW.today - ago)


def hours(ago: float) -> When:
    """An instant so many hours ago."""
    return parse_when((NOON - dt.timedelta(hours=ago)).isoformat(), UTC)


def roughly(text: str) -> When:
    """A month or a year."""
    return parse_when(text, UTC)


_number = itertools.count(1)


def _fact(kind, concept, **members):
    members = {"reference": f"R/{next(_number)}", "coding": Coding("s", concept, concept)} | members
    return kind(concepts=frozenset((concept,)), **members)


def condition(concept="limp", **members):
    return _fact(Condition, concept, **members)


def finding(concept="numbness", value=None, **members):
    shown = {"values": frozenset((value,))} if isinstance(value, str) else {"number": value}
    return _fact(Finding, concept, **({"when": day(1)} | shown | members))


def done(concept="study", **members):
    return _fact(Done, concept, **({"when": day(1)} | members))


def order(concept="study", **members):
    return _fact(Order, concept, **members)


def draft(concept="study", **members):
    return _fact(Order, concept, **({"in_call": True, "judged": True} | members))


def device(concept="brace", **members):
    return _fact(Device, concept, **members)


def refusal(concept="brace", **members):
    return _fact(Refusal, concept, **members)


def patient(*facts, unread=(), born="1970-01-01", deceased=NOT_MET, no_patient=False, now=NOW):
    """A situation: these facts, with some needs that could not be read."""
    states = {need: NeedState.FAILED if need in unread else NeedState.PRESENT for need in NEEDS}
    subject = None if no_patient else Subject(birth=parse_when(born, UTC), deceased=deceased)
    return Situation(PatientFacts(subject, facts, states), now, "patient-view")


def names(**moments) -> Names:
    """The invented names. A moment is `onset=day(3)`; None is not on record."""
    found = Names()
    found.value_sets = {name: SimpleNamespace(codes=[], includes=[], recorded_in=[], scale=None) for name in VALUE_SETS}
    found.parameters = {n: SimpleNamespace(value=value, unit=unit) for n, (value, unit) in PARAMETERS.items()}
    found.needs = {name: SimpleNamespace(shows=shows) for name, shows in NEEDS.items()}
    found.moments = {name: when if hasattr(when, "find") else FixedMoment(name, when) for name, when in moments.items()}
    return found


def criterion(text: str, definitions=None, **moments):
    """A criterion, written as in a file; raises if an author would be told of a mistake."""
    lines = {(): 1}
    data = _plain(yaml.compose(textwrap.dedent(text)), (), lines, "here.yaml")  # `on` is a key here, not a boolean
    entry = _ENTRY.validate_python(data)
    problems = Problems()
    document = Document("here.yaml", data, lines)
    compiler = CriteriaCompiler(document, names(**moments), problems, (definitions or {}).get)
    compiled = compiler.compile(entry, ())
    if problems.found:
        raise ValueError("; ".join(str(problem) for problem in problems.found))
    return compiled


def judged(text: str, situation: Situation, *, side=None, of_draft=None, definitions=None, **moments) -> Truth:
    """What a criterion says of a patient, for a side or a draft."""
    scope = Scope(side=side, draft=of_draft)
    return criterion(text, definitions, **moments).answer(situation.narrowed(scope)).truth
