"""The knowledge while somebody edits it (development mode): a changed file of ``cards/`` counts from the next call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cds_service.api.middleware import App, Receive, Scope, Send
from cds_service.errors import InvalidKnowledgeError, KnowledgeError, SettingsError

_ENDINGS: Final = (".yaml", ".tsv")
_LOG = logging.getLogger("cds_service.cards")
Stamp = tuple[tuple[str, int, int], ...]


class EditedCards:
    """A folder of knowledge, and the app that was made of it last. What cannot be used takes the place of nothing."""

    def __init__(self, folder: Path, make: Callable[[], App]) -> None:
        """``make`` reads the folder. Raises KnowledgeError or SettingsError where it cannot be used."""
        self._folder = folder
        self._make = make
        self._stamp = _stamp(folder)
        self._made: App | None = None
        self._lock = asyncio.Lock()
        self._problems: tuple[str, ...] = ()

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the folder as it is, with file, line and remedy; none where what runs is what it says."""
        return self._problems

    @property
    def health(self) -> str:
        """Whether what runs is what the folder says."""
        return "cannot be used: what was read before stands" if self._problems else "read"

    async def current(self) -> App | None:
        """The app of the folder as it is now, made where it has changed; None for the one of the start."""
        async with self._lock:
            await asyncio.to_thread(self._look)
        return self._made

    def _look(self) -> None:
        stamp = _stamp(self._folder)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._made = self._make()
        except InvalidKnowledgeError as error:
            self._problems = tuple(str(problem) for problem in error.problems)
        except (KnowledgeError, SettingsError) as error:
            self._problems = (str(error),)
        else:
            self._problems = ()
            _LOG.info("the cards were read again")
        for problem in self._problems:
            _LOG.error("the cards cannot be used, what was read before stands: %s", problem)


class WithEditedCards:
    """In front of all: each request is answered by the cards as they are then."""

    def __init__(self, app: App, cards: EditedCards) -> None:
        """``app`` answers for the cards of the start."""
        self.app = app
        self._cards = cards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the folder, then pass the request on."""
        current = await self._cards.current() if scope["type"] == "http" else None
        await (current or self.app)(scope, receive, send)


def _stamp(folder: Path) -> Stamp:
    """What changes when a file of the knowledge is written, added or taken away."""
    found = []
    for path in folder.rglob("*"):
        if path.suffix in _ENDINGS:
            try:
                stat = path.stat()
            except FileNotFoundError:  # an editor's, gone already
                continue
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(found))
