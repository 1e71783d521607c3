"""The unsigned orders of an order hook: which of them the call is about, and which orders of the record they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from cds_service.domain.facts import Fact
from cds_service.fhir import shapes
from cds_service.fhir.bundles import Item, many, try_decode
from cds_service.fhir.chart import Chart
from cds_service.fhir.elements import text_of
from cds_service.fhir.orders import Draft, read_draft
from cds_service.fhir.references import Server, record_key
from cds_service.hooks.contexts import OrderSelectContext, OrderSignContext


def _exact(text: str) -> Decimal:
    """A number as it stands, so that 1.10 stays 1.10. Raises ValueError for one that no Decimal can hold."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number is out of range") from None


_PLAIN: Final = msgspec.json.Decoder(dict[str, Any], float_hook=_exact)


class Drafts:
    """The drafts of one call. `items` are those of its patient, each with its own bytes."""

    def __init__(self, items: Sequence[Item], context: OrderSignContext, server: Server) -> None:
        self._items = items
        self._selected = (
            {server.local(one) or one for one in context.selections}
            if isinstance(context, OrderSelectContext)
            else None
        )
        self._identifiers = {one for item in items for one in _identifiers(item.resource)}

    def facts(self, chart: Chart) -> Iterator[Fact]:
        """One fact for each draft that means something here."""
        for item in self._items:
            record = item.resource
            if not isinstance(record, shapes.Request):
                continue
            resource = try_decode(_PLAIN, item.raw)
            if resource is None:
                chart.count_invalid(record.kind)
            else:
                yield from read_draft(record, chart, Draft(self._is_judged(item), resource))

    def _is_judged(self, item: Item) -> bool:
        """All drafts are judged when they are signed, the chosen ones before."""
        return self._selected is None or not self._selected.isdisjoint(_names(item))

    def count_ignored(self, answer_items: Sequence[Item]) -> int:
        """How many selections point at none of the drafts as they came."""
        if self._selected is None:
            return 0
        return len(self._selected.difference(*(_names(item) for item in answer_items)))

    def include(self, record: shapes.Record) -> bool:
        """Whether an order of the record is one of the drafts, by an identifier they share."""
        return bool(self._identifiers) and any(one in self._identifiers for one in _identifiers(record))


def _names(item: Item) -> set[str]:
    """What a selection may call a draft."""
    return {record_key(item.resource), item.full_url or ""} - {""}


def _identifiers(record: shapes.Record) -> Iterator[tuple[str, str]]:
    if isinstance(record, shapes.Request):
        for identifier in many(record.identifier):
            value = text_of(identifier.value)
            if identifier.system and value:
                yield identifier.system, value
