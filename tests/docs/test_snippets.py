"""Every block of every page is run, read by what reads such a file, or named with the reason why not."""

import itertools
import json
import re
import shutil

import pytest
from pydantic import TypeAdapter

from cds_service.authoring.cases import CaseFile
from cds_service.knowledge import schema
from cds_service.knowledge.criteria_compiler import CriteriaCompiler
from cds_service.knowledge.document import read_document
from cds_service.knowledge.loader import load_knowledge
from cds_service.knowledge.problems import Problems
from cds_service.trust.clients import read_clients
from tests.docs.pages import ROOT, read
from tests.docs.snippets import ALL, FENCES, NOT_RUN, PAGES, READ, RUN, SHOWN, blocks_of

YAML = [block for block in ALL if block.language == "yaml"]
_WITH_A_NEXT_VERSION = "orthosis/offer-an-orthosis.yaml"


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory):
    """The knowledge, and a next version of one recommendation, which a clients file may name."""
    without_cases = shutil.ignore_patterns("cases", "*.md")
    cards = shutil.copytree(ROOT / "cards", tmp_path_factory.mktemp("knowledge") / "cards", ignore=without_cases)
    live = (cards / "recommendations" / _WITH_A_NEXT_VERSION).read_text(encoding="utf-8")
    coming = cards / "next" / _WITH_A_NEXT_VERSION
    coming.parent.mkdir(parents=True, exist_ok=True)
    coming.write_text(re.sub(r"(?m)^  version: .*", "  version: 99.0.0", live), encoding="utf-8")
    return load_knowledge(cards)


def test_each_block_is_of_a_language_of_which_the_tests_know_what_to_do():
    assert {block.language for block in ALL} <= {*RUN, *READ, *SHOWN}


@pytest.mark.parametrize("page", PAGES)
def test_no_block_is_overlooked_because_it_is_written_otherwise(page):
    assert len(FENCES.findall(read(page))) == 2 * len(blocks_of(page))


@pytest.mark.parametrize("page", PAGES)
def test_each_output_stands_below_what_prints_it(page):
    for before, block in itertools.pairwise(blocks_of(page)):
        assert block.note != "output" or before.is_run, str(block)


def test_each_block_that_is_not_run_says_why():
    assert [str(block) for block in ALL if block.note in ("not run", "needs", "not ours") and not block.said] == []


def test_each_block_in_the_list_of_those_that_are_not_run_is_there():
    assert set(NOT_RUN) - {block.key for block in ALL} == set()


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "json"], ids=str)
def test_what_is_printed_as_json_is_json(block):
    json.loads(block.body)


@pytest.mark.parametrize("block", YAML, ids=str)
def test_what_is_printed_as_yaml_is_read_by_what_reads_such_a_file(block, tmp_path, knowledge):
    if excerpt := re.match(r"# excerpt of (\S+)\n", block.body):
        lines = {line.strip() for line in read(f"cards/{excerpt[1]}").splitlines()}
        assert [line for line in block.body.splitlines()[1:] if line.strip() not in lines] == []
        return
    path = tmp_path / "printed.yaml"
    path.write_text(block.body, encoding="utf-8")
    document = read_document(path, tmp_path)
    if block.note == "not ours":
        return
    if isinstance(document.data, list):
        entries = TypeAdapter(list[schema.CriterionEntry]).validate_python(document.data)
        problems = Problems()
        CriteriaCompiler(document, knowledge.names, problems, knowledge.names.definitions.get).compile_all(entries, ())
        assert [str(problem) for problem in problems.found] == []
    elif "clients" in document.data:
        assert read_clients(path, knowledge)
    elif "cases" in document.data:
        CaseFile.model_validate(document.data)
    elif "codes" in document.data:
        assert schema.ValueSetEntry.model_validate(document.data).name
    else:
        assert schema.RecommendationEntry.model_validate(document.data).id
