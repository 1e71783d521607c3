"""From what was chosen on the page to the call that an EHR would make."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cds_service.decision.agreement import Agreement
from cds_service.decision.orders import OrderContext
from cds_service.domain.sides import SIDES_BY_NAME, Side
from cds_service.errors import InvalidRequestError
from cds_service.examples import Example, each_string
from cds_service.hooks.json_limits import JSONLimits
from cds_service.knowledge.hook_call import ENCOUNTER, USER, hook_call, resources_of
from cds_service.knowledge.knowledge import Knowledge
from cds_service.web.playground.changes import Change, changed
from cds_service.web.playground.words import USERS

_MOST_DRAFTS: Final = 20
_ALIAS: Final = re.compile(r"[A-Za-z0-9]{1,16}")
_READABLE: Final = 500_000


class Drafted(msgspec.Struct, frozen=True):
    """An order that is drafted in this call."""

    orderable: str
    side: str = ""
    selected: bool = True


class Asked(msgspec.Struct, frozen=True):
    """What was chosen: an example by its name, or the text of a record; the rest about the call.

    ``alias`` is put behind the patient's id, so that nothing is known of earlier calls; empty for the id as it is.
    """

    hook: str
    example: str = ""
    record: str = ""
    drafts: tuple[Drafted, ...] = ()
    changes: tuple[Change, ...] = ()
    unsent: tuple[str, ...] = ()
    user: str = "Practitioner"
    alias: str = ""


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call as an EHR makes it, and the record that it was made of, before its changes."""

    service_id: str
    request: str
    record: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CallMaker:
    """Makes calls with one knowledge, about its examples or about a record that was brought along."""

    knowledge: Knowledge
    agreement: Agreement
    examples: Mapping[str, Example]
    limits: JSONLimits

    def make(self, asked: Asked, now: dt.datetime) -> MadeCall:
        """The call. Raises RequestError for what cannot be asked."""
        service = next((s for s in self.knowledge.services if s.hook == asked.hook), None)
        if service is None:
            raise InvalidRequestError("hook", f"is none of {', '.join(self.knowledge.prefetch)}")
        record = _under_another_id(self._record(asked, now), asked.alias)
        there = changed(record, asked.changes)
        drafts = self._drafts(asked, there, now)
        request = hook_call(
            self.knowledge,
            there,
            asked.hook,
            drafts,
            user=_user(asked.user, there),
            unread=self._unread(asked.unsent),
            selected={f"draft-{at}" for at, draft in enumerate(asked.drafts, 1) if draft.selected},
        )
        return MadeCall(service.id, _written(request), record)

    def _record(self, asked: Asked, now: dt.datetime) -> list[dict[str, Any]]:
        if asked.record:
            return resources_of(self._parsed(asked.record))
        if asked.example not in self.examples:
            raise InvalidRequestError("example", "is none of ours")
        return resources_of(self.examples[asked.example].bundle(now))

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            self.limits.check(text.encode())
            data = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise InvalidRequestError("the record", "is not JSON") from None
        if not isinstance(data, dict) or not isinstance(data.get("resourceType"), str):
            raise InvalidRequestError("the record", "is not a FHIR Bundle: it has no resourceType")
        return data

    def _unread(self, unsent: Sequence[str]) -> list[str]:
        return [name for name, need in self.knowledge.vocabulary.needs.items() if need.key in unsent]

    def _drafts(self, asked: Asked, record: Sequence[Mapping[str, Any]], now: dt.datetime) -> list[dict[str, Any]]:
        if not asked.hook.startswith("order-"):
            return []
        if len(asked.drafts) > _MOST_DRAFTS:
            raise InvalidRequestError("drafts", f"are more than {_MOST_DRAFTS}")
        return [self._draft(at, draft, record, now) for at, draft in enumerate(asked.drafts, 1)]

    def _draft(self, at: int, draft: Drafted, record: Sequence[Mapping[str, Any]], now: dt.datetime) -> dict[str, Any]:
        orderable = self.knowledge.names.orderables.get(draft.orderable)
        if orderable is None:
            raise InvalidRequestError("drafts", "name an order that is none of orderables.yaml")
        order = OrderContext(
            patient_id=_id_of("Patient", record),
            encounter_id=_id_of("Encounter", record) or ENCOUNTER,
            requester=USER,
            side=SIDES_BY_NAME.get(draft.side, Side.UNSPECIFIED),
            authored=now,
            intent="order",
        )
        made = self.agreement.decider.composer.offers.writer.create(orderable, order)
        return {"resourceType": made["resourceType"], "id": f"draft-{at}"} | made


def _under_another_id(record: list[dict[str, Any]], alias: str) -> list[dict[str, Any]]:
    """The same record of a patient whom the service has not met: what it keeps quiet, it keeps by the id."""
    if not alias:
        return record
    if not _ALIAS.fullmatch(alias):
        raise InvalidRequestError("alias", "must be letters and digits, at most 16")
    known = _id_of("Patient", record)
    reference, other = f"Patient/{known}", f"{known}-{alias}"

    def renamed(text: str) -> str:
        is_patient = text == reference or text.endswith(f"/{reference}")
        return text.removesuffix(known) + other if is_patient else text

    made: list[dict[str, Any]] = each_string(record, renamed)
    return [r | {"id": other} if r.get("resourceType") == "Patient" and r.get("id") == known else r for r in made]


def _user(kind: str, record: Sequence[Mapping[str, Any]]) -> str:
    if kind not in USERS:
        raise InvalidRequestError("user", f"is none of {', '.join(USERS)}")
    return f"Patient/{_id_of('Patient', record)}" if kind == "Patient" else f"{kind}/example"


def _id_of(kind: str, record: Sequence[Mapping[str, Any]]) -> str:
    found = next((r.get("id") for r in record if r.get("resourceType") == kind), None)
    return found if isinstance(found, str) else ""


def _no_number(name: str) -> object:
    """Refuse NaN and its like, which Python reads and JSON has not."""
    raise ValueError(name)


def _written(request: Mapping[str, Any]) -> str:
    """The request as it is sent and shown: with lines where a person may want to read it."""
    text = json.dumps(request, ensure_ascii=False)
    lines = 2 if len(text) <= _READABLE else None
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can say and UTF-8 cannot
        return json.dumps(request, indent=lines)
    return json.dumps(request, ensure_ascii=False, indent=lines) if lines else text
