"""The example patients: an index that agrees with the files, valid FHIR, no loose end, no fixed date, known codes."""

import json
import re
from functools import cache

import pytest

from cds_service.examples import fill_all, read_examples
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from fhir_examples.golden import FOLDER, golden_calls
from fhir_examples.readme import README, with_tables
from fhir_examples.search import SEARCHES
from tests.conftest import NOON
from tests.fhir.validation import complaints

EXAMPLES = read_examples()
CALLS = golden_calls()
BESIDE_OUR_SUBJECT = {  # what a record holds too, and no value set has
    ("http://hl7.org/fhir/sid/icd-10-cm", "I10"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "J45.909"),
    ("http://snomed.info/sct", "80146002"),
    ("http://snomed.info/sct", "609588000"),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", "318272"),
}


def records(example):
    return [entry["resource"] for entry in example.bundle(NOON)["entry"]]


def every(name, value):
    """Each value of a member of this name, at any depth."""
    if isinstance(value, dict):
        yield from ([value[name]] if name in value else [])
        for inner in value.values():
            yield from every(name, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from every(name, inner)


each_patient = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


def test_the_index_names_each_file_once_and_says_what_it_shows():
    assert sorted(example.name for example in EXAMPLES) == sorted(file.stem for file in FOLDER.glob("patients/*.json"))
    assert {example.shows for example in EXAMPLES} == {"cause", "near miss", "red flag", "treated", "nothing"}
    for example in EXAMPLES:
        assert example.about.endswith(".")
        assert not example.title.endswith(".")


def test_the_tables_of_the_readme_are_made_from_the_index_and_the_calls():
    text = README.read_text(encoding="utf-8")
    assert with_tables(text) == text  # else: python -m fhir_examples.demo --update
    for example in EXAMPLES:
        assert example.about in text
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        assert (README.parent / link).exists(), link


def test_each_patient_is_asked_about_in_a_golden_call():
    assert {call.data["patient"] for call in CALLS} == {example.name for example in EXAMPLES}


@each_patient
def test_a_patient_is_a_simple_set_of_valid_resources(example):
    patient, *others = records(example)
    assert (patient["resourceType"], patient["id"]) == ("Patient", example.name)
    assert {other["resourceType"] for other in others} <= set(SEARCHES)
    assert sum(other["resourceType"] == "Encounter" for other in others) == 1
    for other in others:
        owner = other.get("subject") or other["patient"]
        assert owner == {"reference": f"Patient/{example.name}"}
    assert [complaint for one in (patient, *others) for complaint in complaints(one)] == []


def test_drafts_are_valid_resources_with_the_status_of_a_draft():
    for call in CALLS:
        for draft in fill_all(call.data.get("drafts", []), NOON):
            assert draft["status"] == "draft"
            assert complaints(draft) == [], call.file.name


@each_patient
def test_references_of_a_patient_and_of_the_drafts_lead_to_something_in_the_record(example):
    record = records(example)
    there = {f"{one['resourceType']}/{one['id']}" for one in record}
    contained = {f"#{one['id']}" for resource in record for one in resource.get("contained", [])}
    drafts = [call.data.get("drafts", []) for call in CALLS if call.data["patient"] == example.name]
    assert set(every("reference", [record, drafts])) <= there | contained


def test_no_two_resources_share_an_id_so_that_one_server_can_have_them_all():
    ids = [one["id"] for example in EXAMPLES for one in records(example)]
    assert len(ids) == len(set(ids))
    assert [id_ for id_ in ids if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", id_)] == []


@each_patient
def test_no_date_is_fixed_and_nobody_has_a_name_of_a_person(example):
    assert re.findall(r"\d{4}-\d\d", example.file.read_text(encoding="utf-8")) == []
    patient = records(example)[0]
    assert [name["family"] for name in patient["name"]] == ["Sample"]
    assert set(patient) == {"resourceType", "id", "name", "gender", "birthDate"}


@cache
def known():
    return load_knowledge(Settings().cards_dir).vocabulary.table


def test_codes_are_those_that_the_knowledge_knows_but_for_a_few_beside_its_subject():
    codings = set()
    for story in [*(records(example) for example in EXAMPLES), *(call.data.get("drafts", []) for call in CALLS)]:
        for ones in every("coding", story):
            codings |= {(one["system"], one["code"]) for one in ones}
    clinical = {one for one in codings if "terminology.hl7.org" not in one[0]}
    assert {(system, code) for system, code in clinical if not known().look_up(system, code)} == BESIDE_OUR_SUBJECT


def test_the_readme_lists_the_recommendations_that_no_example_shows(client_with):
    client = client_with(max_cards=0)  # nothing is folded
    topics = set()
    for call in CALLS:
        if call.data["status"] == 200:
            answer = client.post(call.path, json=call.request(NOON)).json()
            topics |= {card["source"]["topic"]["code"] for card in answer["cards"]}
    listed = set(re.findall(r"^\| (FD-[A-Z]+-\d\d), ", README.read_text(encoding="utf-8"), re.MULTILINE))
    everything = {one.id for one in load_knowledge(Settings().cards_dir).recommendations}
    assert listed == everything - topics
    assert len(everything & topics) == 26


def test_call_files_hold_no_request_and_no_fixed_date():
    for call in CALLS:
        assert set(call.data) <= {"about", "patient", "hook", "created", "drafts", "unread", "status", "response"}
        assert re.findall(r"\d{4}-\d\d-\d\d", json.dumps(call.data)) == [], call.file.name
