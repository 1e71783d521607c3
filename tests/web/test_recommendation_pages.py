"""The page of a recommendation says what runs, all of it, and nothing beside it."""

import datetime as dt
import json

import pytest

from cds_service.knowledge.prefetch import criteria_behind
from cds_service.web.parts import NOT_APPROVED
from tests.web.world import TODAY, changed, html_of, knowledge, read, written

RECOMMENDATIONS = [recommendation.id for recommendation in knowledge().recommendations]
AFO = "recommendations/orthosis/offer-an-orthosis.yaml"


def of(recommendation_id):
    return next(r for r in knowledge().recommendations if r.id == recommendation_id)


def squeeze(text):
    return " ".join(text.split())


@pytest.mark.parametrize("name", RECOMMENDATIONS)
def test_every_recommendation_has_a_page_that_says_it_is_a_draft(name):
    page = read(f"{name}.html")
    assert page.text.startswith(f"{name} {squeeze(of(name).title)}")
    assert page.text.count(NOT_APPROVED) == 2
    assert knowledge().fingerprint in page.text
    assert f"version {of(name).stewardship.version}" in page.text


@pytest.mark.parametrize("name", RECOMMENDATIONS)
def test_the_page_has_the_words_of_the_card_with_its_slots_in_brackets(name):
    page, it = read(f"{name}.html"), of(name)
    filled = {slot: f"[{slot}]" for slot in ("side", "found", "draft", "missing")}
    filled |= {slot.name: slot.fixed or f"[{slot.name}]" for slot in it.slots.values()}
    assert squeeze(it.summary.format_map(filled)) in page.text
    for offered in it.suggestions:
        assert squeeze(offered.label.format_map(filled)) in page.text
        assert squeeze(offered.unsettled_because) in page.text
    for reason in it.override_reasons:
        assert squeeze(reason.display) in page.text


def test_the_page_says_which_reasons_lead_to_an_offer_to_correct_the_record():
    page = read("FD-AFO-01.html").text
    assert "not recorded here; a later call offers to record the orthosis that the patient already has" in page
    assert page.count("a later call offers") == 1
    tests = read("FD-EDX-01.html").text
    assert f"offers to record what was done elsewhere, with its date, for: {of('FD-EDX-01').title}" in tests


def test_the_page_promises_no_offer_where_the_recommendation_speaks_only_while_orders_are_made():
    assert "a later call offers" not in read("FD-FES-02.html").text


@pytest.mark.parametrize("name", RECOMMENDATIONS)
def test_the_page_names_every_value_set_that_a_criterion_asks_for(name):
    text = read(f"{name}.html").text
    asked = {c for criterion in criteria_behind(of(name)) for c in getattr(criterion, "concepts", ())}
    assert [concept for concept in asked if concept not in text] == []


@pytest.mark.parametrize("name", RECOMMENDATIONS)
def test_the_page_unfolds_every_definition_that_it_names_once(name):
    page = read(f"{name}.html")
    unfolded = [anchor for anchor in page.ids if anchor.startswith("definition-")]
    named = {link[1:] for link in page.links if link.startswith("#definition-")}
    assert named <= set(unfolded)
    assert len(set(unfolded)) == len(unfolded)


@pytest.mark.parametrize("name", RECOMMENDATIONS)
def test_the_page_has_evidence_with_strength_quality_and_a_link(name):
    page, it = read(f"{name}.html"), of(name)
    assert squeeze(it.strength) in page.text
    for cited in it.evidence:
        source = knowledge().evidence[cited]
        assert squeeze(source.citation) in page.text
        assert f"quality {source.quality}" in page.text
        assert source.url is None or source.url in page.links


@pytest.mark.parametrize("name", RECOMMENDATIONS)
def test_the_page_says_what_each_order_is_filed_as(name):
    page = read(f"{name}.html")
    for offered in of(name).suggestions:
        for action in offered.actions:
            if action.orderable:
                assert squeeze(action.orderable.text) in page.text
                assert all(coding.code in page.text for coding in action.orderable.codings)


@pytest.mark.parametrize("name", RECOMMENDATIONS)
def test_the_page_tells_its_cases_and_shows_one_of_the_cards(name):
    data = json.loads(written()[f"{name}.json"].body)
    assert data["cases"]
    assert {case["expected"] for case in data["cases"]} - {"silent", "refused"}
    example = data["example"]
    page = read(f"{name}.html")
    assert squeeze(example["summary"]) in page.text
    assert squeeze(example["case"]) in page.text


def test_a_changed_criterion_changes_the_page(tmp_path):
    more = ("  - condition: not walking\n", "  - condition: not walking\n    recorded within: fall history\n")
    page = html_of(changed(tmp_path, window=(AFO, *more)), "FD-AFO-01")
    assert "not walking, begun or recorded within the last 365 days" in page.text
    assert "not walking, begun or recorded" not in read("FD-AFO-01.html").text


def test_a_changed_threshold_changes_the_page_where_it_is_used(tmp_path):
    change = ("parameters.yaml", '{value: 30, unit: days, means: "A normal', '{value: 31, unit: days, means: "A normal')
    page = html_of(changed(tmp_path, window=change), "FD-AFO-01")
    assert "exactly MRC grade 5, within the last 31 days" in page.text


def test_a_changed_definition_changes_the_page(tmp_path):
    says = ("says: A lesion of the L5 root,", "says: Another sentence; a lesion of the L5 root,")
    part = "      - condition: lumbosacral plexopathy\n"
    pages = changed(
        tmp_path,
        says=("definitions.yaml", *says),
        part=("definitions.yaml", part, f"      - age: {{at least: adult age}}\n{part}"),
    )
    text = html_of(pages, "FD-IMG-01").text
    assert "lumbar site to image: Another sentence; a lesion of the L5 root" in text
    assert "Age at least 16 years" in text
    assert "Age at least 16 years" not in read("FD-IMG-01.html").text


def test_a_dropped_exclusion_is_gone_from_the_page(tmp_path):
    page = html_of(changed(tmp_path, drop=(AFO, "  - condition: not walking\n", "")), "FD-AFO-01")
    assert "not walking" not in page.text


def test_every_criterion_is_put_into_words():
    """No line falls back to the author's own notation, which sets its parts apart by a dot."""
    for name in RECOMMENDATIONS:
        body = written()[f"{name}.json"].body
        assert " · " not in body, name
        assert '"text": ""' not in body, name


def test_thresholds_stand_with_value_meaning_and_citation():
    data = json.loads(written()["FD-EDX-01.json"].body)
    window = next(p for p in data["parameters"] if p["name"] == "early electrodiagnostics window")
    entry = knowledge().names.parameters[window["name"]]
    assert window["value"] == f"{entry.value} days"
    assert (window["means"], window["citation"]) == (entry.means, entry.citation)
    assert "parameter-early-electrodiagnostics-window" in read("FD-EDX-01.html").ids


def test_the_page_says_that_review_is_overdue_once_its_day_has_passed(tmp_path):
    due = of("FD-AFO-01").stewardship.next_review_date
    pages = changed(tmp_path)
    assert "overdue" not in html_of(pages, "FD-AFO-01", due).text
    late = html_of(pages, "FD-AFO-01", due + dt.timedelta(days=1))
    assert f"Review is overdue: it was due on {due.isoformat()}." in late.text
    assert "overdue" not in html_of(pages, "FD-AFO-01", due).text, "a page kept for another day"


def test_only_the_date_of_birth_is_used_of_the_demographic_attributes():
    answers = {}
    for name in RECOMMENDATIONS:
        for attribute in json.loads(written()[f"{name}.json"].body)["attributes"]:
            answers.setdefault(attribute["says"], {})[name] = attribute["answer"]
    demographic = ("race", "ethnicity", "language", "sexual orientation", "gender identity", "sex")
    for word in demographic:
        assert {tuple(a) for a in answers[f"Use of {word}"].values()} == {("Not used.",)}
    used = {name for name, answer in answers["Use of date of birth"].items() if answer != ["Not used."]}
    assert "FD-EDX-01" in used, "for adults only"
    assert "FD-RF-01" not in used
    health = answers["Use of health status assessments data"]
    assert health["FD-FES-01"] == ["Used where recorded as: pregnancy, not walking."]
    assert health["FD-RF-01"] == ["Not used."]


def test_the_source_attributes_say_that_compliance_has_to_check_them():
    text = read("FD-AFO-01.html").text
    assert "To be checked by compliance." in text
    assert "None stated." in text


def test_a_need_says_what_happens_where_it_cannot_be_read():
    needs = {n["words"]: n for n in json.loads(written()["FD-AFO-01.json"].body)["needs"]}
    assert needs["device orders"]["when_not_read"] == "The card is shown and says what was not seen."
    assert "no card" in needs["problems and diagnoses"]["when_not_read"]
    flag = {n["words"]: n for n in json.loads(written()["FD-RF-06.json"].body)["needs"]}
    assert flag["patient details"]["when_not_read"] == "The card is shown nonetheless."


def test_html_and_json_say_the_same():
    """Every text of the JSON stands on the page; values that are codes for machines apart."""
    for name in RECOMMENDATIONS:
        page = read(f"{name}.html")
        data = json.loads(written()[f"{name}.json"].body)
        for line in lines_in(data.get("when", [])) | lines_in(data.get("unless", [])) | lines_in(data["gates"]):
            assert line.rstrip(":") in page.text, (name, line)
        told = [c["case"] for c in data["cases"]] + [e["says"] for e in data["evidence"]]
        told += [n["words"] for n in data["needs"]] + [p["means"] for p in data.get("parameters", [])]
        told += [a["says"] for a in data["attributes"]]
        for text in told:
            assert squeeze(text) in page.text, (name, text)


def lines_in(lines):
    found = {squeeze(line["text"]) for line in lines}
    return found.union(*(lines_in(line.get("parts", [])) for line in lines)) if lines else found


def test_a_page_has_a_place_to_sign():
    page = read("FD-SURG-01.html")
    assert "Name Role Approved, with changes, rejected Date Signature" in page.text.split("Sign-off")[-1]
    assert TODAY.isoformat() in page.text
