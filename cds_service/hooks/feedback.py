"""What users did with our cards, as clients report it (section M)."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec.structs import force_setattr

from cds_service.errors import InvalidRequestError
from cds_service.hooks.duplicates import refuse_duplicates
from cds_service.hooks.reading import BYTE_ORDER_MARK, is_blank, read_body, require_text
from cds_service.hooks.response import Coding


class Outcome(StrEnum):
    """Whether a suggestion was taken or the card dismissed (FBK-5)."""

    ACCEPTED = "accepted"
    OVERRIDDEN = "overridden"


class AcceptedSuggestion(msgspec.Struct, frozen=True):
    """A suggestion that was taken: `id` is its uuid (FBK-6)."""

    id: str

    def __post_init__(self) -> None:
        """Refuse an id that names nothing."""
        require_text("id", self.id)


class UserOverrideReason(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a card was dismissed: a coded reason, perhaps none of ours, or the user's words (FBK-7).

    The words may name a patient, so that its `repr` leaves them out: it may end up in a log.
    """

    reason: Coding | None = None
    user_comment: str | None = None

    def __post_init__(self) -> None:
        """Refuse a reason that says nothing (cds-fb-3)."""
        comment = self.user_comment if self.user_comment and not is_blank(self.user_comment) else None
        force_setattr(self, "user_comment", comment)
        if self.reason is None and comment is None:
            raise InvalidRequestError("reason", "or userComment is required")

    def __repr__(self) -> str:
        comment = "None" if self.user_comment is None else "…"
        return f"{type(self).__name__}(reason={self.reason!r}, user_comment={comment})"


class Feedback(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one card (FBK-4 to FBK-8); `outcome_timestamp` is in UTC whatever offset was sent.

    Reports may repeat (FBK-9): card, outcome, its time, accepted suggestions and reason together tell one.
    """

    card: str
    outcome: Outcome
    accepted_suggestions: tuple[AcceptedSuggestion, ...] | None = None
    override_reason: UserOverrideReason | None = None
    outcome_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]

    def __post_init__(self) -> None:
        """Refuse an acceptance of nothing (cds-fb-2); bring the time to UTC."""
        require_text("card", self.card)
        if self.outcome is Outcome.ACCEPTED and not self.accepted_suggestions:
            raise InvalidRequestError("acceptedSuggestions", "is required for accepted")
        try:
            force_setattr(self, "outcome_timestamp", self.outcome_timestamp.astimezone(UTC))
        except OverflowError:
            raise InvalidRequestError("outcomeTimestamp", "is outside the calendar") from None

    @property
    def accepted_ids(self) -> tuple[str, ...]:
        """The uuids of the suggestions taken; none when the card was overridden."""
        return tuple(suggestion.id for suggestion in self.accepted_suggestions or ())


class FeedbackRequest(msgspec.Struct, frozen=True):
    """The body of a feedback call (FBK-3): reports on one or more cards, perhaps of several hook calls."""

    feedback: tuple[Feedback, ...]

    def __post_init__(self) -> None:
        """Refuse an empty report: JSN-3 prohibits empty arrays and names no exception for this one."""
        if not self.feedback:
            raise InvalidRequestError("feedback", "is empty")


class _Entries(msgspec.Struct, frozen=True):
    feedback: list[msgspec.Raw]


_DECODER: Final = msgspec.json.Decoder(FeedbackRequest)
_ENTRIES: Final = msgspec.json.Decoder(_Entries)


def parse_feedback(body: bytes) -> FeedbackRequest:
    """Read the body of a feedback call (FBK-2); unknown members are ignored.

    Raises NotJSONError, or InvalidRequestError naming the member, such as `feedback[2].outcome`: one bad
    report refuses the call as a whole, so that nothing of it is recorded twice when the client mends it.
    """
    report = read_body(_DECODER, body)
    refuse_duplicates(body, {})
    for index, entry in enumerate(_ENTRIES.decode(body.removeprefix(BYTE_ORDER_MARK)).feedback):
        refuse_duplicates(bytes(entry), {}, f"feedback[{index}]")
    return report
