"""The public vignettes, where they lie beside the project: each snapshot's answer is exact, in each way of coding."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import pytest

VIGNETTES = Path(__file__).parents[3] / "shared" / "vignettes"
pytestmark = pytest.mark.skipif(not VIGNETTES.is_dir(), reason="the vignettes are not beside the project")


@pytest.fixture(scope="module")
def run():
    """The vignettes' own runner, for the requests it makes and the way it reads answers.

    It brings a module `fhir` of its own, which is not the one that other tests import.
    """
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "fhir"}
    sys.path.insert(0, str(VIGNETTES))
    try:
        spec = importlib.util.spec_from_file_location("vignette_run", VIGNETTES / "run.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(VIGNETTES))
        sys.modules.pop("fhir", None)
        sys.modules.update(others)
    return module


@pytest.mark.parametrize("coding", ["icd", "snomed", "untidy"])
def test_every_snapshot_gets_its_exact_answer(run, client_with, coding, monkeypatch):
    client = client_with(max_cards=0)
    # the runner makes its patients relative to the real clock, so the service lives by it too
    monkeypatch.setattr("tests.conftest.Clock.__call__", lambda _: run.dt.datetime.now(run.dt.UTC))
    services = {s["hook"]: s for s in client.get("/cds-services").json()["services"]}
    arguments = argparse.Namespace(mode="prefetch", coding=coding)
    wrong = {}
    for vignette in json.loads((VIGNETTES / "public.json").read_text()):
        for step in vignette["steps"]:
            call = run.request_for(services[step["hook"]], vignette, step, arguments, 0)
            answer = client.post(f"/cds-services/{services[step['hook']]['id']}", json=call).json()
            if run.shown(answer) != step["fire"]:
                wrong[vignette["id"] + step["tag"]] = (run.shown(answer), step["fire"])
    assert wrong == {}
