"""The shapes of a Bundle: decoded whole where everything in it fits, part by part where something does not."""

from __future__ import annotations

import msgspec

from cds_service.fhir.elements import NO_RAW, Code, Shape
from cds_service.fhir.shapes import Known


class Search(Shape):
    """Why an entry is in a searchset."""

    mode: str | None = None


class Link(Shape):
    """A link of a Bundle; only `next` and `self` matter."""

    relation: str | None = None
    url: str | None = None


Links = list[Link] | Link | None


class Entry(Shape):
    """An entry of a Bundle whose resources all fit their shapes; a batch of searches nests Bundles."""

    full_url: str | None = None
    search: Search | None = None
    resource: Known | Bundle | None = None


class Bundle(Shape, tag_field="resourceType", tag=True):
    """A Bundle of any type."""

    type: str | None = None
    total: Code = None
    link: Links = None
    entry: list[Entry] | Entry | None = None


class LooseEntry(Shape):
    """An entry decoded on its own."""

    full_url: msgspec.Raw = NO_RAW
    search: msgspec.Raw = NO_RAW
    resource: msgspec.Raw = NO_RAW


class LooseRecord(Shape):
    """A resource that does not fit its shape, or has none."""

    resource_type: msgspec.Raw = NO_RAW
    id: msgspec.Raw = NO_RAW
    subject: msgspec.Raw = NO_RAW
    patient: msgspec.Raw = NO_RAW


class LooseBundle(Shape):
    """A Bundle of which some part does not fit: each part is decoded on its own."""

    resource_type: str | None = None
    type: msgspec.Raw = NO_RAW
    total: msgspec.Raw = NO_RAW
    link: msgspec.Raw = NO_RAW
    entry: msgspec.Raw = NO_RAW
