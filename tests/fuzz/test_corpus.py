"""What fuzzing found, and what was thought of beforehand, sent as it is over real connections: once found, kept.

Each file of ``corpus`` is what a client writes to its socket. One in ``answered`` is answered, or refused, at once; one
in ``unfinished`` keeps the service waiting, which harms nobody; one in ``smuggled`` hides a second request, which
another reader would not see there, and which is never answered.
"""

from pathlib import Path

import pytest

from tests.api.world import Server
from tests.fuzz.wire import assert_no_fault, assert_said_nothing, assert_well, statuses, tell

CORPUS = Path(__file__).with_name("corpus")
AT_ONCE = 40


def files(kind):
    return sorted((CORPUS / kind).glob("*.http"))


@pytest.fixture(scope="module")
def served():
    """A server that logs all it can: what it has written is looked at when all has been sent."""
    with Server(CDS_LOG_LEVEL="debug") as running:
        yield running


@pytest.fixture(scope="module")
def heard(served):
    """What every file that is not known to break anything was answered, by its kind and its name."""
    told = {}
    for kind, quiet, wanted in (("answered", 0.2, 1), ("smuggled", 0.2, 1), ("unfinished", 0.5, 0)):
        ones = files(kind)
        for start in range(0, len(ones), AT_ONCE):
            some = ones[start : start + AT_ONCE]
            said = tell(served, [file.read_bytes() for file in some], quiet, wanted)
            told |= dict(zip(some, said, strict=True))
            assert_well(served)
    return told


def named(kind):
    return [pytest.param(file, id=file.stem) for file in files(kind)]


@pytest.mark.parametrize("file", named("answered"))
def test_an_odd_request_is_answered_or_refused(heard, file):
    assert statuses(heard[file])
    assert_no_fault(heard[file])


@pytest.mark.parametrize("file", named("smuggled"))
def test_a_request_inside_another_is_never_answered(heard, file):
    assert statuses(heard[file])
    assert_no_fault(heard[file])
    assert b'"live"' not in heard[file]


@pytest.mark.parametrize("file", named("unfinished"))
def test_a_request_without_an_end_waits_or_is_refused(heard, file):
    assert all(400 <= status < 500 for status in statuses(heard[file]))
    assert_no_fault(heard[file])


def test_the_process_has_written_nothing_of_it_and_ends_as_it_should(heard, served):  # noqa: ARG001  # heard: all was told
    said = served.stop()
    assert_said_nothing(said)
    assert "Application shutdown complete" in said
