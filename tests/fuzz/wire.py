"""Bytes as they are, to a real server: many lines at once, what each said, and whether the server is well after it."""

import contextlib
import itertools
import re
import select
import socket
import time

from tests.fuzz.exchange import MARK

_STATUS_LINE = re.compile(rb"HTTP/1\.1 \d\d\d ")


def tell(server, messages, quiet=0.2, wanted=0):
    """Send each message over a line of its own, all at the same time; what came back on each.

    Reading ends when each line was closed or all have been ``quiet`` for so many seconds; where answers are ``wanted``
    on every line, not before they came or ten seconds have passed.
    """
    with contextlib.ExitStack() as lines:
        opened = [lines.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in messages]
        for line, message in zip(opened, messages, strict=True):
            with contextlib.suppress(ConnectionError):  # refused before all was sent
                line.sendall(message)
        heard = dict.fromkeys(opened, b"")
        reading, deadline = list(opened), time.monotonic() + 10
        while reading and time.monotonic() < deadline:
            ready = select.select(reading, [], [], quiet)[0]
            if not ready and all(len(statuses(said)) >= wanted for said in heard.values()):
                break
            for line in ready:
                part = received(line)
                heard[line] += part
                if not part:
                    reading.remove(line)
        return list(heard.values())


def received(line):
    """The next bytes of a line, none where it is closed."""
    try:
        return line.recv(65536)
    except ConnectionError:
        return b""


def answers(said):
    """Status and text of each answer in what a line said."""
    starts = [*(one.start() for one in _STATUS_LINE.finditer(said)), len(said)]
    texts = [said[start:end] for start, end in itertools.pairwise(starts)]
    return [(int(text[9:12]), text) for text in texts]


def statuses(said):
    """The status of each answer in what a line said."""
    return [status for status, _ in answers(said)]


def assert_no_fault(said):
    """No answer is a fault, and no refusal repeats what was sent."""
    for status, text in answers(said):
        assert 100 <= status < 500, text[:300]
        if status >= 400:
            assert MARK.lower().encode() not in text.lower(), text[:300]


def assert_well(server):
    """The process runs, and answers a good request within a second: one chance more for a busy machine."""
    assert server.process.poll() is None, server.stop()
    took = []
    for _ in range(3):
        start = time.monotonic()
        connection = server.connect()
        connection.request("GET", "/health/ready")
        assert connection.getresponse().status == 200
        connection.close()
        took.append(time.monotonic() - start)
        if took[-1] < 1:
            return
    raise AssertionError(f"a good request waited {took} s")


def assert_said_nothing(output):
    """What the process wrote holds nothing of what was sent, and tells of no fault."""
    assert MARK.lower() not in output.lower()
    assert "Traceback" not in output
    assert "fault in call" not in output
