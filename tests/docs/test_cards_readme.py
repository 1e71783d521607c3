"""cards/README.md names the whole language, and its examples are what they say."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from cds_service.authoring import cases
from cds_service.authoring.checking import check_knowledge
from cds_service.knowledge import schema
from cds_service.knowledge.criteria_compiler import CriteriaCompiler
from cds_service.knowledge.document import Document, read_document
from cds_service.knowledge.loader import load_knowledge
from cds_service.knowledge.problems import Problems
from cds_service.settings import Settings
from tests.docs.pages import ROOT, blocks, read, sections, spans

PAGE = read("cards/README.md")
SECTIONS = dict(sections(PAGE))
EXAMPLES = blocks(PAGE, "yaml")
CRITERIA = [example for example in EXAMPLES if not example.startswith("#")]
_CARDS = ROOT / "cards"


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


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge(_CARDS)


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


def _document(folder: Path, text: str) -> Document:
    """As the loader reads it: to any other YAML reader the key `on` is a boolean."""
    path = folder / "example.yaml"
    path.write_text(text, encoding="utf-8")
    return read_document(path, folder)


@pytest.mark.parametrize("example", CRITERIA, ids=lambda text: text.partition(":")[0].strip("- \n"))
def test_the_example_criteria_compile(tmp_path, knowledge, example):
    document = _document(tmp_path, example)
    entries = TypeAdapter(list[schema.CriterionEntry]).validate_python(document.data)
    problems = Problems()
    CriteriaCompiler(document, knowledge.names, problems, knowledge.names.definitions.get).compile_all(entries, ())
    assert [str(problem) for problem in problems.found] == []


def test_every_operator_has_an_example():
    text = "\n".join(CRITERIA)
    assert [operator for operator in schema.OPERATORS if not re.search(rf"\b{operator}:", text)] == []


def test_excerpts_stand_in_their_files():
    for example in EXAMPLES:
        if found := re.match(r"# excerpt of (\S+)\n", example):
            lines = {line.strip() for line in read(f"cards/{found[1]}").splitlines()}
            assert [line for line in example.splitlines()[1:] if line.strip() not in lines] == [], found[1]


def test_the_example_of_a_value_set_is_one(tmp_path):
    example = next(example for example in EXAMPLES if example.startswith("# a value set"))
    assert schema.ValueSetEntry.model_validate(_document(tmp_path, example).data).name == "foot drop"


@pytest.fixture
def copy_of_cards(tmp_path):
    """Without the other cases, so that a check takes no time; what is then said of other files is not looked at."""
    return shutil.copytree(_CARDS, tmp_path / "cards", ignore=shutil.ignore_patterns("cases", "*.md"))


def _write(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def _said_of(word, cards) -> list[str]:
    """What `check` says of the files with this word in their name."""
    return [str(problem) for problem in check_knowledge(cards, Settings()).problems if word in problem.file]


def test_the_example_cases_pass(copy_of_cards):
    example = next(example for example in EXAMPLES if example.startswith("# a case file"))
    _write(copy_of_cards, "cases/example.yaml", example)
    assert _said_of("example", copy_of_cards) == []


@pytest.fixture
def exercise(copy_of_cards):
    files = {found[1]: e for e in EXAMPLES if (found := re.match(r"# exercise: (\S+)\n", e))}
    for name, text in files.items():
        _write(copy_of_cards, name, text)
    return files


_CASES = "cases/orthosis/exercise.yaml"


def test_the_exercise_passes(copy_of_cards, exercise):
    assert len(exercise) == 2
    assert _said_of("exercise", copy_of_cards) == []


def test_the_exercise_fails_when_a_case_is_changed_as_it_says(copy_of_cards, exercise):
    _write(copy_of_cards, _CASES, exercise[_CASES].replace("366", "365"))
    assert any("FD-EXERCISE-01 shown" in said for said in _said_of("exercise", copy_of_cards))


def test_the_exercise_fails_with_the_words_that_are_shown_when_its_last_case_is_left_out(copy_of_cards, exercise):
    without, last, _ = exercise[_CASES].rpartition("\n  - case: ")
    assert last
    _write(copy_of_cards, _CASES, without)
    (shown,) = (line for block in blocks(PAGE, "") for line in block.splitlines() if line.startswith("error: "))
    assert [f"error: {said}" for said in _said_of("exercise", copy_of_cards)] == [shown]


def test_each_criterion_of_the_exercise_needs_its_cases(copy_of_cards, exercise):
    """As the page says: one case shows the card, and each of the others turns one criterion."""
    head, *cases_of_it = exercise[_CASES].split("  - case: ")
    for left_out in range(len(cases_of_it)):
        kept = cases_of_it[:left_out] + cases_of_it[left_out + 1 :]
        _write(copy_of_cards, _CASES, head + "".join(f"  - case: {case}" for case in kept))
        assert _said_of("exercise", copy_of_cards), cases_of_it[left_out]
