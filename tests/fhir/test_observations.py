"""Findings: which observations count, their values, their components, their sides and dates."""

import pytest

from cds_service.domain.sides import Side
from tests.fhir.world import DOTTED, chart, concept, observation, only

ABSENT = {"dataAbsentReason": {"coding": [{"code": "not-performed"}]}}


def finding(**more):
    return only(chart(observation(**more)))


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_final_observation_is_a_finding(status):
    assert not finding(status=status, valueInteger=3).doubtful


@pytest.mark.parametrize("status", ["registered", "preliminary", "cancelled", "entered-in-error"])
def test_an_observation_that_is_not_final_is_none(status):
    assert not chart(observation(status=status, valueInteger=3)).facts


@pytest.mark.parametrize("status", ["unknown", None, "FINAL"])
def test_a_finding_is_doubtful_when_its_status_is_not_known(status):
    facts = chart(observation(status=status, valueInteger=3))
    assert only(facts).doubtful
    assert facts.reading.doubtful == 1


# ---- numbers in the range and the units in which they are understood


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ({"value": 0.62, "unit": "ratio", "code": "1"}, 0.62),
        ({"value": 0.62}, 0.62),
        ({"value": 0.62, "unit": "relative", "code": "1"}, 0.62),
        ({"value": 3}, 3),
        ({"value": 3.1}, None),
        ({"value": 65, "unit": "%", "code": "%"}, None),
        ({"value": 0.65, "unit": "%"}, None),
        ({"value": -0.1}, None),
    ],
)
def test_a_number_is_read_only_where_it_is_plausible_and_its_unit_understood(quantity, number):
    found = finding(code=concept("flow"), valueQuantity=quantity)
    assert found.number == number
    assert found.is_readable is (number is not None)


# ---- grades on a scale


@pytest.mark.parametrize(
    ("more", "number", "text"),
    [
        ({"valueInteger": 0}, 0, "0"),
        ({"valueInteger": 5}, 5, "5"),
        ({"valueInteger": 6}, None, "6"),
        ({"valueInteger": -1}, None, "-1"),
        ({"valueInteger": "2"}, 2, "2"),
        ({"valueInteger": 10**30}, None, ""),
        ({"valueQuantity": {"value": 3, "unit": "{grade}"}}, 3, "3"),
        ({"valueQuantity": {"value": 3.0}}, 3, "3"),
        ({"valueQuantity": {"value": "3"}}, 3, "3"),
        ({"valueQuantity": {"value": 3.5}}, None, "3.5"),
        ({"valueQuantity": {"value": 3, "comparator": "<"}}, None, "<3"),
        ({"valueQuantity": {}}, None, ""),
        ({"valueString": "4"}, 4, "4"),
        ({"valueString": " 4/5 "}, 4, "4/5"),
        ({"valueString": "4 / 5"}, 4, "4 / 5"),
        ({"valueString": "4-"}, 4, "4-"),
        ({"valueString": "4+"}, 4, "4+"),
        ({"valueString": "4-/5"}, 4, "4-/5"),
        ({"valueString": "4\u2212"}, 4, "4\u2212"),
        ({"valueString": "grade 4"}, 4, "grade 4"),
        ({"valueString": "Grade: 4"}, 4, "Grade: 4"),
        ({"valueString": "MRC 4/5"}, 4, "MRC 4/5"),
        ({"valueString": "MRC grade 2"}, 2, "MRC grade 2"),
        ({"valueString": "4/10"}, None, "4/10"),
        ({"valueString": "6/5"}, None, "6/5"),
        ({"valueString": "3-4"}, None, "3-4"),
        ({"valueString": "not 4"}, None, "not 4"),
        ({"valueString": "4 right, 3 left"}, None, "4 right, 3 left"),
        ({"valueString": "IV"}, None, "IV"),
        ({"valueString": "x" * 60}, None, "x" * 40),
        ({"valueCodeableConcept": {"text": "2/5"}}, 2, "2/5"),
        ({"valueCodeableConcept": {"coding": [{"code": "LA9", "display": "Grade 2"}]}}, 2, "Grade 2"),
        ({"valueCodeableConcept": {"text": "weak", "coding": [{"display": "2"}]}}, 2, "weak"),
        ({"valueCodeableConcept": {"text": "2", "coding": [{"display": "3"}]}}, None, "2"),
        ({"valueCodeableConcept": {"coding": [{"code": "4"}]}}, None, "4"),
        ({"valueBoolean": True}, None, "Yes"),
        ({"valueRange": {"low": {"value": 2}}}, None, ""),
        ({}, None, ""),
    ],
)
def test_a_grade_is_whole_and_on_the_scale_or_it_is_not_known(more, number, text):
    fact = finding(**more)
    assert (fact.number, fact.value_text) == (number, text)
    assert not fact.values
    assert fact.is_readable is (number is not None)


# ---- other values


@pytest.mark.parametrize(
    ("more", "number", "values", "text"),
    [
        ({"valueQuantity": {"value": 0.8, "unit": "1"}}, 0.8, set(), "0.8"),
        ({"valueQuantity": {"value": 0.8, "unit": "ratio"}}, 0.8, set(), "0.8 ratio"),
        ({"valueQuantity": {"value": 0.8, "comparator": ">"}}, None, set(), ">0.8"),
        ({"valueQuantity": {"value": "high"}}, None, set(), "high"),
        ({"valueInteger": 7}, 7, set(), "7"),
        ({"valueDecimal": 0.75}, 0.75, set(), "0.75"),
        ({"valueBoolean": True}, None, {"present"}, "Yes"),
        ({"valueBoolean": False}, None, {"absent"}, "No"),
        ({"valueCodeableConcept": concept("absent", text="Absent")}, None, {"absent"}, "Absent"),
        ({"valueCodeableConcept": concept("no idea", text="No idea")}, None, set(), "No idea"),
        ({"valueString": "0.8"}, None, set(), "0.8"),
        ({"valueRatio": {}}, None, set(), ""),
    ],
)
def test_a_value_is_a_number_or_answers_or_not_known(more, number, values, text):
    fact = finding(code=concept("index"), **more)
    assert (fact.number, fact.values, fact.value_text) == (number, values, text)


def test_what_was_not_examined_is_no_finding():
    assert not chart(observation(**ABSENT)).facts


def test_a_value_counts_even_beside_a_reason_for_its_absence():
    assert finding(valueInteger=2, **ABSENT).number == 2


def test_a_panel_of_other_observations_is_no_finding_by_itself():
    assert not chart(observation(hasMember=[{"reference": "Observation/x"}])).facts


# ---- when


@pytest.mark.parametrize(
    ("more", "when"),
    [
        ({"effectiveDateTime": "2026-06-03"}, "2026-06-03"),
        ({"effectiveInstant": "2026-06-03T10:00:00Z"}, "2026-06-03"),
        ({"effectivePeriod": {"start": "2026-06-03", "end": "2026-06-04"}}, "2026-06-04"),
        ({"effectivePeriod": {"start": "2026-06-03"}}, "2026-06-03"),
        ({"issued": "2026-06-09T10:00:00Z"}, "2026-06-09"),
        ({"effectiveDateTime": "2026-06-03", "issued": "2026-06-09T10:00:00Z"}, "2026-06-03"),
        ({"effectiveDateTime": "in June"}, None),
        ({}, None),
    ],
)
def test_the_date_is_that_of_the_examination_else_of_the_issue(more, when):
    found = finding(valueInteger=3, **({"effectiveDateTime": None} | more)).when
    assert (found and found.text) == when


# ---- components


def test_a_component_that_means_something_is_a_finding_of_its_own():
    parts = [
        {"code": concept("grade"), "valueInteger": 2},
        {"code": concept("pulse"), "valueCodeableConcept": concept("absent")},
        {"code": concept("unknown"), "valueInteger": 9},
    ]
    facts = chart(observation(code=concept("leg exam"), component=parts, bodySite=concept("left")))
    assert [(fact.concepts, fact.side, fact.number) for fact in facts.facts] == [
        ({"strength"}, Side.LEFT, 2),
        ({"pulse"}, Side.LEFT, None),
    ]


def test_a_component_that_names_a_side_has_the_meaning_of_its_parent():
    parts = [
        {"code": concept("right"), "valueInteger": 2},
        {"code": {"coding": concept("grade")["coding"] + concept("left")["coding"]}, "valueInteger": 4},
    ]
    facts = chart(observation(component=parts))
    assert [(fact.concepts, fact.side, fact.number) for fact in facts.facts] == [
        ({"strength"}, Side.RIGHT, 2),
        ({"strength"}, Side.LEFT, 4),
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"code": concept("right")},
        {"code": concept("laterality"), "valueCodeableConcept": concept("right")},
    ],
)
def test_a_component_may_only_tell_the_side_of_the_whole(part):
    fact = finding(valueInteger=2, component=[part])
    assert (fact.side, fact.number) == (Side.RIGHT, 2)


def test_a_component_that_was_not_examined_is_no_finding():
    parts = [{"code": concept("grade"), **ABSENT}, {"code": concept("pulse"), "valueBoolean": True}]
    assert only(chart(observation(code=concept("leg exam"), component=parts))).concepts == {"pulse"}


def test_a_finding_with_a_value_and_components_gives_both():
    facts = chart(observation(valueInteger=2, component={"code": concept("pulse"), "valueBoolean": False}))
    assert [fact.concepts for fact in facts.facts] == [{"strength"}, {"pulse"}]


def test_a_component_with_an_unknown_modifier_is_doubtful_by_itself():
    part = {"code": concept("pulse"), "valueBoolean": True, "modifierExtension": [{"url": "http://x"}]}
    facts = chart(observation(valueInteger=2, component=[part]))
    assert [fact.doubtful for fact in facts.facts] == [False, True]


def test_a_single_component_may_come_without_an_array():
    part = {"code": concept("limp"), "valueBoolean": True}
    assert only(chart(observation(code=concept("x", DOTTED), component=part))).values == {"present"}
