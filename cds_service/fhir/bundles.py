"""From the bytes of one prefetch value, or one Bundle of the context, to its resources and what came of asking.

The whole value is decoded at once; only where some part of it does not fit is it taken apart entry by entry, so that
one bad resource costs itself and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

import msgspec

from cds_service.domain.facts import GapReason, NeedState
from cds_service.errors import TooLargeError
from cds_service.fhir import bundle_shapes, elements, shapes
from cds_service.fhir.elements import NO_RAW

T = TypeVar("T")

_WHOLE: Final[msgspec.json.Decoder[shapes.Known | bundle_shapes.Bundle]] = msgspec.json.Decoder(
    shapes.Known | bundle_shapes.Bundle
)
_KNOWN: Final[msgspec.json.Decoder[shapes.Known]] = msgspec.json.Decoder(shapes.Known)
_LOOSE_BUNDLE: Final = msgspec.json.Decoder(bundle_shapes.LooseBundle)
_LOOSE_ENTRY: Final = msgspec.json.Decoder(bundle_shapes.LooseEntry)
_LOOSE_RECORD: Final = msgspec.json.Decoder(bundle_shapes.LooseRecord)
_TEXT: Final = msgspec.json.Decoder(str | None)
_ID: Final = msgspec.json.Decoder(str | int | None)
_NUMBER: Final = msgspec.json.Decoder(int | None)
_LINKS: Final = msgspec.json.Decoder(bundle_shapes.Links)
_SEARCH: Final = msgspec.json.Decoder(bundle_shapes.Search | None)
_REFERENCES: Final = msgspec.json.Decoder(elements.References | str)
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)

_NULL: Final = b"null"
_DENIALS: Final = frozenset(("forbidden", "security", "login"))
_MAX_BUNDLES_IN_BUNDLES: Final = 3


class Item(NamedTuple):
    """One resource of an answer; `raw` is kept only where the answer was taken apart."""

    resource: shapes.Record
    full_url: str | None = None
    mode: str | None = None
    raw: msgspec.Raw = NO_RAW

    @property
    def is_match(self) -> bool:
        """Whether the search itself found it: not an included resource, not the server's own remark."""
        return self.mode not in ("include", "outcome") and type(self.resource) is not shapes.OperationOutcome


@dataclass(slots=True)
class Answer:
    """What stands under one prefetch key, in one Bundle of the context, or in the pages that a server sent.

    `failure` says that the answer as a whole cannot be relied on, `reason` why where more is known. `said_so` tells a
    failure that the other side reports, and that asking again would not mend, from what is no answer at all.
    """

    items: list[Item] = field(default_factory=list)
    is_bundle: bool = False
    failure: NeedState | None = None
    reason: GapReason | None = None
    said_so: bool = False
    has_more: bool = False
    next_url: str | None = None
    self_url: str | None = None
    total: int = 0
    broken: int = 0
    size: int = 0

    @classmethod
    def failed(cls, reason: GapReason) -> Answer:
        """No answer, and why."""
        denied = reason in (GapReason.DENIED, GapReason.OUT_OF_SCOPE)
        return cls(failure=NeedState.DENIED if denied else NeedState.FAILED, reason=reason)

    def reject(self, reason: GapReason) -> None:
        """Use no part of it."""
        self.items, self.broken, self.has_more = [], 0, False
        self.failure, self.reason = NeedState.FAILED, reason

    def page_to_follow(self) -> Answer | None:
        """What stands for this answer where only the pages behind it are wanted; None where there are none."""
        return Answer(is_bundle=True, has_more=True, next_url=self.next_url) if self.next_url else None

    def keep(self, most: int) -> None:
        """Use no more than this many of its resources."""
        if len(self.items) > most:
            self.items = self.items[:most]
            self.cut_short(GapReason.TOO_MUCH)

    def cut_short(self, reason: GapReason) -> None:
        """What came counts; the rest could not be had."""
        self.has_more, self.reason = True, reason

    def add_page(self, page: Answer) -> None:
        """Take what a further page of the same answer brings."""
        self.items += page.items
        self.broken += page.broken
        self.total = max(self.total, page.total)
        self.size += page.size
        self.failure = self.failure or page.failure
        self.reason = self.reason or page.reason
        self.has_more, self.next_url = page.has_more, page.next_url

    def state(self, resource_type: str) -> NeedState:
        """What came of asking for resources of this type by a search."""
        if self.failure is not None:
            return self.failure
        matches = [item.resource for item in self.items if item.is_match]
        kinds = {resource.kind for resource in matches}
        if kinds and resource_type not in kinds:
            return NeedState.FAILED
        if self.has_more or (self.total and self.total > _count(matches) + self.broken):
            return NeedState.TRUNCATED
        return NeedState.PRESENT if kinds else NeedState.EMPTY

    def has_unusable(self, resource_type: str, unused: set[int]) -> bool:
        """Whether a resource of this type did not fit, was no resource at all, or named no patient."""
        return bool(self.broken) or any(
            item.resource.kind == resource_type
            and (id(item.resource) in unused or (isinstance(item.resource, shapes.Other) and not item.resource.fits))
            for item in self.items
        )


def _count(resources: list[shapes.Record]) -> int:
    """How many different resources these are; one without id is its own."""
    return len({(resource.kind, str(resource.id or index)) for index, resource in enumerate(resources)})


def read_answer(raw: msgspec.Raw) -> Answer:
    """Decode a prefetch value. Never raises for what the value holds, save for absurd nesting."""
    whole = try_decode(_WHOLE, raw)
    if whole is None:
        return take_apart(raw)
    answer = Answer()
    if isinstance(whole, bundle_shapes.Bundle):
        _add_bundle(answer, whole, 0)
    else:
        _add_item(answer, Item(whole))
        if isinstance(whole, shapes.OperationOutcome):
            answer.failure, answer.said_so = _failure(whole) or NeedState.FAILED, True
    return answer


def _add_bundle(answer: Answer, bundle: bundle_shapes.Bundle, depth: int) -> None:
    _note_bundle(answer, bundle.type, bundle.total, bundle.link, depth)
    for entry in many(bundle.entry):
        resource, mode = entry.resource, entry.search.mode if entry.search else None
        if resource is None:
            continue
        if isinstance(resource, bundle_shapes.Bundle):
            _add_bundle(answer, resource, depth + 1)
        else:
            _add_item(answer, Item(resource, entry.full_url, mode))


def _note_bundle(answer: Answer, kind: object, total: object, links: bundle_shapes.Links, depth: int) -> None:
    """Take note of what a Bundle says about its own completeness."""
    answer.is_bundle = True
    if depth > _MAX_BUNDLES_IN_BUNDLES:
        raise TooLargeError("levels of nesting")
    if kind == "history":  # old versions stand beside new ones
        answer.failure = answer.failure or NeedState.FAILED
    for link in many(links):
        if link.relation == "next":
            answer.has_more, answer.next_url = True, link.url
        elif link.relation == "self":
            answer.self_url = link.url
    if isinstance(total, int):
        answer.total += total


def _add_item(answer: Answer, item: Item) -> None:
    answer.items.append(item)
    if type(item.resource) is shapes.OperationOutcome:
        failure = _failure(item.resource)
        if failure is not None and answer.failure is not NeedState.DENIED:
            answer.failure, answer.said_so = failure, True


def _failure(outcome: shapes.OperationOutcome) -> NeedState | None:
    """Whether the server says that the search failed, and whether for want of a right."""
    errors = [issue for issue in many(outcome.issue) if issue.severity in ("error", "fatal")]
    if any(issue.code in _DENIALS for issue in errors):
        return NeedState.DENIED
    return NeedState.FAILED if errors else None


# ---- taken apart


def take_apart(raw: msgspec.Raw, *, is_bundle: bool = False) -> Answer:
    """Decode a value part by part, keeping each resource's bytes; `is_bundle` reads an untyped object as a Bundle."""
    answer = Answer()
    if bytes(raw).strip() != _NULL:
        _take_apart(answer, raw, is_bundle, 0)
    return answer


def _take_apart(answer: Answer, raw: msgspec.Raw, is_bundle: bool, depth: int) -> None:
    bundle = try_decode(_LOOSE_BUNDLE, raw)
    if bundle is None or not (bundle.resource_type or is_bundle):
        answer.failure, answer.reason = NeedState.FAILED, GapReason.UNREADABLE
    elif bundle.resource_type in ("Bundle", None):
        kind, total, links = _opt(_TEXT, bundle.type), _opt(_NUMBER, bundle.total), _opt(_LINKS, bundle.link)
        _note_bundle(answer, kind, total, links, depth)
        if links is None and is_there(bundle.link):  # one of them may have been a next
            answer.cut_short(GapReason.INCOMPLETE)
        for part in _parts(bundle.entry):
            _take_entry(answer, part, depth)
    else:
        _add_item(answer, Item(_record(raw), raw=raw))
        if bundle.resource_type == "OperationOutcome":
            answer.failure, answer.said_so = answer.failure or NeedState.FAILED, True


def _take_entry(answer: Answer, part: msgspec.Raw, depth: int) -> None:
    entry = try_decode(_LOOSE_ENTRY, part)
    if entry is None:
        answer.broken += 1
        return
    raw = entry.resource
    if not is_there(raw):
        return
    named = try_decode(_LOOSE_BUNDLE, raw)
    if named is None or named.resource_type is None:
        answer.broken += 1
    elif named.resource_type == "Bundle":
        _take_apart(answer, raw, False, depth + 1)
    else:
        search = _opt(_SEARCH, entry.search)
        _add_item(answer, Item(_record(raw), _opt(_TEXT, entry.full_url), search.mode if search else None, raw))


def _record(raw: msgspec.Raw) -> shapes.Record:
    """One resource in its shape, or what can still be said about whose it is."""
    known = try_decode(_KNOWN, raw)
    if known is not None:
        return known
    loose = try_decode(_LOOSE_RECORD, raw) or bundle_shapes.LooseRecord()
    name = _opt(_TEXT, loose.resource_type)
    return shapes.Other(
        resource_type=name,
        id=_opt(_ID, loose.id),
        subject=_references(loose.subject),
        patient=_references(loose.patient),
        fits=name not in shapes.KNOWN_TYPES,
    )


def _references(raw: msgspec.Raw) -> elements.References:
    found = _opt(_REFERENCES, raw)
    return elements.Reference(reference=found) if isinstance(found, str) else found


def read_contained(raw: msgspec.Raw) -> Iterator[shapes.Record]:
    """The contained resources that have a shape here; the others are nothing we look for."""
    for part in _parts(raw):
        record = _record(part)
        if record.kind in shapes.KNOWN_TYPES:
            yield record


def _parts(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The elements of an array, or the one object that stands in its place."""
    if not is_there(raw):
        return []
    parts = try_decode(_RAWS, raw)
    return [raw] if parts is None else parts


def is_there(raw: msgspec.Raw) -> bool:
    """Whether an undecoded member was sent, and not as null."""
    return bool(raw) and bytes(raw) != _NULL


def _opt(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw) -> T | None:
    return try_decode(decoder, raw) if raw else None


def try_decode(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw) -> T | None:
    """Decode, or None where the bytes do not fit. Absurd nesting is the sender's fault and refused."""
    try:
        return decoder.decode(raw)
    except RecursionError:
        raise TooLargeError("levels of nesting") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def many(value: list[T] | T | None) -> list[T]:
    """A member that FHIR wants as an array, whether it came as one or alone."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
