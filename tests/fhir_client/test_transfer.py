"""The bytes of an answer: compressed, too long, cut, slow."""

import gzip
import json
import threading
import zlib

import pytest

from cds_service.domain.facts import GapReason, NeedState
from cds_service.fhir.client import search as search_module
from tests.fhir_client.mocked import told
from tests.fhir_client.world import asked, bundle, condition, gzipped, reply


def padded(size):
    body = json.dumps(bundle(condition())).encode()
    return body[:-1] + b" " * (size - len(body)) + b"}"


@pytest.mark.parametrize("size", [999, 1000])
@pytest.mark.parametrize("how", [reply, gzipped], ids=["plain", "gzip"])
def test_an_answer_is_read_when_it_is_as_large_as_a_page_may_be(how, size):
    assert asked(how(padded(size)), page_bytes=1000)[0].state("Condition") is NeedState.PRESENT


def chunked(body, step):
    parts = [body[start : start + step] for start in range(0, len(body), step)]
    return reply(content_length=None, transfer_encoding="chunked") + b"".join(
        [*(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]
    )


TOO_LARGE = {
    "announced": reply(padded(1001)),
    "in chunks": chunked(padded(5000), 100),
    "decompressed": gzipped(padded(1001)),
    "a bomb": gzipped(padded(50_000_000)),
    "in many chunks": chunked(padded(5000), 1),
}


@pytest.mark.parametrize("how", TOO_LARGE)
def test_an_answer_is_too_much_when_it_is_larger_than_a_page_may_be(how):
    answer, _ = asked(TOO_LARGE[how], page_bytes=1000, seconds=10)
    assert told(answer) == (NeedState.FAILED, GapReason.TOO_MUCH)
    assert answer.items == []


def test_a_bomb_is_not_unpacked_when_its_packed_bytes_are_few(monkeypatch):
    """A step of decompression stays small, whatever the stream would grow to."""
    grown = []
    original = zlib.decompressobj

    class Watched:
        def __init__(self, *arguments):
            self._inner = original(*arguments)

        def decompress(self, *arguments):
            made = self._inner.decompress(*arguments)
            grown.append(len(made))
            return made

        def __getattr__(self, name):
            return getattr(self._inner, name)

    monkeypatch.setattr("cds_service.fhir.client.transfer.zlib.decompressobj", Watched)
    bomb = gzip.compress(b" " * 50_000_000)
    answer, _ = asked(reply(bomb, content_encoding="gzip"), page_bytes=1_000_000, seconds=10)
    assert answer.reason is GapReason.TOO_MUCH
    assert sum(grown) < 2_000_000


@pytest.mark.parametrize(
    "packed",
    [
        gzipped(b"")[:-4],
        reply(gzip.compress(padded(500))[:-9], content_encoding="gzip"),
        reply(b"\x1f\x8b" + b"\xff" * 200, content_encoding="gzip"),
        reply(b"no gzip at all", content_encoding="gzip"),
        reply(padded(500), content_encoding="br"),
        reply(padded(500), content_encoding="gzip, gzip"),
    ],
    ids=["cut off", "without its end", "garbage", "plain", "br", "twice"],
)
def test_an_answer_fails_when_it_cannot_be_unpacked(packed):
    answer, _ = asked(packed, seconds=0.5)
    assert answer.failure is NeedState.FAILED
    assert answer.reason in (GapReason.UNREADABLE, GapReason.LATE)


def test_an_answer_is_too_much_at_once_when_it_is_announced_as_too_large():
    answer, _ = asked(reply(b"{", content_length="1001"), page_bytes=1000)
    assert told(answer) == (NeedState.FAILED, GapReason.TOO_MUCH), "not waited for"


def test_an_answer_is_too_much_when_bytes_without_end_follow_the_packed_ones():
    endless_tail = chunked(gzip.compress(padded(500)) + b"x" * 5000, 100).replace(b"\r\n\r\n", GZIP_HEAD, 1)
    answer, _ = asked(endless_tail, page_bytes=1000)
    assert told(answer) == (NeedState.FAILED, GapReason.TOO_MUCH)


GZIP_HEAD = b"\r\ncontent-encoding: gzip\r\n\r\n"


@pytest.mark.parametrize(("size", "is_beside"), [(1_000, False), (300_000, True), (2_000_000, True)])
def test_an_answer_is_read_beside_the_loop_only_when_it_is_long(monkeypatch, size, is_beside):
    threads = []
    decode = search_module._decode
    monkeypatch.setattr(
        search_module, "_decode", lambda body: threads.append(threading.current_thread()) or decode(body)
    )
    answer, _ = asked(reply(padded(size)), seconds=10)
    assert answer.state("Condition") is NeedState.PRESENT
    assert answer.size == size
    assert [one is not threading.main_thread() for one in threads] == [is_beside]
