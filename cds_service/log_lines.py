"""How a running service writes its log: on the console for people, as lines of JSON for machines.

Only the command line sets this up; library code just logs. Messages of our own are shown, since they hold nothing of
a patient, and with them the ``fields`` that they carry. Those of libraries are not: of an error only its type and the
lines of code are shown, of a message only the words that stand in the library's code, not what was put into them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Literal

from cds_service.errors import place_of

LogFormat = Literal["console", "json"]
_AUDIT: Final = "cds_service.audit"
_OURS: Final = ("cds_service", "uvicorn")
_PLACEHOLDER: Final = re.compile(r"%(?:\(\w+\))?[-#0 +]*[\d.*]*[a-zA-Z%]")
_WORDS: Final = re.compile(r"[A-Za-z]{2}")
_PLAIN: Final = re.compile(r"[^\s\"=]+")
_NOT_SHOWN: Final = "a message that may hold data"
_LOG = logging.getLogger("cds_service")


def set_up_logging(level: str, form: LogFormat) -> None:
    """Send all logs of this process to standard error, in one form, and catch what Python itself would write there."""
    lines = _handler(JSONLines() if form == "json" else ConsoleLines())
    logging.basicConfig(level=logging.WARNING, handlers=[lines], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    audit = logging.getLogger(_AUDIT)
    audit.handlers, audit.propagate = [_handler(logging.Formatter("%(message)s"))], False
    audit.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.excepthook = _on_exception
    threading.excepthook = lambda thread: _on_exception(thread.exc_type, thread.exc_value, thread.exc_traceback)
    sys.unraisablehook = lambda found: _on_exception(found.exc_type, found.exc_value, found.exc_traceback)


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = _Lines(sys.stderr)
    handler.setFormatter(formatter)
    return handler


def _on_exception(kind: type[BaseException], error: BaseException | None, _: TracebackType | None) -> None:
    """An error that nobody caught: its type and place, without its message."""
    if not issubclass(kind, KeyboardInterrupt):
        _LOG.critical("an error that nobody caught", exc_info=error)


class _Lines(logging.StreamHandler[Any]):
    """Writes lines. A line that cannot be made is told of without what it would have said."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """Say which line is missing: Python would print its arguments."""
        with suppress(OSError, ValueError):  # the stream itself may be gone
            self.stream.write(f"a log line is missing: {record.name}, {record.filename}:{record.lineno}\n")


class ConsoleLines(logging.Formatter):
    """``2026-11-22T12:00:00.000Z INFO call answered status=200 …``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line for people, more where a message of ours has more."""
        words = " ".join(f"{name}={_shown(value)}" for name, value in _parts_of(record).items())
        return f"{_time_of(record)} {record.levelname} {message_of(record)}{' ' if words else ''}{words}"


class JSONLines(logging.Formatter):
    """An object for each line: time, level, logger, message, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line for machines."""
        line = {
            "time": _time_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **_parts_of(record),
        }
        return json.dumps(line, ensure_ascii=True, default=lambda value: type(value).__name__)


def message_of(record: logging.LogRecord) -> str:
    """What may be shown of a message."""
    text = str(record.msg)
    if isinstance(record.msg, BaseException):  # as uvicorn says that the port is taken
        said = record.msg.strerror if isinstance(record.msg, OSError) else None
        return f"{type(record.msg).__name__}{f': {said}' if said else ''}"
    if _is_ours(record):
        return record.getMessage().rstrip() if record.name.startswith(_OURS[0]) else _first_line(record.getMessage())
    words = _PLACEHOLDER.sub("…", text) if record.args else ""
    return words if _WORDS.search(words) else f"{_NOT_SHOWN}, from {record.filename}:{record.lineno}"


def _parts_of(record: logging.LogRecord) -> dict[str, object]:
    """What stands behind the message: our fields, and of an error its type and place."""
    fields = getattr(record, "fields", None)
    parts = dict(fields) if isinstance(fields, Mapping) and _is_ours(record) else {}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        parts |= {"error": type(error).__name__, "at": place_of(error)}
    return parts


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OURS


def _first_line(text: str) -> str:
    """What uvicorn says in short: it repeats whole tracebacks of a failed start."""
    return text.strip().partition("\n")[0]


def _time_of(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _shown(value: object) -> str:
    """A value on the console: as it is where it is one word, else in quotes."""
    if isinstance(value, list | tuple):
        value = ",".join(str(one) for one in value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
