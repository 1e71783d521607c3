"""What an order that a card suggests hangs on in one call: for whom, by whom, why, when, on which side."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from cds_service.domain.codes import Coding
from cds_service.domain.facts import Priority
from cds_service.domain.sides import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderContext:
    """The circumstances of one suggested order; what is ordered is the `Orderable`.

    `requester` and `reasons` are ``Type/id``. `reason_codings` stand in where no reason of the record can be referred
    to. `authored` has a time zone. `description` is what the suggestion tells the user, and becomes the order's note.
    """

    patient_id: str
    encounter_id: str | None
    requester: str
    side: Side
    authored: dt.datetime
    intent: Literal["proposal", "order"] = "proposal"
    priority: Priority = Priority.ROUTINE
    planned: dt.date | None = None
    reasons: tuple[str, ...] = ()
    reason_codings: tuple[Coding, ...] = ()
    description: str = ""
