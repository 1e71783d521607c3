"""Valid calls, broken at random: never a fault of ours, never silence for a broken call, never another's record."""

import copy
import functools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.world import PATIENT, call, condition, every_hook, foot_drop, orthosis, path_of, with_context

STRANGER = "pat-of-somebody-else"
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o-1",
    "status": "final",
    "code": {
        "coding": [
            {
                "system": "https://foot-drop-cds.example.org/fhir/CodeSystem/bedside-findings",
                "code": "ankle-dorsiflexion-mrc-grade",
            }
        ]
    },
    "valueInteger": 2,
    "effectiveDateTime": "2026-11-20T08:00:00Z",
    "subject": {"reference": f"Patient/{PATIENT}"},
}
PROCEDURE = {
    "resourceType": "Procedure",
    "id": "p-1",
    "status": "completed",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "609588000"}]},
    "performedPeriod": {"start": "2026-11-16", "end": "2026-11-16"},
    "subject": {"reference": f"Patient/{PATIENT}"},
}
REQUIRED = {  # what every call must have, and whether a value will do
    "hook": lambda value: value in every_hook(),
    "hookInstance": lambda value: isinstance(value, str) and bool(value.strip()),
    "context": lambda value: isinstance(value, dict) and all(isinstance(value.get(name), str) for name in IDS),
}
IDS = ("userId", "patientId")


def originals():
    """One call for each hook, with records of several types about one patient."""
    records = (foot_drop(), condition("E11.42", name="c-2"), orthosis("order-1", "active"), OBSERVATION, PROCEDURE)
    for hook in every_hook():
        drafts = [orthosis(), orthosis("draft-2")] if hook.startswith("order-") else []
        resources = [one for one in records if one["resourceType"] == "Condition"] if "problem" in hook else records
        yield call(hook, *resources, drafts=drafts, fhirServer="https://ehr.example/fhir")


ORIGINALS = list(originals())

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 2**63, 1e308, 0.1])
    | st.text(max_size=12)
    | st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "\u202e",
            "😀" * 40,
            "a" * 5000,
            "<script>",
            "{side}",
            f"Patient/{STRANGER}",
            STRANGER,
            "Patient/",
            "#d",
            "urn:uuid:0",
            "https://ehr.example/fhir/Patient/1",
            "0000-00-00",
            "2026-02-30",
            "9999-12-31T23:59:60+14:00",
            "2026-11-22T12:00:00",
            "draft",
            "entered-in-error",
            "Bundle",
            "Patient",
            "OperationOutcome",
            "http://snomed.info/sct",
        ]
    )
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "id", "code"]), inner, max_size=2)
    ),
)


def deep(levels):
    return functools.reduce(lambda inner, _: [inner] if levels % 2 else {"extension": inner}, range(levels), "x")


def places(value, path=()):
    """Every place in a JSON value but its root."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield (*path, key)
        yield from places(inner, (*path, key))


def holder(root, path):
    return functools.reduce(lambda value, key: value[key], path[:-1], root)


@st.composite
def broken_calls(draw):
    """The hook of a valid call, and the call with one to four changes."""
    made = copy.deepcopy(draw(st.sampled_from(ORIGINALS)))
    hook = made["hook"]
    for _ in range(draw(st.integers(1, 4))):
        if there := list(places(made)):
            path = draw(st.sampled_from(there))
            change = draw(st.sampled_from(CHANGES))
            change(draw, made, holder(made, path), path[-1])
    return hook, made


def drop(draw, made, inside, key):  # noqa: ARG001  # changes have one signature
    del inside[key]


def replace(draw, made, inside, key):  # noqa: ARG001
    inside[key] = draw(values)


def nullify(draw, made, inside, key):  # noqa: ARG001
    inside[key] = None


def wrap(draw, made, inside, key):  # noqa: ARG001
    inside[key] = [inside[key]]


def duplicate(draw, made, inside, key):  # noqa: ARG001
    if isinstance(inside, list):
        inside.append(copy.deepcopy(inside[key]))


def deepen(draw, made, inside, key):  # noqa: ARG001
    inside[key] = deep(draw(st.sampled_from([5, 60, 400])))


def swap(draw, made, inside, key):
    other = draw(st.sampled_from(list(places(made))))
    inside[key] = copy.deepcopy(functools.reduce(lambda value, part: value[part], other, made))


def estrange(draw, made, inside, key):  # noqa: ARG001
    if isinstance(inside, dict):
        inside["subject"] = {"reference": f"Patient/{STRANGER}"}


CHANGES = (drop, replace, nullify, wrap, duplicate, deepen, swap, estrange)


def asked_about(context):
    """The patient of a context as far as this reading goes."""
    return str(context["patientId"]).removeprefix("Patient/")


def check(client, hook, made):
    body = json.dumps(made).encode()
    answer = client.post(path_of(hook), content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400, 412, 413), answer.text
    if answer.status_code != 200:
        assert answer.json()["issue"][0]["diagnostics"]
        return
    assert all(is_right(made.get(name)) for name, is_right in REQUIRED.items()), "a broken call was answered"
    for resource in created(answer.json()):
        assert resource["subject"] == {"reference": f"Patient/{asked_about(made['context'])}"}
    assert not list(strangers(made)), "another patient's record was used"


KNOWN = ("Condition", "Observation", "Procedure", "DeviceRequest")


def strangers(made):
    """The resources of a call that plainly name somebody else, by a reading that shares no code with the service."""
    context = made["context"]
    for bundle in [context.get("draftOrders"), context.get("conditions"), *(made.get("prefetch") or {}).values()]:
        for resource in entries(bundle):
            named = resource.get("subject") == {"reference": f"Patient/{STRANGER}"}
            if named and resource.get("resourceType") in KNOWN and asked_about(context) != STRANGER:
                yield resource


def entries(bundle):
    """The resources of what is, as far as its form goes, a Bundle."""
    listed = bundle.get("entry") if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle" else None
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield entry["resource"]


def created(answer):
    for card in answer["cards"]:
        for suggestion in card.get("suggestions", []):
            yield from (one["resource"] for one in suggestion["actions"] if one["type"] == "create")


def fuzz(examples):
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=quiet)


@pytest.mark.norm("RSP-5", "RSP-6")
@fuzz(50)
@given(broken_calls())
def test_a_broken_call_is_answered_or_refused_but_never_a_fault(client, broken):
    check(client, *broken)


@pytest.mark.soak
@fuzz(2000)
@given(broken_calls())
def test_two_thousand_broken_calls_are_answered_or_refused_but_never_a_fault(client, broken):
    check(client, *broken)


@st.composite
def calls_with_a_strangers_record(draw):
    """A valid call in which some resources, at least one, belong to somebody else."""
    made = copy.deepcopy(draw(st.sampled_from(ORIGINALS)))
    owned = [path for path in places(made) if path[-1] == "subject"]
    owned.append(("prefetch", "patient", "id"))
    chosen = draw(st.lists(st.sampled_from(owned), min_size=1, max_size=4, unique=True))
    spelling = draw(
        st.sampled_from(
            [
                "Patient/{}",
                "https://ehr.example/fhir/Patient/{}",
                "Patient/{}/_history/1",
                "https://other.example/Patient/{}",
            ]
        )
    )
    for path in chosen:
        holder(made, path)[path[-1]] = STRANGER if path[-1] == "id" else {"reference": spelling.format(STRANGER)}
    return made


@pytest.mark.norm("PRE-3")
@fuzz(50)
@given(calls_with_a_strangers_record())
def test_a_call_with_a_strangers_record_is_refused(client, made):
    answer = client.fire(made)
    assert answer.status_code == 400, answer.text
    assert "another patient" in answer.text


@pytest.mark.soak
@fuzz(2000)
@given(calls_with_a_strangers_record())
def test_two_thousand_calls_with_a_strangers_record_are_refused(client, made):
    assert client.fire(made).status_code == 400


@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("number", range(len(ORIGINALS)))
def test_a_call_without_a_required_member_is_never_answered(client, number, member):
    made = {name: value for name, value in ORIGINALS[number].items() if name != member}
    assert client.post(path_of(ORIGINALS[number]["hook"]), json=made).status_code == 400


@pytest.mark.parametrize("member", IDS)
@pytest.mark.parametrize("number", range(len(ORIGINALS)))
def test_a_call_without_a_required_id_is_never_answered(client, number, member):
    assert client.fire(with_context(ORIGINALS[number], **{member: None})).status_code == 400
