"""Cases notice when the knowledge is changed: a sample here, all in the soak; exceptions stand in docs/mutation.md."""

import random
from pathlib import Path

import pytest

from bench.mutate_knowledge import Run, line

ROOT = Path(__file__).parents[2]
EXPLAINED = {text for text in (ROOT / "docs/mutation.md").read_text(encoding="utf-8").splitlines() if text[:3] == "- `"}


@pytest.fixture(scope="module")
def run():
    return Run(ROOT / "cards")


def unnoticed(run, mutants):
    return {line(mutant) for mutant in mutants if line(mutant) not in EXPLAINED and not run.is_noticed(mutant)}


def test_a_sample_of_changes_is_noticed_by_the_cases(run):
    every = list(run.all_mutants())
    assert len(every) > 700
    assert unnoticed(run, random.Random(7).sample(every, 6)) == set()


def test_the_knowledge_as_it_is_passes_every_case(run):
    mutant = next(iter(run.all_mutants()))
    unchanged = type(mutant)(mutant.file, "", "nothing", run.document(mutant.file).data)
    assert not run.is_noticed(unchanged)


@pytest.mark.soak
def test_every_change_is_noticed_by_the_cases_or_explained(run):
    assert unnoticed(run, run.all_mutants()) == set()
