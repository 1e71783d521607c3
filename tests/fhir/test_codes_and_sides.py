"""What a code means: its concept, where it does not count, and on which side."""

import pytest

from cds_service.domain.codes import Coding
from cds_service.domain.sides import Side
from tests.fhir.world import (
    DOTTED,
    DOTTED_OID,
    PLAIN,
    chart,
    concept,
    condition,
    device_request,
    observation,
    only,
    procedure,
    service_request,
)


@pytest.mark.parametrize(
    ("system", "code"),
    [(DOTTED, "L10.1"), (DOTTED, "l101"), (DOTTED_OID, "L101"), (DOTTED, " L10.1 "), (PLAIN, 42), (PLAIN, 42.0)],
)
def test_a_code_is_known_however_a_feed_spells_it(system, code):
    assert only(chart(condition(code=concept(code, system)))).concepts & {"limp", "numbered"}


@pytest.mark.parametrize(
    "code",
    [
        concept("L10.1", PLAIN),
        concept("nothing"),
        concept("limp", None),
        {"coding": [{}]},
        {"coding": []},
        {},
        None,
        {"text": "limp"},
        "limp",
        concept(10**40),
    ],
)
def test_no_fact_is_guessed_from_a_code_that_is_not_listed_or_from_words(code):
    assert not chart(condition() | {"code": code}).facts


@pytest.mark.parametrize(
    ("code", "count"), [({"text": "limp"}, 1), ("limp", 1), ({"coding": [{"display": "limp"}]}, 1)]
)
def test_a_record_in_words_alone_is_counted(code, count):
    assert chart(condition() | {"code": code}).reading.text_only == count


@pytest.mark.parametrize("code", [{}, {"coding": [{}]}, concept("nothing", text="x")])
def test_a_record_that_says_nothing_or_has_a_code_is_not_counted_as_words(code):
    assert chart(condition(code=code)).reading.text_only == 0


def test_an_array_of_concepts_reads_like_one():
    assert only(chart(condition(code=[concept("limp")]))).concepts == {"limp"}
    assert only(chart(condition(code={"coding": {"system": PLAIN, "code": "limp"}}))).concepts == {"limp"}


def test_all_codings_count_and_the_first_that_means_something_is_shown():
    code = {"coding": [{"system": PLAIN, "code": "?"}, {"system": PLAIN, "code": "study", "display": "A study"}]}
    fact = only(chart(procedure(code=code)))
    assert fact.concepts == {"study", "any study"}
    assert fact.coding == Coding(PLAIN, "study", "A study")


def test_the_clinicians_words_are_shown_before_the_title_of_the_code():
    code = {"coding": [{"system": PLAIN, "code": "limp", "display": "Limping"}], "text": "drags the foot"}
    assert only(chart(condition(code=code))).coding == Coding(PLAIN, "limp", "drags the foot")


# ---- words


@pytest.mark.parametrize(
    "more",
    [
        {"code": concept("S01", DOTTED, text="sore KNEECAP")},
        {"code": {"coding": [{"system": DOTTED, "code": "S01", "display": "k5 pain"}]}},
        {"code": concept("S01", DOTTED), "bodySite": [{"text": "the kneecap"}]},
        {"code": concept("S01", DOTTED), "bodySite": [{"coding": [{"display": "K5"}]}]},
    ],
)
def test_a_code_that_needs_words_counts_when_the_record_says_one(more):
    assert only(chart(condition(**more))).concepts == {"sore knee"}


@pytest.mark.parametrize("text", ["", "pain", "kneecaps", "SK5", "K55"])
def test_a_code_that_needs_words_does_not_count_without_a_whole_one(text):
    assert not chart(condition(code=concept("S01", DOTTED, text=text))).facts


# ---- places


@pytest.mark.parametrize(
    ("sites", "concepts"),
    [
        (None, {"study", "any study"}),
        (["leg"], {"study", "any study"}),
        (["arm"], {"any study"}),
        (["arm", "leg"], {"study", "any study"}),
        (["arm", "right"], {"any study"}),
        (["right"], {"study", "any study"}),
        (["arm", "elsewhere"], {"any study"}),
    ],
)
def test_a_concept_does_not_count_when_all_known_sites_are_where_it_does_not(sites, concepts):
    body_site = [concept(site) for site in sites] if sites else None
    assert only(chart(procedure(bodySite=body_site))).concepts == concepts


def test_a_record_is_no_fact_when_nothing_of_it_counts_at_its_only_site():
    facts = chart(procedure("scan", bodySite=[concept("arm")]))
    assert not facts.facts
    assert facts.reading.text_only == 0


# ---- sides


@pytest.mark.parametrize(
    ("more", "side"),
    [
        ({}, Side.UNSPECIFIED),
        ({"code": concept("L10.1", DOTTED)}, Side.RIGHT),
        ({"code": concept("L10.9", DOTTED)}, Side.UNSPECIFIED),
        ({"code": concept("L10.1", DOTTED), "bodySite": [concept("left")]}, Side.RIGHT),
        ({"code": concept("L10.9", DOTTED), "bodySite": [concept("left")]}, Side.LEFT),
        ({"bodySite": [concept("right")]}, Side.RIGHT),
        ({"bodySite": concept("right")}, Side.RIGHT),
        ({"bodySite": [concept("both")]}, Side.BOTH),
        ({"bodySite": [concept("right"), concept("left")]}, Side.BOTH),
        ({"bodySite": [{"coding": concept("leg")["coding"] + concept("left")["coding"]}]}, Side.LEFT),
        ({"bodySite": [{"text": "Right leg"}]}, Side.RIGHT),
        ({"bodySite": [{"text": "legs, bilateral"}]}, Side.BOTH),
        ({"bodySite": [{"text": "BOTH legs"}]}, Side.BOTH),
        ({"bodySite": [{"text": "left and right leg"}]}, Side.BOTH),
        ({"bodySite": [{"coding": [{"system": "?", "code": "?", "display": "Left foot"}]}]}, Side.LEFT),
        ({"bodySite": [{"text": "bright, cleft, upright"}]}, Side.UNSPECIFIED),
        ({"bodySite": [concept("right", text="left leg")]}, Side.RIGHT),
        ({"code": concept("limp", text="right limp")}, Side.UNSPECIFIED),
        ({"code": {"coding": concept("limp")["coding"] + concept("left")["coding"]}}, Side.LEFT),
    ],
)
def test_the_side_comes_from_the_code_else_from_the_body_site_and_never_from_the_title(more, side):
    assert only(chart(condition(**more))).side is side


def test_a_second_coding_of_an_observations_code_may_name_the_side():
    code = {"coding": concept("grade")["coding"] + concept("right")["coding"]}
    fact = only(chart(observation(code=code, valueInteger=3)))
    assert (fact.concepts, fact.side) == ({"strength"}, Side.RIGHT)


def test_a_code_that_only_names_a_side_is_no_fact():
    assert not chart(condition(code="right")).facts


@pytest.mark.parametrize("order", [device_request, service_request])
def test_a_laterality_parameter_names_the_side_of_an_order(order):
    parameter = {"code": concept("laterality"), "valueCodeableConcept": concept("left")}
    assert only(chart(order(parameter=[{"code": concept("else")}, parameter]))).side is Side.LEFT
    assert only(chart(order(parameter=parameter))).side is Side.LEFT


def test_a_parameter_that_does_not_ask_for_laterality_names_no_side():
    parameter = {"code": concept("else"), "valueCodeableConcept": concept("left")}
    assert only(chart(device_request(parameter=[parameter]))).side is Side.UNSPECIFIED
