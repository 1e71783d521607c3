"""The clients file as it is now: read again when it changes, without a restart and without losing a call."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from cds_service.errors import SettingsError

_LOOK_EVERY: Final = 1.0
_LOG = logging.getLogger("cds_service.clients")
Stamp = tuple[int, int, int]
T = TypeVar("T")


class ClientsFile(Generic[T]):
    """What is made of the file, which is looked at when a call comes, at most once a second.

    A file that cannot be used changes nothing. Used by the event loop only.
    """

    def __init__(self, path: Path | None, read: Callable[[Path | None], T]) -> None:
        """``read`` makes what is wanted of the file, or of none. Raises SettingsError: nothing stands then."""
        self._path = path
        self._read = read
        self._stamp = _stamp(path)
        self._made = read(path)
        self._look_at = time.monotonic() + _LOOK_EVERY
        self._is_broken = False

    @property
    def current(self) -> T:
        """What stands now."""
        if self._path is not None and time.monotonic() >= self._look_at:
            self._look()
        return self._made

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
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._made = self._read(self._path)
        except SettingsError as error:
            self._is_broken = True
            _LOG.error("the clients file cannot be used, what was read before stands: %s", error)
            return
        self._is_broken = False
        _LOG.info("the clients file was read again")


def _stamp(path: Path | None) -> Stamp | None:
    """What changes when a file is written or another takes its place; None where there is none."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
