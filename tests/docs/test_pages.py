"""Links lead somewhere, printed commands exist, and nothing claims an approval."""

import re

import pytest

from cds_service.cli import _parser
from tests.docs.pages import PAGES, blocks, headings, read

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _targets(text):
    return [link for link in _LINK.findall(text) if not link.startswith(("http:", "https:"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link in _targets(text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_printed_commands_are_understood(page):
    for block in blocks(page.read_text(encoding="utf-8"), "sh"):
        for line in block.splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["cds-service"]:
                _parser().parse_args(words[1:])


def test_printed_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))
    named = {found for page in PAGES for found in re.findall(r"\bmake ([a-z]+)\b(?=`| ARGS|  )", page.read_text())}
    assert named
    assert named <= targets


@pytest.mark.parametrize(
    "name", ["README.md", "cards/README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/decisions.md"]
)
def test_the_page_says_that_the_knowledge_is_a_draft(name):
    words = " ".join(read(name).lower().split())
    assert "draft" in words
    assert "not clinically approved" in words
