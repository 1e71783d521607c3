"""The index, the seed coverage matrix, the thresholds, the sources, the value sets and their coverage."""

import json

import pytest

from cds_service.errors import InvalidKnowledgeError
from tests.web.world import changed, html_of, knowledge, read, written


def test_the_index_lists_every_recommendation_by_group_in_table_order():
    data = json.loads(written()["index.json"].body)
    listed = [entry["id"] for group in data["groups"] for entry in group["entries"]]
    assert sorted(listed) == sorted(r.id for r in knowledge().recommendations)
    for group in data["groups"]:
        order = [next(r.order for r in knowledge().recommendations if r.id == e["id"]) for e in group["entries"]]
        assert order == sorted(order)
    assert data["groups"][0]["title"] == "Orthosis"
    assert all(f"{name}.html" in read("index.html").links for name in listed)


def test_every_statement_of_the_seed_is_carried_by_a_recommendation():
    data = json.loads(written()["index.json"].body)
    assert [s["id"] for s in data["seed"]] == [f"S{n}" for n in range(1, 40)]
    assert [s["id"] for s in data["seed"] if not s.get("recommendations")] == []
    assert knowledge().warnings == ()


def test_the_matrix_is_what_the_recommendations_say():
    data = json.loads(written()["index.json"].body)
    for statement in data["seed"]:
        carriers = [r.id for r in knowledge().recommendations if statement["id"] in r.seed_statements]
        assert statement["recommendations"] == carriers


def test_a_statement_that_nobody_carries_is_shown_and_warned_of(tmp_path):
    file = "recommendations/stimulation/stimulation-as-an-option.yaml"
    pages = changed(tmp_path, drop=(file, "seed statements: [S12, S13]", "seed statements: [S12]"))
    warning = pages.knowledge.warnings[0]
    assert str(warning).startswith("seed_statements.yaml:")
    assert "S13" in str(warning)
    row = html_of(pages, "index").text.split("S13 ")[1].split("S14 ")[0]
    assert row.rstrip().endswith("none")


def test_a_statement_that_does_not_exist_is_refused_with_its_line(tmp_path):
    file = "recommendations/stimulation/stimulation-as-an-option.yaml"
    with pytest.raises(InvalidKnowledgeError) as refused:
        changed(tmp_path, wrong=(file, "seed statements: [S12, S13]", "seed statements: [S12, S131]"))
    problem = refused.value.problems[0]
    assert str(problem).startswith(f"{file}:")
    assert "no seed statement is called 'S131'" in str(problem)
    assert "did you mean" in str(problem)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "    caveat: Case series only.\n",
            "    caveats: Case series only.\n",
            "this key is not known here: 'caveats'",
        ),
        ("  S29:\n    says: ", "  S29:\n    tells: ", "this key is missing: 'says'"),
    ],
)
def test_a_mistake_in_the_statements_is_told_with_file_and_line(tmp_path, old, new, problem):
    with pytest.raises(InvalidKnowledgeError) as refused:
        changed(tmp_path, wrong=("seed_statements.yaml", old, new))
    told = [str(one) for one in refused.value.problems]
    assert any(line.startswith("seed_statements.yaml:") and problem in line for line in told), told


def test_a_source_attribute_that_asks_for_no_value_set_is_refused(tmp_path):
    with pytest.raises(InvalidKnowledgeError) as refused:
        changed(tmp_path, wrong=("source_attributes.yaml", "[pregnancy, not walking]", "[pregnency, not walking]"))
    assert "did you mean 'pregnancy'" in str(refused.value)


def test_every_threshold_stands_in_the_index_with_its_users():
    data = json.loads(written()["index.json"].body)
    assert [p["name"] for p in data["parameters"]] == list(knowledge().names.parameters)
    by_name = {p["name"]: p for p in data["parameters"]}
    assert by_name["full strength"]["used_by"] == ["FD-AFO-01"]
    assert "FD-PT-01" in by_name["physical therapy look-back"]["used_by"], "named in a text"
    assert "FD-CPN-01" in by_name["review in six weeks"]["used_by"], "the date of an order"
    assert "FD-EDX-02" in by_name["early electrodiagnostics window"]["used_by"]


def test_every_source_stands_in_the_index():
    ids = read("index.html").ids
    assert [name for name in knowledge().evidence if name.lower() not in ids] == []


def test_each_gate_says_whom_it_silences():
    gates = {gate["name"]: gate for gate in json.loads(written()["index.json"].body)["gates"]}
    assert "FD-EDX-01" in gates["child"]["silences"]
    assert "FD-AFO-01" not in gates["child"]["silences"]
    assert len(gates["the patient has died"]["silences"]) == len(knowledge().recommendations)


# ---- value sets


def test_the_coverage_counts_the_codes_that_the_running_table_knows():
    data = json.loads(written()["coverage.json"].body)
    rows = {row["name"]: row for row in data["rows"]}
    assert set(rows) == set(knowledge().names.value_sets)
    counted = {}
    for system, _, meaning, _ in knowledge().vocabulary.table.everything():
        key = meaning.concept, system.name
        counted[key] = counted.get(key, 0) + 1
    for name, row in rows.items():
        assert row.get("counts", {}) == {s: n for (concept, s), n in counted.items() if concept == name}
    assert rows["foot drop"]["counts"]["ICD-10-CM"] == 4


def test_what_is_missing_stands_on_the_coverage_page():
    text = read("coverage.html").text
    for value_set in knowledge().names.value_sets.values():
        for wanted in value_set.not_coded:
            assert " ".join(wanted.wanted.split()) in text


def test_a_value_set_has_a_page_with_codes_displays_sources_and_licence():
    page = read("value-set-foot-drop.html")
    for words in ("M21.371", "Foot drop, right foot", "6077001", "SNOMED GPS 2020-09-30", "Licence:", "Missing"):
        assert words in page.text


def test_a_value_set_tells_who_uses_it():
    """Also where it is only the answer, the reason or the kind of a draft that is asked for."""
    rows = {row["name"]: row for row in json.loads(written()["coverage.json"].body)["rows"]}
    assert rows["baseline or serial study"]["used_by"] == ["FD-EDX-02"]
    assert "FD-AFO-02" in rows["custom ankle-foot orthosis"]["used_by"]
    assert "FD-AFO-03" in rows["ankle-foot orthosis"]["used_by"]


def test_codes_with_conditions_say_so():
    text = read("value-set-proximal-sciatic-nerve-lesion.html").text
    assert "only where its words or site say hip or thigh" in text
    assert "with every code below it" in text


def test_every_value_set_has_a_page_of_its_own():
    names = [name for name in written() if name.startswith("value-set-") and name.endswith(".html")]
    assert len(names) == len(knowledge().names.value_sets)
