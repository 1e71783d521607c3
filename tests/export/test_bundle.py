"""The export as a whole: valid, complete, self-contained, the same each time, and never claiming approval."""

import json
import re
import subprocess
import sys

import pytest

from cds_service.fhir.export.bundle import ExportError, export_knowledge
from cds_service.fhir.export.edition import machine_name, resource_id
from tests.export.conftest import BASE, CARDS, everywhere
from tests.fhir.validation import complaints

CANONICALS = ("definitionCanonical", "library", "valueSet", "resource")


def test_every_resource_is_valid_by_all_three_judges(exported):
    assert {one["id"]: found for one in exported.resources if (found := complaints(one))} == {}


def test_the_bundle_is_valid_too(exported):
    assert complaints(exported.bundle) == []


def test_nothing_is_left_out(exported, knowledge):
    assert set(exported.of("PlanDefinition")) == {one.id for one in knowledge.recommendations}
    assert set(exported.of("ActivityDefinition")) == {resource_id(name) for name in knowledge.names.orderables}
    assert set(exported.of("ValueSet")) == {resource_id(name) for name in knowledge.names.value_sets}
    assert len(exported.of("Library")) == 1
    counted = sum(len(exported.of(kind)) for kind in ("PlanDefinition", "ActivityDefinition", "ValueSet", "CodeSystem"))
    assert len(exported.resources) == counted + 1


def test_every_canonical_reference_resolves_inside_the_bundle(exported):
    known = exported.by_canonical()
    for one in exported.resources:
        for element in everywhere(one):
            for name in CANONICALS:
                values = element.get(name, [])
                for value in values if isinstance(values, list) else [values]:
                    assert value in known, f"{one['id']}: {name}"


def test_references_are_pinned_to_this_state_of_the_knowledge(exported, knowledge):
    for element in everywhere(exported.bundle):
        for name in CANONICALS:
            value = element.get(name)
            if isinstance(value, str):
                assert value.endswith(f"|{knowledge.fingerprint}")


def test_every_code_of_ours_stands_in_a_code_system_of_the_bundle(exported):
    ours = {one["url"]: {c["code"] for c in one["concept"]} for one in exported.of("CodeSystem").values()}
    used = {(e["system"], e["code"]) for e in everywhere(exported.bundle) if e.get("system") in ours and "code" in e}
    used |= {
        (e["system"], c["code"]) for e in everywhere(exported.bundle) if e.get("system") in ours
        for c in e.get("concept", [])
    }  # fmt: skip
    assert used
    assert {(system, code) for system, code in used if code not in ours[system]} == set()


def test_the_code_systems_hold_every_topic_and_reason_that_a_card_can_carry(exported, knowledge):
    systems = {one["url"]: {c["code"]: c["display"] for c in one["concept"]} for one in exported.resources
               if one["resourceType"] == "CodeSystem"}  # fmt: skip
    assert len(systems) == 4
    topics = systems[knowledge.topic_system]
    assert {one.id: one.title for one in knowledge.recommendations}.items() <= topics.items()
    assert {"data-gap", "more-recommendations", "record-correction"} <= set(topics)
    reasons = {reason for one in knowledge.recommendations for reason in one.override_reasons}
    assert all(systems[reason.system][reason.code] == reason.display for reason in reasons)


def test_ids_and_names_are_fit_for_fhir(exported):
    for one in exported.resources:
        assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", one["id"])
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,254}", one["name"])
    paths = [f"{one['resourceType']}/{one['id']}".lower() for one in exported.resources]
    assert len(set(paths)) == len(paths)


def test_full_urls_name_the_resource(exported):
    for entry in exported.bundle["entry"]:
        assert entry["fullUrl"] == f"{BASE}/{entry['resource']['resourceType']}/{entry['resource']['id']}"


def test_nothing_claims_clinical_approval(exported):
    for one in exported.resources:
        assert one["status"] == "draft"
        assert one["experimental"] is True
        assert "approvalDate" not in one
        assert "endorser" not in one
        assert "not clinically approved" in one["description"]
    text = json.dumps(exported.bundle).lower()
    for said in re.finditer(r"\bapproved|\bvalidated\b|\bcertified\b|\bendorsed\b", text):
        before = text[max(0, said.start() - 30) : said.start()]
        assert re.search(r"\b(not|no|nor|never)\b", before), text[said.start() - 60 : said.end() + 20]


def test_the_library_says_that_the_logic_runs_elsewhere(exported, knowledge):
    library = exported.of("Library")["foot-drop-logic"]
    assert "runs in the CDS Hooks service" in library["description"]
    assert "no CQL is executed" in library["description"]
    assert knowledge.fingerprint in library["description"]
    assert library["version"] == knowledge.fingerprint
    assert not any(content["contentType"].startswith("text/cql") for content in library["content"])


# ---- the same each time


def test_two_exports_are_the_same(exported):
    assert json.dumps(export_knowledge(CARDS, BASE)) == json.dumps(exported.bundle)


def test_the_date_is_the_newest_of_the_knowledge_and_not_today(exported, knowledge):
    newest = max(parameter.date for parameter in knowledge.names.parameters.values())
    assert {one["date"] for one in exported.resources} == {newest.isoformat()}


def test_another_address_moves_everything_but_the_code_systems(exported):
    moved = export_knowledge(CARDS, "https://hospital.example.org/r4/")
    for entry, before in zip(moved["entry"], exported.bundle["entry"], strict=True):
        one = entry["resource"]
        assert entry["fullUrl"].startswith("https://hospital.example.org/r4/")
        if one["resourceType"] == "CodeSystem":  # the cards on the wire carry these
            assert one["url"] == before["resource"]["url"]
        else:
            assert one["url"] == entry["fullUrl"]


@pytest.mark.parametrize(
    "address", ["", "foot-drop", "ftp://x.example", "https://x.example/a|1", "https://x.example?a=b"]
)
def test_an_address_that_cannot_stand_before_an_id_is_refused(address):
    with pytest.raises(ExportError, match="base URL"):
        export_knowledge(CARDS, address)


def test_a_name_too_long_for_an_id_is_cut_and_stays_its_own():
    one, other = resource_id("a long name " * 9 + "one"), resource_id("a long name " * 9 + "two")
    assert len(one) == len(other) == 64
    assert one != other
    assert resource_id("10-g monofilament") == "10-g-monofilament"
    assert machine_name("10-g-monofilament") == "FootDrop_10_g_monofilament"


def test_exporting_needs_no_fhir_library():
    code = (
        "import sys; from pathlib import Path; from cds_service.fhir.export.bundle import export_knowledge;"
        f"export_knowledge(Path({str(CARDS)!r}), {BASE!r});"
        "print([m for m in sys.modules if m.split('.')[0] in ('fhir', 'fhir_core', 'fhirkit')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CARDS.parent)
    assert done.stdout.strip() == "[]"
