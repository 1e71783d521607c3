"""What the review tells people of a changed answer; nothing is told, and nothing written, where nothing changed."""

import copy
import re

import pytest

from fhir_examples import demo, update
from fhir_examples.golden import GoldenCall, golden_calls
from fhir_examples.layout import laid_out
from fhir_examples.review import changes_of, review

(PALSY,) = (call for call in golden_calls() if call.file.stem == "01-patient-view-peroneal-palsy")


def changed(change):
    """The lines told when the golden answer becomes one that is changed."""
    new = copy.deepcopy(PALSY.data)
    change(new)
    return list(changes_of(PALSY.data, new))


def card(data, number=0):
    return data["response"]["cards"][number]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data["response"]["cards"].pop(), ["- card FD-CPN-01 [info] Peroneal palsy"]),
        (
            lambda data: data["response"]["cards"].append(
                card(copy.deepcopy(data)) | {"source": {"topic": {"code": "FD-NEW-01"}}}
            ),
            ["+ card FD-NEW-01 [warning] Foot drop (right)"],
        ),
        (lambda data: card(data).update(indicator="critical"), ["~ FD-AFO-01 indicator: “warning” → “critical”"]),
        (lambda data: card(data).update(summary="Other words"), ["~ FD-AFO-01 summary: “Foot drop (right)"]),
        (
            lambda data: card(data).update(detail=card(data)["detail"].replace("few, small", "many, large")),
            ["~ FD-AFO-01 detail: “…neuropathic foot drop the studies are few, small and mixed.” → “…neuropathic foot"],
        ),
        (
            lambda data: card(data)["suggestions"][0].update(label="Order another"),
            ["~ FD-AFO-01 suggestion: “Order an ankle-foot orthosis (right)” → “Order another”"],
        ),
        (
            lambda data: card(data)["suggestions"][0]["actions"][0]["resource"].update(priority="urgent"),
            ["~ FD-AFO-01 suggestion “Order an ankle-foot orthosis (right)”, its orders: actions[0].resource.priority"],
        ),
        (
            lambda data: card(data)["suggestions"].pop(),
            ["~ FD-AFO-01 suggestion gone: “Refer to an orthotist for assessment and fitting (right)”"],
        ),
        (
            lambda data: card(data)["overrideReasons"].pop(0),
            ["~ FD-AFO-01 reason to dismiss gone: “Has an orthosis that is not recorded here”"],
        ),
        (
            lambda data: data["response"]["cards"].reverse(),
            ["order of the cards: FD-AFO-01, FD-EDX-01, FD-PT-01, FD-CPN-01 → FD-CPN-01, FD-PT-01"],
        ),
        (
            lambda data: card(data)["source"].update(label="Another"),
            ["~ FD-AFO-01 also changed: source.label: "],
        ),
        (
            lambda data: data["response"].update(extension={"gaps": 1}),
            ['beside the cards: extension: nothing → {"gaps": 1}'],
        ),
    ],
)
def test_a_change_is_told_in_a_line_that_a_clinician_can_read(change, told):
    lines = changed(change)
    assert len(lines) == len(told)
    for line, start in zip(lines, told, strict=True):
        assert line.startswith(start)


def test_a_refusal_in_the_place_of_cards_is_told():
    lines = changed(lambda data: data.update(status=412, response={"resourceType": "OperationOutcome"}))
    assert "status: 200 → 412" in lines
    assert sum(line.startswith("- card") for line in lines) == 4


def test_a_call_without_an_answer_is_told_as_a_new_one():
    fresh = {name: value for name, value in PALSY.data.items() if name not in ("status", "response")}
    first, *rest = review([GoldenCall(PALSY.file, fresh)], [PALSY])
    assert first.startswith(PALSY.file.name)
    assert rest[0] == "  a new call"
    assert sum(line.startswith("  + card") for line in rest) == 4


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """One golden call, in a folder of its own, whose answer is an older one; the README is left alone."""
    file = tmp_path / PALSY.file.name
    old = copy.deepcopy(PALSY.data)
    card(old).update(summary="Older words")
    file.write_text(laid_out(old), encoding="utf-8")
    monkeypatch.setattr(demo, "golden_calls", lambda: [GoldenCall(file, old)])
    monkeypatch.setattr(update, "README", tmp_path / "README.md")
    update.README.write_text("no table", encoding="utf-8")
    return file


def test_review_tells_what_would_change_writes_nothing_and_its_status_says_so(broken, capsys):
    before = broken.read_text(encoding="utf-8")
    assert demo.main(["--review"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"FD-AFO-01 summary: “Older words” → “Foot drop \(right\)", said)
    assert broken.read_text(encoding="utf-8") == before


def test_update_tells_it_and_writes_the_golden_answer_as_it_was(broken, capsys):
    assert demo.main(["--update"]) == 0
    assert "“Older words” → “Foot drop (right)" in capsys.readouterr().out
    assert broken.read_text(encoding="utf-8") == PALSY.file.read_text(encoding="utf-8")


def test_nothing_is_told_where_nothing_changed(capsys):
    assert demo.main(["nothing-of-ours", "--review"]) == 0
    assert "Nothing changed in 2 golden answers." in capsys.readouterr().out
