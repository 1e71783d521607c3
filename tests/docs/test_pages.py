"""Links lead somewhere, printed commands exist, and nothing claims an approval."""

import re
import shlex

import pytest

from cds_service.cli import _parser
from tests.docs.pages import PAGES, blocks, headings, prose, read

_COMMAND = re.compile(r"(?:\w+=\S+ )*(?:\.venv/bin/)?\bcds-service ([a-z][^|<>;)&`]*)")
_SPAN = re.compile(r"`([^`\n]+)`")
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
    for words in _commands(page.read_text(encoding="utf-8")):
        try:
            _parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"cds-service {' '.join(words)}")


def _commands(text):
    """The arguments of each `cds-service …` in blocks and in the prose; a bare name in the prose is left as it is."""
    for line in "\n".join(blocks(text, "sh")).splitlines():
        for said in _COMMAND.findall(line):
            yield shlex.split(said, comments=True)
    for span in _SPAN.findall(prose(text)):
        if (found := re.fullmatch(_COMMAND, span)) and " -" in found[1] and "…" not in span:
            yield shlex.split(found[1])


def test_printed_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))
    named = {found for page in PAGES for found in re.findall(r"\bmake ([a-z]+)\b(?=`| ARGS|  )", page.read_text())}
    assert named
    assert named <= targets


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "cards/README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/decisions.md",
        "docs/quick-start.md",
        "docs/sandbox.md",
        "docs/write-a-recommendation.md",
        "docs/review-and-sign.md",
        "docs/known-limits.md",
        "docs/connect-epic.md",
        "docs/connect-oracle-health.md",
        "docs/connect-hapi.md",
    ],
)
def test_the_page_says_that_the_knowledge_is_a_draft(name):
    words = " ".join(read(name).lower().split())
    assert "draft" in words
    assert "not clinically approved" in words
