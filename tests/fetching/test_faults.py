"""Every fault of a FHIR server against every kind of patient data: what the page says is what happens."""

from pathlib import Path

import pytest

from tests.fetching.faults_table import OTHERS, UNHARMED, Bench, page, row
from tests.fetching.world import NEEDS, TOKEN, WORDS, cards, codes, gaps
from tests.fhir_server.fault import FAULTS, HARMLESS, SOMEBODY_ELSE

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
NOISE = 2.0  # of a busy machine; a fault that is not cut off lasts longer by far


@pytest.fixture(scope="module")
def bench():
    made = Bench()
    yield made
    made.close()


@pytest.fixture(scope="module")
def lines():
    return PAGE.read_text().splitlines()


def check(bench, lines, fault, others):
    tries = bench.tries(fault, others)
    assert row(fault, tries) in lines
    for one in (one for found in tries.values() for one in found):
        check_one(one)
        assert (one.cell == UNHARMED) >= (fault in HARMLESS)


def check_one(one):
    """What holds whatever the fault."""
    assert one.answer.status_code in (200, 412), one.answer.text
    assert one.seconds < one.deadline + NOISE
    assert SOMEBODY_ELSE not in one.answer.text
    assert TOKEN not in one.answer.text
    if one.answer.status_code == 200 and one.cell != UNHARMED:
        assert gaps(one.answer)
        check_words(one.answer)


def check_words(answer):
    """Each gap is named by a card that is shown; no answer is empty."""
    details = [card["detail"] for card in cards(answer)]
    for key in gaps(answer):
        assert any(WORDS[key] in detail for detail in details), key


@pytest.mark.parametrize("fault", FAULTS)
def test_the_answer_is_the_one_on_the_page_when_a_server_misbehaves(bench, lines, fault):
    turn = list(FAULTS).index(fault)
    check(bench, lines, fault, [OTHERS[turn % len(OTHERS)]])


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
def test_the_answer_is_the_one_on_the_page_for_every_kind_of_data(bench, lines, fault):
    check(bench, lines, fault, OTHERS)


def test_the_page_has_each_fault_once_and_the_words_that_are_generated(lines):
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in rows] == list(FAULTS)
    assert page(rows) == PAGE.read_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_goes_astray_when_every_answer_has_the_fault(bench, fault):
    bench.good(weak=True)
    bench.server.faults = {"*": fault}
    bench.server.reset()
    answer = bench.fire(fault)
    assert answer.status_code in (200, 412)
    assert bench.server.strayed == []
    assert {one.headers.get("authorization") for one in bench.server.asked} == {f"Bearer {TOKEN}"}
    assert SOMEBODY_ELSE not in answer.text
    if fault in HARMLESS:
        assert codes(answer) == codes(bench.good(weak=True))
    elif answer.status_code == 200:
        assert gaps(answer)


def test_every_need_is_asked_so_that_every_fault_is_met(bench):
    bench.good(weak=True)
    bench.server.faults = {}
    bench.server.reset()
    bench.fire("")
    assert {one.resource_type for one in bench.server.asked} == {need.resource for need in NEEDS.values()}


@pytest.mark.parametrize("fault", ["another patient's data", "only another patient's data"])
def test_no_card_is_shown_for_what_only_another_patient_has(bench, fault):
    bench.server.resources = [one for one in bench.server.resources if one["resourceType"] == "Patient"]
    for kind in ("Condition", "Observation"):
        bench.server.faults = {kind: fault}
        answer = bench.fire(fault)
        assert gaps(answer)[{"Condition": "conditions", "Observation": "observations"}[kind]][1] == "other patient"
        assert answer.json().get("cards", []) == []
