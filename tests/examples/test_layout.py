"""JSON as people read it: the same value, in lines that fit where they can."""

import json

import pytest

from fhir_examples.golden import FOLDER
from fhir_examples.layout import laid_out

FILES = sorted([*FOLDER.glob("calls/*.json"), *FOLDER.glob("patients/*.json")])


@pytest.mark.parametrize(
    "value", [{}, [], None, "ü", 3, {"a": []}, [[1, 2], {"b": "c" * 200, "d": {"e": [True] * 60}}]]
)
def test_what_is_laid_out_is_the_same_value(value):
    assert json.loads(laid_out(value)) == value


def test_what_fits_on_a_line_stands_on_one_and_what_does_not_is_broken_where_it_nests():
    long = "x" * 120
    assert laid_out({"a": [1, {"b": 2}]}) == '{"a": [1, {"b": 2}]}'
    assert laid_out({"a": long, "b": [long, 1]}) == f'{{\n  "a": "{long}",\n  "b": ["{long}", 1]\n}}'


def test_the_files_of_patients_and_calls_are_laid_out_so():
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert laid_out(json.loads(text)) + "\n" == text, file.name
