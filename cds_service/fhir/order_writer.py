"""From an orderable to the FHIR resource that a suggestion creates, and from a draft to the one that it becomes."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

import msgspec

from cds_service.decision.orders import OrderContext
from cds_service.domain.codes import Coding
from cds_service.domain.facts import Priority
from cds_service.domain.recommendations import Offer, Orderable
from cds_service.domain.sides import SIDES_BY_NAME, Side
from cds_service.domain.vocabulary import Vocabulary
from cds_service.fhir import shapes
from cds_service.fhir.bundles import try_decode
from cds_service.fhir.concepts import ConceptReader
from cds_service.fhir.orders import side_of_order
from cds_service.fhir.requests import (
    Concept,
    DeviceRequestDraft,
    EncounterReference,
    Parameter,
    PatientReference,
    ReasonReference,
    RequesterReference,
    RequestIntent,
    RequestPriority,
    RequestStatus,
    ServiceRequestDraft,
)

OrthosesAs = Literal["DeviceRequest", "ServiceRequest"]
_CODE_MEMBERS: Final = {
    "ServiceRequest": ("code", ""),
    "DeviceRequest": ("codeCodeableConcept", "codeReference"),
    "MedicationRequest": ("medicationCodeableConcept", "medicationReference"),
}
_SIDED: Final = {shape.__name__: msgspec.json.Decoder(shape) for shape in (shapes.ServiceRequest, shapes.DeviceRequest)}
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_RESOURCES: Final = ("ServiceRequest", "DeviceRequest")
_ACTION_OF: Final = {Offer.CREATE: "create", Offer.UPDATE_DRAFT: "update", Offer.DELETE_DRAFT: "delete"}
_ACTIONS: Final = tuple(_ACTION_OF.values())
_NAMES_OF_SIDES: Final = {side: name for name, side in SIDES_BY_NAME.items()}


class OrderWriter:
    """Writes suggested orders as the client's EHR takes them.

    `orthoses_as` says how it models orders for devices, `catalogue` how it calls an orderable, `resources` which types
    it can create and `actions` what it can do.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        orthoses_as: OrthosesAs,
        catalogue: Mapping[str, Coding] | None = None,
        resources: Collection[str] = _RESOURCES,
        actions: Collection[str] = _ACTIONS,
    ) -> None:
        self._laterality = vocabulary.laterality_parameter_coding
        self._sides = vocabulary.side_codings
        self._codes = ConceptReader(vocabulary)
        self._orthoses_as = orthoses_as
        self._catalogue = catalogue or {}
        self._resources = frozenset(resources)
        self._actions = frozenset(actions)

    def takes(self, offer: Offer, orderable: Orderable | None) -> bool:
        """Whether the EHR can do this with a suggestion; an order it cannot create as such may be a ServiceRequest."""
        if _ACTION_OF[offer] not in self._actions:
            return False
        return offer is not Offer.CREATE or orderable is None or self._form(orderable) in self._resources

    def _form(self, orderable: Orderable) -> str:
        """The type of resource in which an orderable is ordered: a ServiceRequest, where its own is not taken."""
        form = self._orthoses_as if orderable.resource == "DeviceRequest" else orderable.resource
        return form if form in self._resources else "ServiceRequest"

    def _codings(self, orderable: Orderable) -> tuple[Coding, ...]:
        """The site's own code first, by which its catalogue knows the order."""
        own = self._catalogue.get(orderable.name)
        return (own, *orderable.codings) if own else orderable.codings

    def create(self, orderable: Orderable, order: OrderContext) -> dict[str, Any]:
        """A complete new order in R4, status draft, without an id: the EHR gives it one.

        A reason that cannot be referred to is left out; without any, the reason codings stand in. Raises ValueError
        for an orderable that is neither a service nor a device, and for a requester who may not order.
        """
        if orderable.resource not in _RESOURCES:
            raise ValueError(f"{orderable.name}: suggestions order services and devices only")
        resource = self._form(orderable)
        side = order.side if orderable.sided else Side.UNSPECIFIED
        common = _common(orderable, self._codings(orderable), order, side)
        if resource == "DeviceRequest":
            return DeviceRequestDraft(**common, parameters=self._parameters(side)).resource()
        category = Concept((orderable.category,)) if orderable.category else None
        return ServiceRequestDraft(**common, category=category, body_sites=self._sites(orderable, side)).resource()

    def _parameters(self, side: Side) -> tuple[Parameter, ...]:
        if not side:
            return ()
        return (Parameter(Concept((self._laterality,)), Concept((self._side_coding(side),))),)

    def _sites(self, orderable: Orderable, side: Side) -> tuple[Concept, ...]:
        codings = [orderable.body_site] if orderable.body_site else []
        if side:
            codings.append(self._side_coding(side))
        return tuple(Concept((coding,)) for coding in codings)

    def _side_coding(self, side: Side) -> Coding:
        return self._sides[_NAMES_OF_SIDES[side]]

    def update(
        self,
        draft: Mapping[str, object],
        *,
        planned: dt.date | None = None,
        on_hold: bool = False,
        add_reason: Coding | None = None,
        new_code: Orderable | None = None,
        priority: Priority | None = None,
    ) -> dict[str, Any]:
        """The draft as it came with only these members changed; what we do not know of it stays as it is.

        A MedicationRequest has no occurrence in R4, so that `planned` leaves it alone.
        """
        changed: dict[str, Any] = copy.deepcopy(dict(draft))
        kind = str(changed.get("resourceType"))
        if planned is not None and kind != "MedicationRequest":
            _remove(changed, *(name for name in changed if name.lstrip("_").startswith("occurrence")))
            changed["occurrenceDateTime"] = planned.isoformat()
        if priority is not None:
            _remove(changed, "_priority")
            changed["priority"] = RequestPriority[priority.name].value
        if on_hold:
            _remove(changed, "_status")
            changed["status"] = RequestStatus.ON_HOLD.value
        if add_reason is not None:
            reasons = changed.get("reasonCode") or []
            changed["reasonCode"] = [
                *(reasons if isinstance(reasons, list) else [reasons]),
                Concept((add_reason,), add_reason.display).element(),
            ]
        if new_code is not None:
            member, reference = _CODE_MEMBERS[kind]
            text = _text(new_code, self._side_of(kind, changed))
            _remove(changed, reference)
            changed[member] = Concept(self._codings(new_code), text).element()
        return changed

    def _side_of(self, kind: str, draft: Mapping[str, object]) -> Side:
        """The side that a draft names before its code is replaced."""
        decoder = _SIDED.get(kind)
        if decoder is None:
            return Side.UNSPECIFIED
        record = try_decode(decoder, msgspec.Raw(_ENCODER.encode(draft)))
        return side_of_order(record, self._codes) if record is not None else Side.UNSPECIFIED


def _common(orderable: Orderable, codings: tuple[Coding, ...], order: OrderContext, side: Side) -> dict[str, Any]:
    reasons = tuple(ReasonReference(one) for one in order.reasons if ReasonReference.accepts(one))
    return {
        "status": RequestStatus.DRAFT,
        "intent": RequestIntent(order.intent),
        "priority": RequestPriority(order.priority.name.lower()),
        "code": Concept(codings, _text(orderable, side)),
        "subject": PatientReference(f"Patient/{order.patient_id}"),
        "encounter": EncounterReference(f"Encounter/{order.encounter_id}") if order.encounter_id else None,
        "requester": RequesterReference(order.requester),
        "authored": order.authored,
        "planned": order.planned,
        "reasons": reasons,
        "reason_codes": () if reasons else _reason_codes(order.reason_codings),
        "note": order.description,
    }


def _reason_codes(codings: tuple[Coding, ...]) -> tuple[Concept, ...]:
    """The reasons in codes; one that lacks half of its code is none."""
    return tuple(Concept((one,), one.display) for one in codings if one.system and one.code)


def _text(orderable: Orderable, side: Side) -> str:
    """The side stands in the words too: many EHRs drop a device order's parameters."""
    return f"{orderable.text}, {side.words}" if side and orderable.sided else orderable.text


def _remove(resource: dict[str, Any], *names: str) -> None:
    for name in names:
        resource.pop(name, None)
