"""What ``cds-service check`` finds in knowledge that loads: seeded faults in a copy of it, each with its remedy."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from cds_service.authoring.checking import check_knowledge
from cds_service.settings import Settings

CARDS = Path(__file__).parents[2] / "cards"
THERAPY = "recommendations/rehabilitation/physical-therapy.yaml"
CASES = "cases/rehabilitation/physical-therapy.yaml"
SETTINGS = Settings(max_cards=0, database_url="sqlite://")


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A copy with one recommendation's cases only, so that a check is quick."""
    copy = tmp_path / "cards"
    shutil.copytree(CARDS, copy, ignore=shutil.ignore_patterns("cases"))
    (copy / CASES).parent.mkdir(parents=True)
    shutil.copy(CARDS / CASES, copy / CASES)
    return copy


def change(cards: Path, file: str, old: str, new: str) -> None:
    text = (cards / file).read_text(encoding="utf-8")
    assert old in text
    (cards / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def told(cards: Path, file: str, on: dt.date | None = None) -> list[str]:
    """The errors about one file, and the warnings."""
    report = check_knowledge(cards, SETTINGS, on) if on else check_knowledge(cards, SETTINGS)
    return [str(problem) for problem in (*report.problems, *report.warnings) if str(problem.file).startswith(file)]


def test_nothing_is_said_of_a_recommendation_as_it_ships(cards):
    assert told(cards, THERAPY) == []


@pytest.mark.parametrize(
    ("day", "severity"),
    [("2027-11-22", None), ("2027-11-23", "warnings"), ("2028-02-20", "warnings"), ("2028-02-21", "problems")],
)
def test_an_overdue_review_is_a_warning_and_after_the_grace_an_error(cards, day, severity):
    report = check_knowledge(cards, SETTINGS, dt.date.fromisoformat(day))
    overdue = "review was due on 2027-11-22"
    found = [kind for kind in ("problems", "warnings") if any(overdue in str(p) for p in getattr(report, kind))]
    assert found == ([severity] if severity else [])


def test_a_recommendation_without_a_case_that_shows_it_is_an_error(cards):
    (cards / CASES).unlink()
    assert any("no case shows it: it may be unreachable" in line for line in told(cards, THERAPY))


def test_a_recommendation_without_a_near_miss_is_an_error(cards):
    (cards / CASES).write_text(
        "about: FD-PT-01\ncases:\n  - case: Foot drop\n    given:\n      - {condition: foot drop, side: right}\n"
        "    expect: {FD-PT-01: info}\n"
    )
    assert any("no case shows it silent" in line for line in told(cards, THERAPY))


def test_a_criterion_that_decides_no_case_is_an_error_with_its_direction(cards):
    change(cards, THERAPY, "unless:\n", "unless:\n  - condition: pregnancy\n")
    said = told(cards, THERAPY)
    assert any("no case turns on `condition: pregnancy` (unless) being met" in line for line in said)
    assert any("add one to cards/cases" in line for line in said)


def test_a_criterion_that_can_never_matter_is_an_error_in_both_directions(cards):
    change(cards, THERAPY, "unless:\n", "when:\n  - any: [foot drop present, {condition: foot drop}]\nunless:\n")
    assert any("`condition: foot drop` (when) being met" in line for line in told(cards, THERAPY))


def test_two_recommendations_that_ask_the_same_are_an_error(cards):
    twin = (cards / THERAPY).read_text(encoding="utf-8")
    twin = twin.replace("id: FD-PT-01", "id: FD-PT-99").replace("place in order: 10", "place in order: 99")
    (cards / "recommendations/rehabilitation/twin.yaml").write_text(twin, encoding="utf-8")
    assert any(
        "it can never differ from FD-PT-01" in line for line in told(cards, "recommendations/rehabilitation/twin")
    )


def test_a_display_that_is_not_the_codes_title_is_an_error(cards):
    change(cards, "value_sets/foot-drop.yaml", "Foot drop (acquired)", "Wrist drop")
    assert any("is titled 'Foot drop (acquired)', not 'Wrist drop'" in line for line in told(cards, "value_sets"))


def test_a_parameter_that_cites_nothing_known_is_an_error(cards):
    change(cards, "parameters.yaml", 'citation: "E48, E69', 'citation: "E999, E69')
    assert any("no evidence is called 'E999'" in line for line in told(cards, "parameters.yaml"))


def test_an_unused_parameter_is_a_warning(cards):
    text = (cards / "parameters.yaml").read_text(encoding="utf-8")
    extra = "never asked:\n  {value: 1, unit: days, means: Nothing., citation: E01, date: 2026-11-22, steward: us}\n"
    (cards / "parameters.yaml").write_text(text + extra, encoding="utf-8")
    assert any("this parameter is used nowhere" in line for line in told(cards, "parameters.yaml"))


def test_a_place_in_order_given_twice_is_an_error(cards):
    change(cards, THERAPY, "place in order: 10", "place in order: 1")
    assert any("has this place too" in line for line in told(cards, "recommendations/"))


def test_an_order_that_is_not_recognised_when_it_comes_back_is_an_error(cards):
    change(cards, "orderables.yaml", "code: physical-therapy", "code: pottery")
    change(cards, "orderables.yaml", 'code: "91251008"', 'code: "386053000"')
    assert any(
        "its codings are not in the value set of the same name" in line for line in told(cards, "orderables.yaml")
    )
