"""What each hook sends: one type per hook of the HL7 CDS Hooks Library that we serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from msgspec.structs import force_setattr

from cds_service.errors import InvalidRequestError, WrongHookError
from cds_service.hooks.duplicates import refuse_duplicates
from cds_service.hooks.reading import bare_id, is_blank, read, require_object, split_reference

_CLINICIANS: Final = ("Practitioner", "PractitionerRole")
_PATIENT_SIDE: Final = ("Patient", "RelatedPerson")
_EMPTY: Final = msgspec.Raw(b"{}")
if TYPE_CHECKING:
    _Selections = tuple[str, ...]
else:  # null is read, and made empty before anybody sees it
    _Selections = tuple[str, ...] | None


class HookContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """The members every hook here shares; unknown ones are ignored (HOK-3).

    `user_id` is the standard's userId, `Type/id`; an absolute URL or a version is cut off. `patient_id` and
    `encounter_id` are bare ids, also when the client sent `Patient/123`. An empty encounterId is none.
    """

    USER_TYPES: ClassVar[tuple[str, ...]] = _CLINICIANS
    TOKEN_FIELDS: ClassVar[tuple[str, ...]] = ("userId", "patientId", "encounterId")

    user_id: str
    patient_id: str
    encounter_id: str | None = None

    def __post_init__(self) -> None:
        """Bring the three ids to the standard's form, or refuse the context."""
        force_setattr(self, "user_id", self._read_user())
        force_setattr(self, "patient_id", bare_id("patientId", self.patient_id, "Patient"))
        if self.encounter_id is not None:
            force_setattr(self, "encounter_id", self._read_encounter(self.encounter_id))

    def _read_user(self) -> str:
        user = split_reference(self.user_id)
        if user is None or user[0] not in self.USER_TYPES:
            raise InvalidRequestError("userId", f"must be Type/id of {' or '.join(self.USER_TYPES)}")
        return "/".join(user)

    def _read_encounter(self, encounter_id: str) -> str | None:
        return None if is_blank(encounter_id) else bare_id("encounterId", encounter_id, "Encounter")

    @property
    def user_type(self) -> str:
        """The resource type of the user, one of USER_TYPES."""
        return self.user_id.partition("/")[0]

    @property
    def is_patient_facing(self) -> bool:
        """Whether a patient or a relative sits in front of the screen."""
        return self.user_type in _PATIENT_SIDE

    @property
    def token_values(self) -> dict[str, str]:
        """What the prefetch tokens stand for in this call (TOK-3, TOK-5), for `prefetch.fill`."""
        values = {"context.userId": self.user_id, "context.patientId": self.patient_id}
        if self.encounter_id is not None:
            values["context.encounterId"] = self.encounter_id
        return values | {f"user{self.user_type}Id": self.user_id.partition("/")[2]}


class PatientViewContext(HookContext, frozen=True, kw_only=True, rename="camel", gc=False):
    """A patient's record was opened."""

    USER_TYPES: ClassVar[tuple[str, ...]] = _CLINICIANS + _PATIENT_SIDE


class OrderSignContext(HookContext, frozen=True, kw_only=True, rename="camel", gc=False):
    """Orders are ready to sign.

    `draft_orders` is an undecoded JSON object, a Bundle; the Sandbox leaves it out at times, and then, or
    when it is null, it is `{}`.
    """

    draft_orders: msgspec.Raw = _EMPTY

    def __post_init__(self) -> None:
        """Read missing drafts as none."""
        super().__post_init__()
        if self.draft_orders == msgspec.Raw(b"null"):
            force_setattr(self, "draft_orders", _EMPTY)
        require_object("draftOrders", self.draft_orders)


class OrderSelectContext(OrderSignContext, frozen=True, kw_only=True, rename="camel", gc=False):
    """Orders were chosen; `selections` names the new ones among the drafts, as `Type/id`, as sent."""

    selections: _Selections = ()

    def __post_init__(self) -> None:
        """Read missing selections as none."""
        super().__post_init__()
        force_setattr(self, "selections", self.selections or ())


class EncounterDischargeContext(HookContext, frozen=True, kw_only=True, rename="camel", gc=False):
    """A patient is being discharged; the hook is about an encounter, so `encounter_id` is required."""

    encounter_id: str

    def _read_encounter(self, encounter_id: str) -> str:
        return bare_id("encounterId", encounter_id, "Encounter")


class ProblemListItemCreateContext(HookContext, frozen=True, kw_only=True, rename="camel", gc=False):
    """Problems were added to the problem list; `conditions`, an undecoded Bundle, is the hook's point."""

    conditions: msgspec.Raw

    def __post_init__(self) -> None:
        """Refuse conditions that are no object."""
        super().__post_init__()
        require_object("conditions", self.conditions)


CONTEXTS: Final[dict[str, type[HookContext]]] = {
    "patient-view": PatientViewContext,
    "order-select": OrderSelectContext,
    "order-sign": OrderSignContext,
    "encounter-discharge": EncounterDischargeContext,
    "problem-list-item-create": ProblemListItemCreateContext,
}

_UNDECODED: Final = {"draftOrders": "draft_orders", "conditions": "conditions"}
_DECODERS: Final = {hook: msgspec.json.Decoder(context) for hook, context in CONTEXTS.items()}


def parse_context(hook: str, raw: bytes | msgspec.Raw) -> HookContext:
    """Read the `context` of a call (REQ-6); an error names the member as `context.…`.

    Raises WrongHookError for a hook that is not in CONTEXTS, InvalidRequestError, or TooLargeError.
    """
    decoder = _DECODERS.get(hook)
    if decoder is None:
        raise WrongHookError(CONTEXTS)
    context = read(decoder, raw, at="context")
    known = {name: getattr(context, attribute, None) for name, attribute in _UNDECODED.items()}
    refuse_duplicates(bytes(raw), known, "context")
    return context
