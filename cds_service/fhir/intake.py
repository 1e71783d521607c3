"""Everything that one call holds, decoded and bound to its patient before anything is read out of it.

What the request brings and what its FHIR server answered are bound by the same rule but not with the same
consequence: another patient's data in the request refuses the call; in an answer that was fetched it fails that answer.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from typing import Final

from cds_service.domain.facts import GapReason, NeedState
from cds_service.errors import ForeignPatientError, TooLargeError
from cds_service.fhir import shapes
from cds_service.fhir.bundles import Answer, Item, read_answer, read_contained, take_apart
from cds_service.fhir.chart import Chart
from cds_service.fhir.references import Binder, Owner, Server, record_key
from cds_service.hooks.contexts import HookContext, OrderSignContext, ProblemListItemCreateContext
from cds_service.hooks.request import CDSRequest

DRAFTS: Final = "context.draftOrders"
CONDITIONS: Final = "context.conditions"
_FETCHED: Final = "fetched"
_LOG = logging.getLogger("cds_service.fhir")


class Intake:
    """The resources of one call.

    `answers` has what stands under each asked prefetch key, `fetched` what the FHIR server answered, by query key.
    After `bind`, `drafts` and `records` hold what belongs to the patient, `orphans` what names no patient and counts
    only if one of the others refers to it.
    """

    def __init__(self, request: CDSRequest, context: HookContext, keys: Collection[str], max_resources: int) -> None:
        prefetch = request.prefetch or {}
        self.answers = {key: read_answer(raw) for key, raw in prefetch.items() if key in keys}
        self._context = _context_answers(context)
        self._unasked = [read_answer(raw) for key, raw in prefetch.items() if key not in keys]
        self.fetched: dict[str, Answer] = {}
        self._continued: set[str] = set()
        if self.resources > max_resources:
            raise TooLargeError("resources", max_resources)
        self.drafts: list[Item] = []
        self.records: list[shapes.Record] = []
        self.orphans: list[shapes.Record] = []

    def _all(self) -> Iterator[tuple[str, Answer]]:
        """Each answer and its member: the context first, since what it says is newest and counts."""
        yield from self._context.items()
        for key, answer in self.answers.items():
            yield f"prefetch.{key}", answer
        for answer in self.fetched.values():
            yield _FETCHED, answer
        for answer in self._unasked:  # nobody asked for these, but they must not be somebody else's
            yield "prefetch", answer

    @property
    def resources(self) -> int:
        """How many resources came, whatever became of them."""
        return sum(len(answer.items) for _, answer in self._all())

    @property
    def is_empty(self) -> bool:
        """Whether nothing came: no answer to a query, and no resource of the context."""
        return not self.answers and not self.fetched and not self.resources

    def add(self, key: str, answer: Answer, *, continues: bool = False) -> None:
        """Take what the FHIR server answered: instead of the prefetch under this key, or as what follows it."""
        self.fetched[key] = answer
        if continues:
            self._continued.add(key)

    def answers_for(self, keys: Collection[str], resource_type: str) -> list[Answer]:
        """What came for a need: under its keys, from the server, and for problems in the hook's own context."""
        found = [answers[key] for key in keys for answers in (self.answers, self.fetched) if key in answers]
        if resource_type == "Condition" and CONDITIONS in self._context:
            found.append(self._context[CONDITIONS])
        return found

    def state(self, key: str, resource_type: str) -> tuple[NeedState, GapReason | None]:
        """What came of one query, and why not more."""
        sent, got = self.answers.get(key), self.fetched.get(key)
        answer = got if key not in self._continued else None
        if answer is None and sent is not None:
            answer = _joined(sent, got) if got else sent
        if answer is None:
            return NeedState.ABSENT, None
        state = answer.state(resource_type)
        return state, None if state.proves_absence else answer.reason

    @property
    def draft_items(self) -> list[Item]:
        """The drafts as they came, of any type."""
        answer = self._context.get(DRAFTS)
        return answer.items if answer else []

    def bind(self, patient_id: str, server: Server, chart: Chart) -> None:
        """Sort the resources by whose they are; the first of several with the same type and id is the one that counts.

        Raises ForeignPatientError if any that the request holds is about another patient.
        """
        self.drafts, self.records, self.orphans = [], [], []
        binder = Binder(patient_id, server)
        for _, answer in self._all():
            for item in answer.items:
                if isinstance(item.resource, shapes.Patient):
                    binder.learn(item.resource)
        for answer in self.fetched.values():
            _reject_foreign(answer, binder)
        beside_drafts: list[Item] = []
        for member, answer in self._all():
            if answer.broken:
                chart.count_invalid("Bundle", answer.broken)
            beside_drafts += self._sort(member, answer, binder, chart)
        for item in beside_drafts:  # may be referred to, but must not hide the record's own
            _is_first(item, chart)

    def _sort(self, member: str, answer: Answer, binder: Binder, chart: Chart) -> Iterator[Item]:
        """Keep what belongs to the patient; what stands beside the drafts is given back for later."""
        urns = _urns(answer, binder)
        for item in answer.items:
            owner = _owner(item, member, binder, urns)
            if member == DRAFTS and not isinstance(item.resource, shapes.Request):
                yield item
            elif member != "prefetch" and _is_first(item, chart):
                self._keep(item, owner, member)

    def _keep(self, item: Item, owner: Owner, member: str) -> None:
        if member == DRAFTS:
            self.drafts.append(item)
        elif owner is Owner.PATIENT or member == CONDITIONS:
            self.records.append(item.resource)
        else:
            self.orphans.append(item.resource)


def _joined(sent: Answer, rest: Answer) -> Answer:
    """A prefetched page with those that follow it; where these failed, the first page still counts."""
    whole = Answer()
    whole.add_page(sent)
    if rest.failure is not None:
        whole.cut_short(rest.reason or GapReason.INCOMPLETE)
    else:
        whole.reason = None
        whole.add_page(rest)
    return whole


def _reject_foreign(answer: Answer, binder: Binder) -> None:
    """No part is used of an answer that holds another patient's data: the server ignored what was asked."""
    urns = _urns(answer, binder)
    try:
        for item in answer.items:
            _owner(item, _FETCHED, binder, urns)
    except ForeignPatientError as error:
        _LOG.warning("the FHIR server answered with data (%s) of another patient", error.resource_type)
        answer.reject(GapReason.OTHER_PATIENT)


def _context_answers(context: HookContext) -> dict[str, Answer]:
    if isinstance(context, OrderSignContext):
        return {DRAFTS: take_apart(context.draft_orders, is_bundle=True)}
    if isinstance(context, ProblemListItemCreateContext):
        return {CONDITIONS: take_apart(context.conditions, is_bundle=True)}
    return {}


def _urns(answer: Answer, binder: Binder) -> dict[str, Owner]:
    """Whom the urn: addresses of one Bundle stand for: its Patient entry for the patient, other entries for nobody."""
    return {
        item.full_url: binder.owner(item.resource, {}) if item.resource.kind == "Patient" else Owner.NOBODY
        for item in answer.items
        if item.full_url and item.full_url.startswith("urn:")
    }


def _owner(item: Item, member: str, binder: Binder, urns: dict[str, Owner]) -> Owner:
    record = item.resource
    owner = binder.owner(record, urns)
    if owner is Owner.FOREIGN:
        raise ForeignPatientError(member, record.kind)
    if record.contained:
        for part in read_contained(record.contained):
            # a contained Patient has an id of its own making
            if part.kind != "Patient" and binder.owner(part, urns) is Owner.FOREIGN:
                raise ForeignPatientError(member, part.kind)
    return owner


def _is_first(item: Item, chart: Chart) -> bool:
    """Enter a usable resource into the index; False if it is not usable or is there already."""
    record = item.resource
    if isinstance(record, shapes.Other):
        if not record.fits:
            chart.count_invalid(record.kind)
        return False
    key = record_key(record)
    first = chart.index.setdefault(key, record) if key else record
    if item.full_url:
        chart.index.setdefault(item.full_url, first)
    return first is record
