"""cards/README.md names the whole language; test_snippets.py reads its examples."""

import re
import shutil
from collections.abc import Iterator

import pytest

from cds_service.authoring import cases
from cds_service.authoring.checking import check_knowledge
from cds_service.knowledge import schema
from cds_service.settings import Settings
from tests.docs.pages import ROOT, blocks, read, sections, spans

PAGE = read("cards/README.md")
SECTIONS = dict(sections(PAGE))
EXAMPLES = blocks(PAGE, "yaml")
CRITERIA = [example for example in EXAMPLES if not example.startswith("#")]


def _keys(entry: type[schema.Entry]) -> set[str]:
    return {field.alias or name for name, field in entry.model_fields.items()}


def _entries(above: type[schema.Entry] = schema.Entry) -> Iterator[type[schema.Entry]]:
    for entry in above.__subclasses__():
        yield entry
        yield from _entries(entry)


def _nested(entry: type[schema.Entry]) -> set[str]:
    """The options of an operator, with those of a mapping inside it."""
    inside = {schema.ThatDraftEntry: (schema.DraftTests, schema.PlannedBefore), schema.AgeEntry: (schema.AgeTest,)}
    return _keys(entry).union(*(_keys(part) for part in inside.get(entry, ())))


@pytest.mark.parametrize("operator", schema.OPERATORS)
def test_each_operator_has_a_section_with_all_its_options_and_its_meaning_in_cql(operator):
    section = SECTIONS[operator]
    assert _nested(schema.OPERATORS[operator]) - {operator} <= spans(section)
    assert "CQL: `" in section
    assert "nknown" in section


def test_every_key_of_every_file_is_named():
    keys = set().union(*(_keys(entry) for entry in _entries() if entry.__module__.startswith(schema.__name__)))
    assert keys - spans(PAGE) == set()


def test_every_key_of_the_cases_is_named():
    keys = set().union(*(_keys(entry) for entry in _entries() if entry.__module__ == cases.__name__))
    assert keys - spans(PAGE) == set()


def test_every_operator_has_an_example():
    text = "\n".join(CRITERIA)
    assert [operator for operator in schema.OPERATORS if not re.search(rf"\b{operator}:", text)] == []


def test_the_example_cases_pass(tmp_path):
    """Without the other cases, so that it takes no time; what is then said of other files is not looked at."""
    cards = shutil.copytree(ROOT / "cards", tmp_path / "cards", ignore=shutil.ignore_patterns("cases", "*.md"))
    example = next(example for example in EXAMPLES if example.startswith("# a case file"))
    (cards / "cases").mkdir()
    (cards / "cases" / "example.yaml").write_text(example, encoding="utf-8")
    said = [str(problem) for problem in check_knowledge(cards, Settings()).problems if "example" in problem.file]
    assert said == []
