"""The playground over HTTP: the call it makes, how it shows the answer, why it is so, and what changed."""

import ast
import datetime as dt
import json
import shutil
import subprocess

import pytest

from cds_service.examples import read_examples
from cds_service.knowledge.hook_call import resources_of
from tests.api.world import ROOT, wait_until
from tests.trust.registered import ADMIN, Secured
from tests.web.playground_world import bundle, faults, fired, foot_drop, patient, position, shown, text
from tests.web.world import Page

EXAMPLES = [example.name for example in read_examples()]
HOOKS = ("patient-view", "order-select", "order-sign", "encounter-discharge", "problem-list-item-create")
ORTHOSIS = {"orderable": "ankle-foot orthosis", "side": "right"}


def topics(one):
    return [card["source"]["topic"]["code"] for card in one.json["cards"]]


# ---- the page


def test_the_page_offers_every_example_hook_and_order_and_leads_to_the_other_pages(client):
    page = Page(client.get("/").text)
    values = {value for tag, name, value in page.attributes if name == "value"}
    assert page.faults == []
    assert {*EXAMPLES, *HOOKS, "ankle-foot orthosis", "RelatedPerson", "deviceUse"} <= values
    assert {"cards/index", "insight", "cds-services", "openapi.json"} <= set(page.links)
    assert "has not been clinically approved" in page.text


def test_the_page_runs_its_own_script_and_nothing_else(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert client.get("/playground/playground.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/playground/playground.css").headers["content-type"].startswith("text/css")
    assert not any(name == "style" or name.startswith("on") for _, name, _ in Page(answer.text).attributes)


def test_there_is_no_playground_where_clients_are_registered(tmp_path):
    served = Secured(tmp_path, "https://ehr.example.org/keys").http
    admin = {"authorization": f"Bearer {ADMIN}"}
    assert "the playground could not sign a token" in text(served.get("/", headers=admin).text)
    for path in ("/playground/request", "/playground/answer"):
        assert served.post(path, json={}, headers=admin).status_code == 404
        assert served.post(path, json={}).status_code == 401
    served.close()


# ---- the call


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_becomes_a_call_that_the_service_answers_and_the_page_shows(client, example):
    one = fired(client, example)
    parts = shown(client, one)
    assert one.status == 200
    assert all(card["summary"] in text(parts["cards"]) for card in one.json["cards"])
    assert parts["differences"] == parts["problems"] == ""
    assert text(parts["why"]).count("The whole recommendation") > 20


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_asked_at_its_own_service(client, hook):
    one = fired(client, "cauda-equina", hook)
    assert one.call["address"] == f"cds-services/foot-drop-{hook}"
    assert topics(one) == ["FD-RF-01"]
    assert one.request["context"]["encounterId"] == "cauda-equina-visit"


def test_a_pasted_record_is_asked_about(client):
    one = fired(client, "", record=bundle(patient(), foot_drop()))
    assert one.request["prefetch"]["conditions"]["entry"][0]["resource"] == foot_drop()
    assert "FD-AFO-01" in topics(one)
    assert "Foot drop, left foot" in text(shown(client, one)["timeline"])


def test_a_draft_is_criticised_only_where_it_is_selected(client):
    chosen = fired(client, "duplicate-orthosis", "order-select", drafts=[ORTHOSIS])
    other = fired(client, "duplicate-orthosis", "order-select", drafts=[ORTHOSIS | {"selected": False}])
    draft = chosen.request["context"]["draftOrders"]["entry"][0]["resource"]
    assert draft["parameter"][0]["valueCodeableConcept"]["coding"][0]["display"].startswith("Right")
    assert chosen.request["context"]["selections"] == ["DeviceRequest/draft-1"]
    assert other.request["context"]["selections"] == []
    assert topics(chosen)
    assert topics(other) == []
    assert "(DeviceRequest/draft-1)" in text(shown(client, chosen)["why"])


def test_a_patient_who_looks_is_offered_no_order(client):
    clinician, reader = fired(client), fired(client, user="Patient")
    assert reader.request["context"]["userId"] == "Patient/peroneal-palsy"
    assert any("suggestions" in card for card in clinician.json["cards"])
    assert not any("suggestions" in card for card in reader.json["cards"])


def test_the_call_can_be_taken_along(client):
    one = fired(client)
    program = ast.parse(one.call["python"])
    texts = [node.value for node in ast.walk(program) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert one.call["request"] in texts
    assert f"http://127.0.0.1:8080/{one.call['address']}" in texts
    assert one.call["sandbox"] == (
        "https://sandbox.cds-hooks.org/?serviceDiscoveryURL=http%3A%2F%2F127.0.0.1%3A8080%2Fcds-services&hook=patient-view"
        "&fhirServiceUrl=http%3A%2F%2F127.0.0.1%3A8090%2Ffhir&patientId=peroneal-palsy"
    )
    own = fired(client, "", record=bundle(patient(), foot_drop())).call["sandbox"]
    assert own.endswith("cds-services&hook=patient-view")


def test_what_stands_in_a_record_cannot_leave_the_text_of_a_command(client, tmp_path):
    escape = '\'; touch here; echo \'$(touch here)`touch here`"""\nEND_OF_REQUEST\ntouch here\n'
    one = fired(client, "", record=bundle(patient(name=[{"family": escape}])))
    ran = "curl() { cat; }; " + one.call["curl"]
    said = subprocess.run(["sh", "-c", ran], cwd=tmp_path, capture_output=True, check=True)  # ours
    assert json.loads(said.stdout) == one.request
    assert list(tmp_path.iterdir()) == []
    ast.parse(one.call["python"])


# ---- the answer


def test_a_card_is_shown_with_all_that_can_be_done_with_it(client):
    one = fired(client)
    card = one.json["cards"][0]
    page = Page(shown(client, one)["cards"])
    values = {value for _, _, value in page.attributes}
    assert card["source"]["label"] in page.text
    assert {card["uuid"], card["source"]["url"], *(one["uuid"] for one in card["suggestions"])} <= values
    assert {reason["code"] for reason in card["overrideReasons"]} <= values
    assert {link["url"] for link in card["links"]} <= set(page.links)
    assert '"resourceType": "DeviceRequest"' in page.text
    assert "Found: Foot drop" in page.text  # the Markdown was rendered


def test_nothing_to_recommend_a_refusal_and_partial_data_are_told_apart(client):
    nothing = shown(client, fired(client, "nothing-of-ours"))
    partial = shown(client, fired(client, "nothing-of-ours", unsent=["serviceRequests", "observations"]))
    refused = fired(client, "nothing-of-ours", unsent=["conditions"])
    told = shown(client, refused)
    assert nothing["said"] == "Nothing to recommend."
    assert partial["said"] == "No card, on partial data."
    assert "orders and referrals: the record system did not send it" in text(partial["cards"])
    assert refused.status == 412
    assert "not “nothing to recommend”" in told["said"]
    assert refused.json["issue"][0]["diagnostics"] in text(told["cards"])
    assert "Not read: problems and diagnoses" in text(told["why"])


def test_somebody_elses_resource_is_refused_and_nothing_is_judged(client):
    one = fired(client, "", record=bundle(patient(), foot_drop(subject={"reference": "Patient/other"})))
    parts = shown(client, one)
    assert one.status == 400
    assert "another patient" in text(parts["cards"])
    assert text(parts["why"]).startswith("Nothing was judged")
    assert text(parts["timeline"]).startswith("Nothing was judged")


def test_an_answer_that_the_standard_does_not_know_is_said_to_be_none(client):
    one = fired(client)
    for response in ("<html>", "[]", '{"cards": 1}', '{"cards":[{"summary":""}]}'):
        one.answered["response"] = response
        assert shown(client, one)["said"].startswith("What came back is no answer")


# ---- why


def test_why_shows_met_not_met_and_unknown_with_the_record_and_the_threshold_behind_it(client):
    parts = shown(client, fired(client, unsent=["deviceUse"]))
    page = Page(parts["why"])
    assert {"truth met", "truth not-met", "truth unknown"} <= {
        value for _, name, value in page.attributes if name == "class"
    }
    assert "ICD-10-CM M21.371 in Condition/peroneal-palsy-foot-drop" in page.text
    assert "Not read: devices in use" in page.text
    assert "Judged for right: stands." in page.text
    assert {"cards/FD-AFO-01", "cards/FD-AFO-01#parameter-strength-look-back"} <= set(page.links)
    assert any(link.startswith("cards/index.html#e") for link in page.links)
    assert all(client.get(f"/{link.partition('#')[0]}").status_code == 200 for link in set(page.links))


def test_why_says_how_each_recommendation_came_out(client):
    folded = shown(client, fired(client, "diabetes-unexplained"))["why"]
    silenced = shown(client, fired(client, "cauda-equina"))["why"]
    assert "It stands on the card that lists the rest." in text(folded)
    assert "a critical red flag silences it" in text(silenced)
    assert "It does not apply. Not met:" in text(folded)


def test_a_card_that_was_dismissed_is_quiet_and_why_says_so(client):
    own = bundle(patient(id="quiet"), foot_drop(subject={"reference": "Patient/quiet"}))
    first = fired(client, "", record=own)
    card = first.json["cards"][0]
    reason = {"reason": card["overrideReasons"][0]}
    report = {"card": card["uuid"], "outcome": "overridden", "overrideReason": reason}
    report["outcomeTimestamp"] = "2026-11-22T12:00:00Z"
    assert client.post(f"/{first.call['address']}/feedback", json={"feedback": [report]}).status_code == 200
    wait_until(lambda: topics(first)[0] not in topics(fired(client, "", record=own)), "the dismissal to count")
    assert "quiet for this patient because it was dismissed" in text(
        shown(client, fired(client, "", record=own))["why"]
    )
    assert topics(fired(client, "", record=own, alias="other")) == topics(first)


def test_a_side_of_which_nothing_is_known_is_said_to_be_left_open(client):
    parts = shown(client, fired(client, "nothing-of-ours", unsent=["observations"]))
    assert "Not known whether it is about" in text(parts["why"])


def test_the_time_line_is_a_table_by_side(client):
    parts = shown(client, fired(client, "untreated-cidp"))
    page = Page(parts["timeline"])
    assert (
        page.text.index("When Right Left")
        < page.text.index("Foot drop, right foot")
        < page.text.index("side not stated")
    )
    assert [value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")][:3] == ["col"] * 3


# ---- what changes


def test_a_device_that_is_no_longer_used_brings_the_card_back_and_restoring_takes_it_away(client):
    first = fired(client, "duplicate-orthosis")
    stopped = fired(
        client, "duplicate-orthosis", changes=[{"at": position(first, "DeviceUseStatement"), "to": "stopped"}]
    )
    restored = fired(client, "duplicate-orthosis")
    came, went = shown(client, stopped, first)["differences"], shown(client, restored, stopped)["differences"]
    assert "FD-AFO-01" not in topics(first) + topics(restored)
    assert "FD-AFO-01" in topics(stopped)
    assert text(came).startswith("Cards new FD-AFO-01")
    assert "Device in use, on that side: ankle-foot orthosis" in text(came)
    assert "In FD-AFO-01 (right)." in text(came)
    assert text(went).startswith("Cards gone FD-AFO-01")


def test_a_condition_is_resolved_or_left_out(client):
    first = fired(client)
    place = position(first, "Condition")
    resolved = fired(client, changes=[{"at": place, "to": "resolved"}])
    left_out = fired(client, changes=[{"at": place, "to": "(removed)"}])
    sent = [c["resource"] for c in resolved.request["prefetch"]["conditions"]["entry"]]
    assert sent[0]["clinicalStatus"]["coding"][0]["code"] == "resolved"
    assert len(left_out.request["prefetch"]["conditions"]["entry"]) == len(sent) - 1
    assert 'value="resolved" selected' in resolved.call["record"]


def test_the_same_call_again_says_that_nothing_changed(client):
    first, second = fired(client), fired(client)
    said = text(shown(client, second, first)["differences"])
    assert "The same cards, in the same words." in said
    assert "No criterion changed its answer." in said


def test_a_refusal_after_an_answer_says_which_cards_are_gone(client):
    said = text(shown(client, fired(client, unsent=["patient"]), fired(client))["differences"])
    assert "The call was refused" in said
    assert "gone FD-AFO-01" in said


# ---- what is wrong with the knowledge


def test_mistakes_on_disk_are_told_on_the_page_and_with_every_answer(tmp_path, client_with):
    cards = shutil.copytree(ROOT / "cards", tmp_path / "cards")
    client = client_with(cards_dir=cards, development=True)
    one = fired(client)
    assert shown(client, one)["problems"] == ""
    file = cards / "parameters.yaml"
    said = file.read_text(encoding="utf-8")
    file.write_text(f"{said}\n<b>: 1\n", encoding="utf-8")
    told = shown(client, one)["problems"]
    assert "goes on answering with the knowledge from before" in text(told)
    assert "parameters.yaml:" in text(told)
    assert "<b>" in text(told)
    assert "parameters.yaml:" in client.get("/").text
    file.write_text(said, encoding="utf-8")
    assert shown(client, one)["problems"] == ""


def test_records_of_examples_have_their_dates_as_they_are_now(client, clock):
    clock.at += dt.timedelta(days=400)
    onset = fired(client).request["prefetch"]["conditions"]["entry"][0]["resource"]["onsetDateTime"]
    assert onset > "2027-11"
    assert resources_of({"resourceType": "Bundle", "entry": "none"}) == []
    assert faults(client.get("/").text) == []
