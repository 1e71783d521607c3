"""The shipped knowledge, its cases, and calls made of them."""

import copy
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import TypeAdapter

from cds_service.authoring.case_runner import DEFAULT_TIME, CaseRunner
from cds_service.authoring.cases import Case, CaseEntry, check_names, read_cases
from cds_service.authoring.trying import Attempt
from cds_service.decision.decide import Decision
from cds_service.domain.situation import Situation
from cds_service.domain.times import Now
from cds_service.errors import RequestError
from cds_service.hooks.contexts import HookContext, parse_context
from cds_service.hooks.request import parse_request
from cds_service.hooks.response import encode
from cds_service.knowledge.document import Document, _plain
from cds_service.knowledge.loader import load_knowledge
from cds_service.knowledge.problems import Problems
from cds_service.settings import Settings

CARDS = Path(__file__).resolve().parents[2] / "cards"
FILES = sorted(path.relative_to(CARDS).as_posix() for path in (CARDS / "cases").rglob("*.yaml"))
_ENTRY = TypeAdapter(CaseEntry)


class Answered(NamedTuple):
    """One call and what came of it."""

    context: HookContext
    situation: Situation
    decision: Decision

    @property
    def cards(self):
        """The cards as they go over the wire."""
        return self.wire["cards"]

    @property
    def wire(self):
        """The whole answer as it goes over the wire."""
        return json.loads(encode(self.decision.response))

    @property
    def codes(self):
        """What each card is about, in order."""
        return [card["source"]["topic"]["code"] for card in self.cards]


@lru_cache(maxsize=1)
def knowledge():
    return load_knowledge(CARDS)


@lru_cache
def runner(max_cards=0):
    settings = Settings(max_cards=max_cards, database_url="sqlite://")
    return CaseRunner(Attempt(settings, knowledge(), DEFAULT_TIME))


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Every case whose names are known; `cds-service check` complains about the others."""
    return tuple(case for case in read_cases(CARDS, Problems()) if check_names(case, knowledge(), Problems()))


def cases_of(file):
    return [case for case in cases() if case.document.name == file]


def a_case(text) -> Case:
    """A case written in a test as it would be in a file."""
    lines = {(): 1}
    data = _plain(yaml.compose("case: in a test\n" + text), (), lines, "test.yaml")
    return Case(Document("test.yaml", data, lines), 0, _ENTRY.validate_python(data), frozenset())


def request_of(case, max_cards=0):
    return runner(max_cards).request(case if isinstance(case, Case) else a_case(case))


def read(request, max_cards=0):
    """The context of a request and where its recommendations are judged."""
    attempt = runner(max_cards).attempt
    call = parse_request(json.dumps(request).encode())
    context = parse_context(call.hook, call.context)
    now = Now.of(attempt.at, attempt.zone)
    return context, attempt.decider.situation(call.hook, attempt.reader.read(call, context, now), now)


def answer(request, max_cards=0) -> Answered:
    context, situation = read(request, max_cards)
    return Answered(context, situation, runner(max_cards).attempt.decider.decide(context, situation))


def fire(case, max_cards=0) -> Answered:
    """A case, or the text of one, decided."""
    return answer(request_of(case, max_cards), max_cards)


@lru_cache(maxsize=4096)
def _answered(index) -> Answered | None:
    try:
        return fire(cases()[index])
    except RequestError:
        return None


def answered_cases(file=None):
    """Each case with its answer, those refused apart."""
    for index, case in enumerate(cases()):
        if file in (None, case.document.name) and (found := _answered(index)) is not None:
            yield case, found


def recommendation(code):
    return next((r for r in knowledge().recommendations if r.id == code), None)


def evaluation(answered, code):
    return next(e for e in answered.decision.evaluations if e.recommendation.id == code)


class Chart:
    """What an EHR holds during one call: the record and the drafts; and how it takes a suggestion (SUG-6)."""

    def __init__(self, request):
        self.request = copy.deepcopy(request)
        self.made = 0

    @property
    def is_about_orders(self):
        return "draftOrders" in self.request["context"]

    @property
    def drafts(self):
        bundle = self.request["context"].get("draftOrders", {})
        return [entry["resource"] for entry in bundle.get("entry", [])]

    def take(self, suggestion):
        """Deletes, then creates, then updates; created resources get an id. What was created."""
        by_type = {
            kind: [a for a in suggestion["actions"] if a["type"] == kind] for kind in ("delete", "create", "update")
        }
        drafts = {_key(draft): draft for draft in self.drafts}
        for action in by_type["delete"]:
            del drafts[action["resourceId"]]
        created = []
        for action in by_type["create"]:
            self.made += 1
            created.append(action["resource"] | {"id": f"taken-{self.made}"})
        for action in by_type["update"]:
            assert _key(action["resource"]) in drafts, "only a draft of this call is updated"
            drafts[_key(action["resource"])] = action["resource"]
        return list(drafts.values()), created

    def kept(self, suggestion):
        """The same call again, the new orders unsigned."""
        drafts, created = self.take(suggestion)
        request = copy.deepcopy(self.request)
        if self.is_about_orders:
            _put_drafts(request, [*drafts, *created])
            if "selections" in request["context"]:
                request["context"]["selections"] += [_key(one) for one in created]
        else:
            self._into_record(request, created)
        return request

    def signed(self, suggestion):
        """The same call again, every order signed."""
        drafts, created = self.take(suggestion)
        request = copy.deepcopy(self.request)
        if self.is_about_orders:
            _put_drafts(request, [])
            if "selections" in request["context"]:
                request["context"]["selections"] = []
        orders = [one | {"status": "active"} if one.get("status") == "draft" else one for one in [*drafts, *created]]
        self._into_record(request, orders)
        return request

    def _into_record(self, request, orders):
        keys = {need.resource: need.key for need in knowledge().vocabulary.needs.values()}
        for one in orders:
            bundle = request["prefetch"].get(keys[one["resourceType"]])
            if bundle is not None:
                bundle.setdefault("entry", []).append({"resource": one})

    def shows(self, created):
        """Whether the calls of this EHR would show these orders: an unread kind of data shows nothing."""
        if self.is_about_orders:
            return True
        keys = {need.resource: need.key for need in knowledge().vocabulary.needs.values()}
        return all(keys[one["resourceType"]] in self.request["prefetch"] for one in created)


def _key(resource):
    return f"{resource['resourceType']}/{resource['id']}"


def _put_drafts(request, drafts):
    bundle = {"resourceType": "Bundle", "type": "collection"}
    request["context"]["draftOrders"] = bundle | ({"entry": [{"resource": one} for one in drafts]} if drafts else {})
