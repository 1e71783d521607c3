"""Each normative statement of the standard that binds this service is shown by a test that names it.

The markers are read from the source of the tests, so that any run sees them all.
"""

import ast
import re
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).parent
STANDARD = Path(__file__).parents[2] / "shared" / "spec" / "normative.md"
NORMS = yaml.safe_load((TESTS / "norms.yaml").read_text(encoding="utf-8"))
EXCUSES = ("not applicable", "later")


def shown(source):
    """The rows that the markers in one test file name, with the line of each."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "norm":
            for argument in node.args:
                yield ast.literal_eval(argument), node.lineno


def markers():
    """Row → the places of the tests that name it."""
    found = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for row, line in shown(file.read_text(encoding="utf-8")):
            found.setdefault(row, []).append(f"{file.relative_to(TESTS)}:{line}")
    return found


MARKERS = markers()


def excuse(row):
    """Why a row needs no test, if it says so."""
    entry = NORMS[row]
    return next((entry[name] for name in EXCUSES if name in entry), None) if isinstance(entry, dict) else None


def test_every_row_that_binds_the_service_is_shown_by_a_test():
    assert [row for row in NORMS if not excuse(row) and row not in MARKERS] == []


def test_a_row_that_does_not_apply_is_shown_by_no_test():
    wrong = [row for row in NORMS if isinstance(NORMS[row], dict) and "not applicable" in NORMS[row] and row in MARKERS]
    assert wrong == []


def test_every_marker_names_a_row():
    assert {row: places for row, places in MARKERS.items() if row not in NORMS} == {}


@pytest.mark.parametrize("row", NORMS)
def test_a_row_says_in_one_line_what_it_asks_or_why_it_does_not_apply(row):
    entry = NORMS[row]
    if isinstance(entry, dict):
        assert len(entry) == 2
        assert set(entry) - {"asks"} <= set(EXCUSES)
        assert all(isinstance(value, str) and value.strip() for value in entry.values())
        entry = entry["asks"]
    assert entry.endswith(".")
    assert "\n" not in entry


@pytest.mark.skipif(not STANDARD.is_file(), reason="the collected standard is not on this machine")
def test_the_list_has_every_row_of_the_standard_in_its_order():
    rows = re.findall(r"^\| ([A-Z]{3,4}-\d+) \|", STANDARD.read_text(encoding="utf-8"), re.MULTILINE)
    assert list(NORMS) == rows


def test_markers_are_found_on_functions_parameters_and_modules():
    source = """
pytestmark = pytest.mark.norm("A-1")
@pytest.mark.norm("A-2", "A-3")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.norm("A-4"))])
def test_something(x): ...
"""
    assert {row for row, _ in shown(source)} == {"A-1", "A-2", "A-3", "A-4"}
