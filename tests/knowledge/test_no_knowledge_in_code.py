"""No module knows medicine: no clinical code, no concept's name and no recommendation's id stands in the program."""

import ast
from functools import lru_cache
from pathlib import Path

import pytest

from cds_service.knowledge.loader import load_knowledge

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "cds_service").rglob("*.py"))

SPOKEN = {"foot drop": "the product's own name", "right and left": "how any side is said"}


@lru_cache(maxsize=1)
def knowledge():
    return load_knowledge(ROOT / "cards")


@lru_cache(maxsize=1)
def names_of_concepts():
    """Names of several words; a single word such as "left" is a word of many trades."""
    names = knowledge().names
    every = {*names.value_sets, *names.definitions, *names.moments, *names.parameters, *names.orderables}
    return {name.lower() for name in every if " " in name} - SPOKEN.keys()


@lru_cache(maxsize=1)
def codes():
    return {code.code for value_set in knowledge().names.value_sets.values() for code in value_set.codes}


def strings(path):
    """The string literals of a module with their lines, docstrings apart; f-strings in their fixed parts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    # a string under an assignment is its documentation
    docstrings |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def names(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_a_module_holds_no_clinical_code(path):
    assert [found for found in strings(path) if found[1] in codes()] == []


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_a_module_holds_no_name_of_a_concept(path):
    assert [
        (line, concept) for line, text in strings(path) for concept in names_of_concepts() if concept in text.lower()
    ] == []


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_a_module_holds_no_id_of_a_recommendation(path):
    ids = {recommendation.id for recommendation in knowledge().recommendations}
    assert [found for found in strings(path) if any(one in found[1] for one in ids)] == []


def test_the_search_would_find_something_when_there_were_something(tmp_path):
    module = tmp_path / "bad.py"
    module.write_text(
        '"""ankle-foot orthosis FD-AFO-01"""\nA = f"ankle-foot orthosis {1}"\nB = ["M21.37", "FD-AFO-01"]\n'
    )
    found = [text for _, text in strings(module)]
    assert sorted(found) == ["FD-AFO-01", "M21.37", "ankle-foot orthosis "]
    assert "M21.37" in codes()
    assert "ankle-foot orthosis" in names_of_concepts()
