"""What the knowledge says of correcting the record: which override reasons ask for it, and the card that offers it.

A reason with ``to record`` gives a fact that the record lacks or has wrong. The card that offers to put it there has
its words, hooks and orderable in ``services.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from cds_service.domain.codes import Coding
from cds_service.domain.recommendations import Orderable
from cds_service.knowledge import schema
from cds_service.knowledge.document import Document, Steps
from cds_service.knowledge.names import Names
from cds_service.knowledge.problems import Problems

T = TypeVar("T")
_CARD: Final = "record correction card"
_OF_ONE: Final = frozenset(("what", "reason", "advice"))
_SLOTS: Final[Mapping[str, frozenset[str]]] = {
    "summary": frozenset(("reason",)),
    "summary of several": frozenset(("count",)),
    "detail": frozenset(("corrections",)),
    "correction": _OF_ONE,
    "suggestion": frozenset(("what",)),
    "description": _OF_ONE,
}
_NONE_SUCH: Final = Orderable("", "ServiceRequest", "", ())


@dataclass(frozen=True, slots=True)
class ToRecord:
    """A reason in the words that the user read, and what has to be recorded; ``{advice}`` there is the card's title."""

    reason: str
    what: str


@dataclass(frozen=True, slots=True)
class CorrectionRules:
    """The hooks that offer to correct the record, the order that does, the reasons that ask for it by system and code.

    ``override_reasons`` are those for which the offer itself may be dismissed.
    """

    hooks: frozenset[str]
    orderable: Orderable
    to_record: Mapping[tuple[str, str], ToRecord]
    override_reasons: tuple[Coding, ...]


class CorrectionsCompiler:
    """Compiles what ``services.yaml`` and ``override_reasons.yaml`` say of corrections; mistakes are noted."""

    def __init__(self, services: Document, names: Names, problems: Problems) -> None:
        """``names`` has the orderables and the override reasons already."""
        self.document = services
        self.names = names
        self.problems = problems

    def compile(
        self, words: schema.ServicesFile, reasons: Document | None, entries: Mapping[str, schema.OverrideReasonEntry]
    ) -> CorrectionRules:
        """The rules; where a mistake was noted they are never used. ``reasons`` is the file of the ``entries``."""
        card = words.record_correction_card
        for key, known in _SLOTS.items():
            self.problems.check_slots(self.document, (_CARD, key), getattr(card, key.replace(" ", "_")), known)
        return CorrectionRules(
            hooks=frozenset(self._hooks(card.hooks, {service.hook for service in words.services})),
            orderable=self._known("orderable", card.order, self.names.orderables, (_CARD, "order")) or _NONE_SUCH,
            to_record=dict(self._to_record(reasons, entries)),
            override_reasons=tuple(self._override_reasons(card.override_reasons)),
        )

    def _hooks(self, hooks: Iterable[str], served: set[str]) -> Iterable[str]:
        for index, hook in enumerate(hooks):
            if hook not in served:
                self.problems.unknown(self.document, (_CARD, "hooks", index), "hook of a service", hook, served)
            yield hook

    def _override_reasons(self, names: Iterable[str]) -> Iterable[Coding]:
        for index, name in enumerate(names):
            steps = (_CARD, "override reasons", index)
            if reason := self._known("override reason", name, self.names.override_reasons, steps):
                yield reason

    def _known(self, kind: str, name: str, known: Mapping[str, T], steps: Steps) -> T | None:
        self.names.used.add((kind, name))
        if name not in known:
            self.problems.unknown(self.document, steps, kind, name, known)
        return known.get(name)

    def _to_record(
        self, document: Document | None, entries: Mapping[str, schema.OverrideReasonEntry]
    ) -> Iterable[tuple[tuple[str, str], ToRecord]]:
        for name, entry in entries.items():
            if document is None or entry.to_record is None:
                continue
            self.problems.check_slots(document, (name, "to record"), entry.to_record, frozenset(("advice",)))
            coding = self.names.override_reasons[name]
            yield (coding.system, coding.code), ToRecord(entry.display, entry.to_record)
