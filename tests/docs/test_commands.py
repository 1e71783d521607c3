"""The commands and programs that the pages print are run, in their order, against a real service."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.running import PageError, difference, lacks, run_page
from tests.docs.snippets import ALL, PAGES, Block, blocks_of

WITH_COMMANDS = [page for page in PAGES if any(block.is_run for block in blocks_of(page))]
MISSING = [program for program in ("bash", "curl", "openssl") if shutil.which(program) is None]
with_a_shell = pytest.mark.skipif(bool(MISSING), reason=f"the pages' commands are not run, for want of {MISSING}")
NEEDING = [block for block in ALL if block.note == "needs"]


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """The pages that were asked for, two at a time: they wait for programs most of the time. The longest come first."""
    items = (item for item in request.session.items if item.path == Path(__file__) and hasattr(item, "callspec"))
    pages = {item.callspec.params["page"] for item in items if "page" in item.callspec.params}
    with ThreadPoolExecutor(2) as pool:
        yield {
            page: pool.submit(run_page, blocks_of(page), tmp_path_factory.mktemp("page"))
            for page in sorted(pages, reverse=True)
        }


@with_a_shell
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page_do_what_it_says(page, runs):
    runs[page].result()


@pytest.mark.parametrize("block", NEEDING, ids=str)
def test_what_a_block_needs_is_there(block):
    if reason := lacks(block):
        pytest.skip(reason)


def _blocks(*pairs):
    return [Block("page.md", line, language, body, note) for line, (language, body, note) in enumerate(pairs, 1)]


@with_a_shell
@pytest.mark.parametrize(
    ("blocks", "complaint"),
    [
        (_blocks(("sh", "echo one\nfalse\n", "")), "page.md:1 fails"),
        (_blocks(("sh", "true\n", "fails")), "this should have failed"),
        (_blocks(("sh", "echo one\n", ""), ("", "two\n", "output")), "page.md:2: this is not what is printed"),
        (_blocks(("python", "print(undefined)\n", "")), "NameError"),
        (_blocks(("sh", "cds-service bogus\n", "")), "invalid choice"),
    ],
    ids=["a command fails", "a command should fail", "another output", "python", "no such command"],
)
def test_a_page_that_says_what_is_not_so_is_found_out(blocks, complaint, tmp_path):
    with pytest.raises(PageError, match=complaint):
        run_page(blocks, tmp_path)


def test_a_part_of_an_answer_may_be_shown():
    shown = Block("page.md", 1, "json", '{"cards": [{"summary": "Foot drop …"}]}')
    assert difference(shown, '{"cards": [{"summary": "Foot drop (left)", "uuid": "1"}, {}]}') is None
    assert difference(shown, '{"cards": [{"summary": "Another"}]}') == "it.cards[0].summary is 'Another'"
