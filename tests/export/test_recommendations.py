"""A PlanDefinition says what its recommendation does, and no engine takes it for something it can run."""

import datetime as dt
from dataclasses import replace

import pytest

from cds_service.domain.recommendations import Offer
from cds_service.fhir.export.bundle import ExportError, bundle, newest_date
from cds_service.fhir.export.edition import Edition, resource_id
from tests.export.conftest import BASE, Exported, everywhere
from tests.fhir.validation import complaints


@pytest.fixture(scope="session")
def pairs(exported, knowledge):
    plans = exported.of("PlanDefinition")
    return [(one, plans[one.id], plans[one.id]["action"][0]) for one in knowledge.recommendations]


def test_every_cited_source_is_a_citation(pairs, knowledge):
    for one, plan, _ in pairs:
        cited = {a["label"]: a for a in plan["relatedArtifact"] if a["type"] == "citation"}
        assert set(one.evidence) <= set(cited)
        for name, artifact in cited.items():
            source = knowledge.evidence[name]
            assert artifact["citation"].startswith(source.citation)
            assert artifact["display"] == source.says
            assert artifact.get("url") == source.url


def test_the_quality_of_evidence_is_called_our_own_appraisal(pairs, knowledge):
    """R4 allows both extensions on an Attachment only."""
    for _, plan, _ in pairs:
        for artifact in plan["relatedArtifact"]:
            (found,) = artifact["document"]["extension"]
            if artifact["type"] == "citation":
                quality = knowledge.evidence[artifact["label"]].quality
                assert found["url"].endswith("cqf-qualityOfEvidence")
                assert found["valueCodeableConcept"]["coding"][0]["code"] == quality.replace(" ", "-")
                assert "not formal GRADE" in found["valueCodeableConcept"]["text"]
            else:
                assert found["url"].endswith("cqf-strengthOfRecommendation")


def test_the_strength_stands_in_the_files_own_words(pairs):
    for one, plan, _ in pairs:
        (strength,) = [a for a in plan["relatedArtifact"] if a["type"] == "justification"]
        assert strength["display"] == one.strength


def test_every_hook_is_a_trigger(pairs):
    for one, _, card in pairs:
        assert card["trigger"] == [{"type": "named-event", "name": hook} for hook in sorted(one.hooks)]


def test_every_criterion_is_a_condition(pairs):
    for one, _, card in pairs:
        texts = [condition["expression"]["expression"] for condition in card["condition"]]
        assert len(texts) == len(one.when.parts()) + len(one.gates) + len(one.unless)
        for part in one.when.parts():
            assert any(part.text in text for text in texts[: len(one.when.parts())])
        for gate in one.gates:
            assert any(text.startswith("none of:") and gate.text in text for text in texts)
        for exclusion in one.unless:
            assert any(text.startswith("none of:") and exclusion.criterion.text in text for text in texts)


def test_a_condition_has_text_but_no_language_that_an_engine_could_run(exported):
    """With a language an engine would try; without an expression it would take the condition for met."""
    checked = 0
    for element in everywhere(exported.bundle):
        if element.get("kind") == "applicability":
            checked += 1
            expression = element["expression"]
            assert expression["expression"].strip()
            assert "language" not in expression
            assert expression["_language"]["extension"][0]["valueCode"] == "not-applicable"
            assert "not executable" in expression["description"]
    assert checked


def test_every_suggestion_is_a_nested_action_with_all_its_changes(pairs):
    for one, _, card in pairs:
        offered = card.get("action", [])
        assert [a["title"] for a in offered] == [s.label for s in one.suggestions]
        assert card.get("selectionBehavior") == (
            None if not offered else "any" if one.select_any else "at-most-one"
        )  # fmt: skip
        for action, suggestion in zip(offered, one.suggestions, strict=True):
            assert len(action["action"]) == len(suggestion.actions)
            assert ("condition" in action) == (suggestion.when is not None)


def test_what_is_ordered_is_named_by_its_activity_definition(pairs, exported):
    known = exported.by_canonical()
    for one, _, card in pairs:
        changes = [c for a in card.get("action", []) for c in a["action"]]
        for change, action in zip(changes, (a for s in one.suggestions for a in s.actions), strict=True):
            orderable = action.orderable or action.new_code
            if orderable:
                assert known[change["definitionCanonical"]]["id"] == resource_id(orderable.name)
            else:
                assert "definitionCanonical" not in change
            if action.offer is Offer.CREATE:
                assert change["priority"] == action.priority.name.lower()
                assert change["reason"][0]["text"]


def test_no_order_arrives_already_ticked(exported):
    assert not any("precheckBehavior" in element for element in everywhere(exported.bundle))


def test_orderables_are_proposals_that_never_forbid(exported, knowledge):
    for name, orderable in knowledge.names.orderables.items():
        one = exported.of("ActivityDefinition")[resource_id(name)]
        assert one["kind"] == orderable.resource
        assert one["intent"] == "proposal"
        assert "doNotPerform" not in one
        assert [(c["system"], c["code"]) for c in one["code"]["coding"]] == [
            (c.system, c.code) for c in orderable.codings
        ]
        assert ("bodySite" in one) == (orderable.body_site is not None)


def test_inputs_name_the_value_sets_that_the_triggers_ask_for(exported):
    asked = exported.of("PlanDefinition")["FD-AFO-01"]["action"][0]["input"]
    found = {
        (i["type"], f["valueSet"].rpartition("/")[2].partition("|")[0]) for i in asked for f in i.get("codeFilter", [])
    }
    assert ("Condition", "foot-drop") in found
    assert ("Observation", "ankle-dorsiflexion-strength") in found
    assert {"type": "Patient"} in asked


# ---- what the present knowledge does not hold yet


def exported_with(knowledge, **changes):
    """The knowledge with a first recommendation whose stewardship says something else."""
    first, *others = knowledge.recommendations
    changed = replace(first, stewardship=replace(first.stewardship, **changes))
    edition = Edition(replace(knowledge, recommendations=(changed, *others)), BASE, dt.date(2026, 11, 22))
    return Exported(bundle(edition)).of("PlanDefinition")[first.id]


def test_dates_and_reviewers_appear_when_given(knowledge):
    plan = exported_with(
        knowledge,
        status="active",
        version="1.0.0",
        reviewers=("A. Reviewer", "B. Reviewer"),
        approval_date=dt.date(2027, 1, 1),
        last_review_date=dt.date(2027, 1, 2),
        effective_from=dt.date(2027, 2, 1),
        effective_to=dt.date(2029, 2, 1),
    )
    assert plan["status"] == "active"
    assert plan["experimental"] is False
    assert plan["version"] == "1.0.0"
    assert plan["reviewer"] == [{"name": "A. Reviewer"}, {"name": "B. Reviewer"}]
    assert (plan["approvalDate"], plan["lastReviewDate"]) == ("2027-01-01", "2027-01-02")
    assert plan["effectivePeriod"] == {"start": "2027-02-01", "end": "2029-02-01"}
    assert complaints(plan) == []


def test_a_retired_recommendation_is_exported_as_retired(knowledge):
    assert exported_with(knowledge, status="retired")["status"] == "retired"


def test_the_newest_date_is_a_review_where_that_is_later(knowledge):
    first, *others = knowledge.recommendations
    reviewed = replace(first, stewardship=replace(first.stewardship, last_review_date=dt.date(2031, 5, 1)))
    assert newest_date(replace(knowledge, recommendations=(reviewed, *others))) == dt.date(2031, 5, 1)


def test_two_resources_of_one_name_are_refused(knowledge):
    first, second, *others = knowledge.recommendations
    twins = (first, replace(second, id=first.id.lower()), *others)
    with pytest.raises(ExportError, match="another name"):
        bundle(Edition(replace(knowledge, recommendations=twins), BASE, dt.date(2026, 11, 22)))
