"""The value of an observation: a grade on its scale, a number, or coded answers. What cannot be read is unknown."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cds_service.domain.facts import NO_CONCEPTS
from cds_service.domain.vocabulary import Plausible, Vocabulary
from cds_service.fhir import elements, shapes
from cds_service.fhir.bundles import is_there
from cds_service.fhir.concepts import ConceptReader, says_something, texts_of, words_of
from cds_service.fhir.elements import text_of

LONGEST_TEXT: Final = 40
_GRADE: Final = re.compile(
    r"(?:mrc\s+)?(?:(?:grade|score|scale|power|strength)\s*:?\s*)?(?P<grade>\d{1,2})\s*[-+\u2212\u2013]?\s*(?:/\s*(?P<of>\d{1,2}))?",
    re.IGNORECASE,
)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")


class Value(NamedTuple):
    """What a finding shows: number, or concepts, or neither if it could not be read; and the words as they came."""

    number: float | None
    values: frozenset[str]
    text: str


def has_value(record: shapes.Valued) -> bool:
    """Whether there is a value[x] of any type, readable or not."""
    return (
        record.value_integer is not None
        or record.value_decimal is not None
        or record.value_quantity is not None
        or record.value_boolean is not None
        or bool(record.value_string)
        or says_something(record.value_codeable_concept)
        or any(
            is_there(raw)
            for raw in (
                record.value_range,
                record.value_ratio,
                record.value_sampled_data,
                record.value_time,
                record.value_date_time,
                record.value_period,
            )
        )
    )


def read_value(record: shapes.Valued, concepts: frozenset[str], vocabulary: Vocabulary, codes: ConceptReader) -> Value:
    """The value of a finding that means `concepts`."""
    text = _text(record)[:LONGEST_TEXT]
    scale = next((vocabulary.scales[one] for one in sorted(concepts) if one in vocabulary.scales), None)
    if scale is not None:
        return Value(_grade(record, scale), NO_CONCEPTS, text)
    if record.value_boolean is not None:
        return Value(None, frozenset((vocabulary.yes_means if record.value_boolean else vocabulary.no_means,)), text)
    if record.value_codeable_concept is not None:
        return Value(None, codes.concepts(record.value_codeable_concept), text)
    number = _number(record)
    plausible = next((vocabulary.plausible[one] for one in sorted(concepts) if one in vocabulary.plausible), None)
    if number is not None and plausible is not None and not _is_plausible(number, record, plausible):
        number = None
    return Value(number, NO_CONCEPTS, text)


def _is_plausible(number: float, record: shapes.Valued, plausible: Plausible) -> bool:
    """Whether a number can be what it should be: 65 % is no ankle-brachial index of 65."""
    quantity = record.value_quantity
    units = {unit for unit in (quantity.unit, text_of(quantity.code)) if unit} if quantity is not None else set()
    return plausible.lowest <= number <= plausible.highest and (not units or bool(units & plausible.units))


def _number(record: shapes.Valued) -> float | None:
    quantity = record.value_quantity
    if quantity is not None:
        return None if quantity.comparator else _as_number(quantity.value)
    return _as_number(record.value_integer if record.value_integer is not None else record.value_decimal)


def _as_number(value: elements.Code) -> float | None:
    """A number, also one that a feed sends as text."""
    text = text_of(value).strip()
    if isinstance(value, str):
        return float(text) if _DECIMAL.fullmatch(text) else None
    return float(value) if text and value is not None else None


def _grade(record: shapes.Valued, scale: tuple[int, int]) -> float | None:
    """A whole grade of the scale, from a number or from words; a plus or minus behind it changes nothing."""
    number = _number(record)
    if number is not None:
        return number if number.is_integer() and scale[0] <= number <= scale[1] else None
    if record.value_quantity is not None:
        return None
    texts = [record.value_string] if record.value_string else list(texts_of(record.value_codeable_concept))
    grades = {_grade_in(text, scale) for text in texts} - {None}
    return grades.pop() if len(grades) == 1 else None


def _grade_in(text: str, scale: tuple[int, int]) -> float | None:
    """``4``, ``4/5``, ``4-``, ``grade 4``: the whole text must be the grade, and "out of" must name the highest."""
    words = " ".join(text.split())  # of many spaces the pattern would try every division
    found = _GRADE.fullmatch(words) if len(words) <= LONGEST_TEXT else None
    if found is None or (found["of"] and int(found["of"]) != scale[1]):
        return None
    grade = int(found["grade"])
    return float(grade) if scale[0] <= grade <= scale[1] else None


def _text(record: shapes.Valued) -> str:
    """The value in the record's own words."""
    if record.value_string:
        return record.value_string.strip()
    if record.value_codeable_concept is not None:
        return words_of(record.value_codeable_concept).strip()
    if record.value_boolean is not None:
        return "Yes" if record.value_boolean else "No"
    quantity = record.value_quantity
    if quantity is None:
        return text_of(record.value_integer if record.value_integer is not None else record.value_decimal)
    unit = quantity.unit or ""
    words = f"{quantity.comparator or ''}{text_of(quantity.value)}"
    return words if unit in ("", "1") or unit.startswith("{") else f"{words} {unit}"
