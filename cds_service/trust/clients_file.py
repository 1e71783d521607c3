"""The clients file as it is now: read again when it changes, without a restart and without losing a call."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cds_service.decision.rollout import Rollout
from cds_service.errors import SettingsError
from cds_service.trust.clients import Clients

_LOOK_EVERY: Final = 1.0
_LOG = logging.getLogger("cds_service.clients")
Stamp = tuple[int, int, int]


class ClientsFile:
    """Looks at the file at most once a second, when a call comes; a file that cannot be used changes nothing.

    Without a file there is nobody registered. Used by the event loop only.
    """

    def __init__(self, path: Path | None, read: Callable[[Path], Clients]) -> None:
        """Read the file for the first time. Raises SettingsError where it cannot be used: nothing stands then."""
        self._path = path
        self._read = read
        self._stamp = _stamp(path)
        self._clients = read(path) if path else Clients()
        self._look_at = time.monotonic() + _LOOK_EVERY
        self._is_broken = False
        self._say()

    def of(self, client: str) -> Rollout:
        """The rollout of a client."""
        return self.current.of(client)

    @property
    def current(self) -> Clients:
        """The clients as they are now."""
        if self._path is not None and time.monotonic() >= self._look_at:
            self._look()
        return self._clients

    @property
    def health(self) -> str:
        """Whether what stands is what the file says."""
        return "cannot be used: what was read before stands" if self._is_broken else "read"

    def look_now(self) -> None:
        """Read the file with the next call, changed or not (SIGHUP)."""
        self._stamp = None
        self._look_at = 0.0

    def _look(self) -> None:
        self._look_at = time.monotonic() + _LOOK_EVERY
        stamp = _stamp(self._path)
        if stamp == self._stamp or self._path is None:
            return
        self._stamp = stamp
        try:
            self._clients = self._read(self._path)
        except SettingsError as error:
            self._is_broken = True
            _LOG.error("the clients file cannot be used, what was read before stands: %s", error)
            return
        self._is_broken = False
        _LOG.info("the clients file was read again")
        self._say()

    def _say(self) -> None:
        for line in self._clients.said():
            _LOG.warning("%s", line)


def _stamp(path: Path | None) -> Stamp | None:
    """What changes when a file is written or another takes its place; None where there is none."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
