"""What all resources of one export share: addresses, dates, status, and the words that nothing in it is approved."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from cds_service.domain.codes import CodeSystem
from cds_service.knowledge.knowledge import Knowledge

Resource = dict[str, Any]
LONGEST_ID: Final = 64
LIBRARY: Final = "foot-drop-logic"
_NO_WORD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Edition:
    """One export of one state of the knowledge: the same knowledge, address and date give the same bytes."""

    knowledge: Knowledge
    base_url: str
    date: dt.date

    @property
    def version(self) -> str:
        """The version of whatever has none of its own: the fingerprint changes with every byte of the knowledge."""
        return self.knowledge.fingerprint

    @property
    def notice(self) -> str:
        """What every card says of its knowledge, without the Markdown: draft, not clinically approved."""
        return self.knowledge.words.draft_notice.strip("*_ ")

    def url(self, kind: str, resource_id: str) -> str:
        """The canonical URL of a resource of ours."""
        return f"{self.base_url}/{kind}/{resource_id}"

    def pinned(self, kind: str, resource_id: str) -> str:
        """A canonical with this edition's version: a reference must not drift to another state of the knowledge."""
        return f"{self.url(kind, resource_id)}|{self.version}"

    def value_set(self, name: str) -> str:
        """The canonical of a value set by its name in `cards/`."""
        return self.pinned("ValueSet", resource_id(name))

    def is_ours(self, system: CodeSystem) -> bool:
        """Whether a code system is one of this project's: it stands under the same address as the cards' topics."""
        return system.uri.startswith(self.knowledge.topic_system.rpartition("/")[0] + "/")

    def head(self, kind: str, resource_id: str, title: str, *, status: str = "draft", version: str = "") -> Resource:
        """The first members of a definition. A draft is marked experimental: not for use with patients."""
        return {
            "resourceType": kind,
            "id": resource_id,
            "url": self.url(kind, resource_id),
            "version": version or self.version,
            "name": machine_name(resource_id),
            "title": title,
            "status": status,
            "experimental": status == "draft",
            "date": self.date.isoformat(),
            "publisher": self.knowledge.words.source.label,
        }


def resource_id(name: str) -> str:
    """A stable FHIR id for a name of `cards/`; a name too long for one is cut and kept apart by a digest."""
    found = _NO_WORD.sub("-", name).strip("-")
    if len(found) <= LONGEST_ID:
        return found
    return f"{found[: LONGEST_ID - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def machine_name(resource_id: str) -> str:
    """A name for code generators: letters, digits and underscores, a capital first (invariant pdf-0 and kin)."""
    return f"FootDrop_{_NO_WORD.sub('_', resource_id)}"


def paragraphs(*texts: str) -> str:
    """Markdown of the texts that say something."""
    return "\n\n".join(text.strip() for text in texts if text.strip())


def filled(**members: Any) -> Resource:
    """The members that hold something: FHIR knows no null, no empty text, array or object. `False` is something."""
    return {name.rstrip("_"): value for name, value in members.items() if value or value is False}


def coded(system: str, code: str, display: str = "", text: str = "") -> Resource:
    """A CodeableConcept of one coding."""
    return filled(coding=[filled(system=system, code=code, display=display)], text=text)


def extension(url: str, **value: Any) -> Resource:
    """An extension with its one value."""
    return {"url": url, **value}
