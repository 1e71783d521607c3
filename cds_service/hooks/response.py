"""What a service call answers: cards, their suggestions and links (sections F to L).

Every rule of the standard that can be checked on the answer alone is checked when the object is built, so
whatever exists may be sent. Empty lists and objects are left out on the wire, empty strings refused (JSN-3).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec.structs import force_setattr

from cds_service.domain.recommendations import Indicator
from cds_service.hooks.reading import is_absolute_url, is_blank

SUMMARY_LIMIT: Final = 140
"""A summary has fewer characters than this (CARD-2)."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RELATIVE: Final = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9_.-]+")


def names_a_resource(reference: str) -> bool:
    """Whether this is `Type/id`, as a deletion names what it deletes (ACT-5)."""
    return _RELATIVE.fullmatch(reference) is not None


class SelectionBehavior(StrEnum):
    """How many suggestions of a card may be taken (CARD-8)."""

    AT_MOST_ONE = "at-most-one"
    ANY = "any"


class LinkType(StrEnum):
    """A plain URL, or one the client launches as a SMART app (LNK-3)."""

    ABSOLUTE = "absolute"
    SMART = "smart"


class ActionType(StrEnum):
    """What an action does to the record (ACT-1)."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A piece of an answer, with the checks they share."""

    def _require(self, rule: bool, message: str) -> None:
        if not rule:
            raise ValueError(f"{type(self).__name__}: {message}")

    def _texts(self, *names: str) -> None:
        """Refuse strings that are empty; None is an optional one left out (JSN-3, JSN-4)."""
        for name in names:
            value = getattr(self, name)
            self._require(value is None or not is_blank(value), f"{name} is empty (JSN-3)")

    def _urls(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            self._require(value is None or is_absolute_url(value), f"{name} must be an absolute http(s) URL")

    def _uuid(self, uuid: str) -> None:
        """Clients take any string; the logical models say UUID, and so do we."""
        self._require(_UUID.fullmatch(uuid) is not None, "uuid is not a UUID")

    def _freeze(self, *names: str) -> None:
        """Make lists tuples, so that an empty one equals its default and is left out (JSN-3)."""
        for name in names:
            force_setattr(self, name, tuple(getattr(self, name)))

    def _drop_empty_extension(self) -> None:
        force_setattr(self, "extension", getattr(self, "extension", None) or None)


class Coding(_Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A code of a system (COD-1); the display is optional here, and an empty one is none."""

    system: str
    code: str
    display: str | None = None

    def __post_init__(self) -> None:
        """Refuse a coding without system or code."""
        self._texts("system", "code")
        force_setattr(self, "display", self.display or None)


class OverrideReason(Coding, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A reason the user may give for dismissing a card; people must be able to read it (OVR-1)."""

    display: str

    def __post_init__(self) -> None:
        """Refuse a reason without words."""
        self._texts("system", "code", "display")


class Source(_Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Who stands behind a card (SRC-1 to SRC-5)."""

    label: str
    url: str | None = None
    icon: str | None = None
    topic: Coding | None = None

    def __post_init__(self) -> None:
        """Refuse a source without a name or with relative URLs."""
        self._texts("label")
        self._urls("url", "icon")


class Link(_Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A page or a SMART app to open (LNK-1 to LNK-4)."""

    label: str
    url: str
    type: LinkType
    app_context: str | None = None

    def __post_init__(self) -> None:
        """Refuse app context where no app is launched."""
        force_setattr(self, "type", LinkType(self.type))
        self._texts("label", "app_context")
        self._urls("url")
        self._require(
            self.app_context is None or self.type is LinkType.SMART,
            "appContext is for smart links only (LNK-4)",
        )


class SystemAction(_Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A change the client may apply without asking, in pre-coordinated scenarios only (SYS-1, SYS-2).

    `resource` is a plain FHIR resource and goes out untouched: FHIR uses null inside its arrays (JSN-2).
    """

    type: ActionType
    description: str | None = None
    resource: dict[str, Any] | None = None
    resource_id: str | None = None
    extension: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse an action that does not say what to create, update or delete (ACT-3 to ACT-6)."""
        force_setattr(self, "type", ActionType(self.type))
        self._texts("description")
        self._drop_empty_extension()
        if self.type is ActionType.DELETE:
            self._require(self.resource is None, "delete has no resource (ACT-6)")
            self._require(
                self.resource_id is not None and names_a_resource(self.resource_id),
                "delete needs resourceId as Type/id (ACT-5)",
            )
        else:
            whole = isinstance(self.resource, dict) and bool(self.resource.get("resourceType"))
            self._require(whole, f"{self.type} needs a whole resource (ACT-3, ACT-4)")
            self._require(self.resource_id is None, "resourceId is for delete only (ACT-5)")


class Action(SystemAction, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A change inside a suggestion, described to the user (ACT-2)."""

    description: str


class Suggestion(_Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A choice offered to the user; taking it means all its actions (SUG-1 to SUG-5).

    The uuid is optional in the standard and required here: without it acceptance is never reported (FBK-10).
    """

    label: str
    uuid: str
    is_recommended: bool = False
    actions: tuple[Action, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a suggestion without words or with something else than a UUID."""
        self._texts("label")
        self._uuid(self.uuid)
        self._freeze("actions")


class Card(_Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One piece of guidance (section G); the uuid is required here, as feedback hangs on it (FBK-10)."""

    uuid: str
    summary: str
    detail: str | None = None
    indicator: Indicator
    source: Source
    suggestions: tuple[Suggestion, ...] = ()
    selection_behavior: SelectionBehavior | None = None
    override_reasons: tuple[OverrideReason, ...] = ()
    links: tuple[Link, ...] = ()
    extension: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse what a client would have to treat as an error."""
        force_setattr(self, "indicator", Indicator(self.indicator))
        self._uuid(self.uuid)
        self._texts("summary", "detail")
        self._require(len(self.summary) < SUMMARY_LIMIT, f"summary has {SUMMARY_LIMIT} characters or more (CARD-2)")
        self._require(len(self.summary.splitlines()) == 1, "summary is more than one line (CARD-2)")
        self._freeze("suggestions", "override_reasons", "links")
        self._drop_empty_extension()
        self._check_selection()

    def _check_selection(self) -> None:
        """Suggestions and the way to choose among them come together (CARD-7, SUG-4)."""
        if self.selection_behavior is not None:
            force_setattr(self, "selection_behavior", SelectionBehavior(self.selection_behavior))
        paired = bool(self.suggestions) == (self.selection_behavior is not None)
        self._require(paired, "selectionBehavior goes with suggestions, neither alone (CARD-7)")
        recommended = sum(suggestion.is_recommended for suggestion in self.suggestions)
        single = self.selection_behavior is not SelectionBehavior.AT_MOST_ONE or recommended <= 1
        self._require(single, "at most one suggestion is recommended with at-most-one (SUG-4)")


class CDSResponse(_Part, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The whole answer: `cards` is always there, also when empty (RSP-2, RSP-3)."""

    cards: tuple[Card, ...]
    system_actions: tuple[SystemAction, ...] = ()
    extension: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Leave out what is empty, but never the cards (RSP-4)."""
        self._freeze("cards", "system_actions")
        self._drop_empty_extension()


# FHIR decimals are numbers on the wire; msgspec would write a Decimal as a string
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def encode(response: CDSResponse) -> bytes:
    """The JSON of an answer (JSN-1), in UTF-8."""
    return _ENCODER.encode(response)
