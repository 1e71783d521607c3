"""What a token's SMART scopes allow to ask, in both versions of their syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.fhir.client.scopes import Right, Scopes

ALL, SOME, NONE = Right.ALL, Right.SOME, Right.NONE


def rights(scope, resource_type="Condition"):
    """How far a resource type may be searched, and read by id."""
    scopes = Scopes(scope)
    return scopes.right(resource_type, search=True), scopes.right(resource_type, search=False)


@pytest.mark.parametrize("level", ["patient", "user", "system"])
@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        ("Condition.read", (ALL, ALL)),
        ("Condition.*", (ALL, ALL)),
        ("*.read", (ALL, ALL)),
        ("*.*", (ALL, ALL)),
        ("Condition.write", (NONE, NONE)),
        ("*.write", (NONE, NONE)),
        ("Observation.read", (NONE, NONE)),
        ("Condition.rs", (ALL, ALL)),
        ("Condition.cruds", (ALL, ALL)),
        ("Condition.r", (NONE, ALL)),
        ("Condition.s", (ALL, NONE)),
        ("Condition.crud", (NONE, ALL)),
        ("Condition.cu", (NONE, NONE)),
        ("Condition.cud", (NONE, NONE)),
        ("*.rs", (ALL, ALL)),
        ("*.s", (ALL, NONE)),
        ("Observation.rs", (NONE, NONE)),
    ],
)
def test_a_type_may_be_asked_just_as_far_as_a_scope_of_any_level_says(level, granted, expected):
    assert rights(f"{level}/{granted}") == expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("patient/Condition.rs?category=problem-list-item", (SOME, SOME)),
        (
            "patient/Condition.s?category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item",
            (SOME, NONE),
        ),
        ("patient/Condition.read?category=problem-list-item", (SOME, SOME)),
        ("patient/Condition.rs?category=a patient/Condition.rs?category=b", (SOME, SOME)),
        ("patient/Condition.rs?category=a patient/Condition.rs", (ALL, ALL)),
        ("patient/Condition.rs?category=a patient/*.rs", (ALL, ALL)),
        ("patient/Condition.rs?category=a patient/Condition.r", (SOME, ALL)),
        ("patient/Condition.rs?category=a patient/Condition.cud", (SOME, SOME)),
        ("patient/*.rs?_security=low", (SOME, SOME)),
        ("patient/Observation.rs?category=a", (NONE, NONE)),
    ],
)
def test_a_type_may_be_asked_in_part_when_every_scope_for_it_narrows_it(scope, expected):
    assert rights(scope) == expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("patient/Observation.read user/Condition.read", (ALL, ALL)),
        ("patient/Condition.r system/Condition.s", (ALL, ALL)),
        ("patient/Condition.write user/Condition.s", (ALL, NONE)),
        ("launch openid fhirUser patient/Patient.read", (NONE, NONE)),
        ("  patient/Condition.read\t\n", (ALL, ALL)),
    ],
)
def test_scopes_add_up_when_there_are_several(scope, expected):
    assert rights(scope) == expected


@pytest.mark.parametrize(
    "scope",
    ["", "  ", "launch", "openid fhirUser offline_access", "launch/patient", "https://ehr.test/scopes/all", "äöü"],
)
def test_everything_is_asked_when_no_scope_speaks_of_a_resource_type(scope):
    assert rights(scope) == (ALL, ALL)
    assert rights(scope, "Patient") == (ALL, ALL)


@pytest.mark.parametrize(
    "word",
    [
        "patient/Condition",
        "patient/Condition.",
        "patient/condition.read",
        "Condition.read",
        "patient/Condition.sr",
        "patient/Condition.rx",
        "group/Condition.read",
        "patient/Condition.READ",
        "patient/Condition.rs?",
    ],
)
def test_a_word_is_no_grant_when_it_is_no_scope_of_either_version(word):
    assert rights(f"{word} patient/Patient.read") == (NONE, NONE)
    assert rights(f"{word} patient/Condition.read") == (ALL, ALL)


def test_a_type_is_not_another_when_only_its_beginning_is_the_same():
    assert rights("patient/Device.rs", "DeviceRequest") == (NONE, NONE)
    assert rights("patient/DeviceRequest.rs", "Device") == (NONE, NONE)


_WORDS = st.lists(
    st.sampled_from(
        ["patient/*.read", "user/Condition.s", "patient/Condition.rs?a=b", "patient/Condition.write", "launch"]
    )
    | st.text(max_size=12),
    max_size=5,
).map(" ".join)


@given(_WORDS, st.booleans())
def test_more_scopes_never_allow_less_when_one_of_them_speaks_of_the_type(scope, search):
    before = Scopes(f"{scope} patient/Observation.rs").right("Condition", search=search)
    after = Scopes(f"{scope} patient/Observation.rs user/Condition.read").right("Condition", search=search)
    assert after is ALL
    assert before in Right
