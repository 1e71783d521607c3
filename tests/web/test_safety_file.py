"""The safety file: its generated part is fresh, its tests exist, and it claims nothing that it should not."""

import re

import pytest

from cds_service.cli import main
from cds_service.errors import KnowledgeError
from cds_service.knowledge.pages.limits import BEGIN, END, limits, with_limits
from tests.web.world import ROOT, changed, knowledge

FILE = ROOT / "docs" / "safety.md"
TEXT = FILE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)))


def test_the_generated_part_is_what_the_knowledge_says_now():
    assert with_limits(TEXT, knowledge(), "docs/safety.md") == TEXT, "run: cds-service render --safety docs/safety.md"


def test_a_change_of_the_knowledge_makes_it_stale(tmp_path):
    file = "recommendations/rehabilitation/physical-therapy.yaml"
    pages = changed(tmp_path, strength=(file, 'strength: "After stroke, strong', 'strength: "After stroke, weak'))
    assert limits(pages.knowledge) != limits(knowledge())


def test_every_recommendation_has_its_limits():
    for recommendation in knowledge().recommendations:
        assert f"### {recommendation.id} {recommendation.title}" in TEXT
        assert recommendation.strength in TEXT


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_it_names_exists(file, test):
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_hazard_has_a_control_and_a_test():
    rows = [
        line for line in TEXT.split("## Open hazards")[0].splitlines() if line.startswith("| ") and "---" not in line
    ]
    assert len(rows) > 20
    for row in rows[1:]:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4, row
        assert cells[2], row
        assert "::test_" in cells[3], row
    for hazard in ("patient", "stale", "missed", "wrong", "noisy", "late", "grade", "unit", "side"):
        assert any(hazard in row.split("|")[1].lower() for row in rows), hazard


def test_it_says_plainly_what_it_is_not():
    opening = " ".join(TEXT.split("## Intended use")[0].split())
    assert "not a regulatory opinion" in opening
    assert "nothing here was clinically validated" in opening
    assert "not clinically approved" in opening


def test_the_command_renews_the_generated_part_and_nothing_else(tmp_path):
    stale = TEXT.split(BEGIN)[0] + BEGIN + "\nold\n" + END + TEXT.split(END)[1]
    path = tmp_path / "safety.md"
    path.write_text(stale, encoding="utf-8")
    assert main(["render", "--safety", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == TEXT


def test_a_file_without_its_marks_is_refused():
    with pytest.raises(KnowledgeError, match="marks of the generated part"):
        with_limits("no marks", knowledge(), "docs/safety.md")
