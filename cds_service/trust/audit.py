"""Where the audit goes: a file of JSON lines that only grows, or the log where there is none."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from cds_service.decision.audit import AuditEvent, AuditLog
from cds_service.errors import SettingsError

_MOST_WAITING: Final = 10_000
_LAST_WRITING: Final = 5.0
_MODE: Final = 0o600
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
_LINES: Final = logging.getLogger("cds_service.audit")
_LOG = logging.getLogger("cds_service")
T = TypeVar("T")
Clock = Callable[[], datetime]


def line_of(event: AuditEvent) -> str:
    """An event as a line of JSON: when, what, which process, and its details."""
    at = event.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"at": at, "event": event.event, "process": os.getpid(), **event.details}
    return json.dumps(entry, separators=(",", ":"), default=lambda value: type(value).__name__)


class LoggedAudit:
    """Writes to the logger ``cds_service.audit``, a line of JSON for each event."""

    health = "in the log"

    def write(self, event: AuditEvent) -> None:
        """Log an event."""
        _LINES.info("%s", line_of(event))

    def close(self) -> None:
        """Nothing is pending."""


class AuditFile:
    """Appends to a file, in a thread of its own, so that a slow disk holds up no answer.

    Each line is one write at what is then the file's end, so that several processes can share it. Before each it is
    looked whether the file is still in its place: one that was moved away is followed by a new one. What cannot be
    written, or waits behind ten thousand others, is lost: the log says so, `count_lost` is told, and so is the file
    once it can be written again.
    """

    def __init__(self, path: Path, count_lost: Callable[[], None] = lambda: None) -> None:
        """Open the file. Raises SettingsError where it cannot be: a service without its audit does not start."""
        self._path = path
        self._count_lost = count_lost
        self._waiting: queue.Queue[AuditEvent | None] = queue.Queue(_MOST_WAITING)
        self._file = -1
        self._is_torn = False
        self._lost = 0
        self._counting = threading.Lock()
        try:
            self._open()
        except OSError as error:
            raise SettingsError(f"CDS_AUDIT_FILE: {path} cannot be written: {error.strerror}") from error
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def write(self, event: AuditEvent) -> None:
        """Take an event, to be written in a moment."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._lose("more waits than can be kept")

    @property
    def health(self) -> str:
        """Whether what it takes is written."""
        return f"cannot be written: {self._lost} entries are lost" if self._lost else "written"

    def close(self) -> None:
        """Write what waits, unless the disk does not take it, and let go."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_LAST_WRITING)
        self._thread.join(_LAST_WRITING)

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                if not self._is_in_place():
                    self._open()
                self._tell_lost(event.at)
                self._append(line_of(event))
            except OSError as error:
                self._lose(error.strerror or type(error).__name__)
        os.close(self._file)

    def _lose(self, why: str) -> None:
        with self._counting:
            self._lost += 1
            is_first = self._lost == 1
        if is_first:
            _LOG.error("the audit file cannot be written: %s", why)
        self._count_lost()

    def _tell_lost(self, at: datetime) -> None:
        """Write how many entries are missing here, once something can be written again."""
        lost = self._lost
        if lost:
            self._append(line_of(AuditEvent("lost", at, {"entries": lost})))
            with self._counting:
                self._lost -= lost
            _LOG.warning("the audit file is written again", extra={"fields": {"lost": lost}})

    def _is_in_place(self) -> bool:
        """Whether the file that is open is the one that has its name."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(self._file)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def _open(self) -> None:
        opened = os.open(self._path, _FLAGS, _MODE)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise OSError(0, "it is no regular file")
        if self._file >= 0:
            os.close(self._file)
        self._file = opened
        self._is_torn = not _ends_with_a_line(self._path)

    def _append(self, line: str) -> None:
        data = f"\n{line}\n".encode() if self._is_torn else f"{line}\n".encode()
        while data:
            data = data[os.write(self._file, data) :]
            self._is_torn = bool(data)


def open_audit(path: Path | None, count_lost: Callable[[], None]) -> AuditLog:
    """Where the audit goes. Raises SettingsError where its file cannot be written."""
    return AuditFile(path, count_lost) if path else LoggedAudit()


@contextmanager
def running(audit: AuditLog, clock: Clock, loaded: Mapping[str, object]) -> Iterator[None]:
    """Tell the audit that the service starts, with what, and that it stops; then close the audit.

    The log is told who may call, with each start.
    """
    _LOG.warning("%s", loaded["mode"])
    audit.write(AuditEvent("start", clock(), loaded))
    try:
        yield
    finally:
        audit.write(AuditEvent("stop", clock(), {}))
        audit.close()


def audited(audit: AuditLog, clock: Clock, read: Callable[[Path], T]) -> Callable[[Path], T]:
    """Reads a configuration file and tells the audit which content was read, and whether it can be used."""

    def read_and_tell(path: Path) -> T:
        details: dict[str, object] = {"file": path.name, "usable": False}
        try:
            details["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            found = read(path)
            details["usable"] = True
        except OSError:
            return read(path)  # says in its own words what is wrong with the file
        finally:
            audit.write(AuditEvent("configuration", clock(), details))
        return found

    return read_and_tell


def _ends_with_a_line(path: Path) -> bool:
    """Whether nothing stands behind the last end of a line: a process may have died while it wrote."""
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:  # may be written and not read
        return True
