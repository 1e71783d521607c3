"""The public vignettes, with a record that only a FHIR server has, in pages of two: each answer is exact."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.world import Server

VIGNETTES = Path(__file__).parents[3] / "shared" / "vignettes"
pytestmark = pytest.mark.skipif(not VIGNETTES.is_dir(), reason="the vignettes are not beside the project")


@pytest.fixture(scope="module")
def served():
    with Server(CDS_MAX_CARDS="0", CDS_DEADLINE_MS="10000") as made:  # a busy machine changes no answer
        yield made


@pytest.mark.parametrize(
    "coding", ["untidy", *(pytest.param(one, marks=pytest.mark.soak) for one in ("icd", "snomed"))]
)
def test_every_snapshot_gets_its_exact_answer_when_nothing_is_prefetched(served, coding):
    command = [sys.executable, str(VIGNETTES / "run.py"), f"http://127.0.0.1:{served.port}"]
    command += ["--mode", "server", "--coding", coding]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
