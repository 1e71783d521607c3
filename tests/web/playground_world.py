"""The playground as its script uses it: ask for a call, fire it, ask how the answer is shown."""

import json
from types import SimpleNamespace

from tests.web.world import Page


def asked(client, example="peroneal-palsy", hook="patient-view", **more):
    """The answer to the question for a call."""
    return client.post("/playground/request", json={"example": example, "hook": hook, **more})


def fired(client, example="peroneal-palsy", hook="patient-view", **more):
    """A call that the playground made, and what the service answered to it: the text of both."""
    made = asked(client, example, hook, **more)
    assert made.status_code == 200, made.text
    call = made.json()
    answer = client.post(f"/{call['address']}", content=call["request"], headers={"content-type": "application/json"})
    return SimpleNamespace(
        call=call,
        request=json.loads(call["request"]),
        status=answer.status_code,
        json=answer.json(),
        answered={"request": call["request"], "status": answer.status_code, "response": answer.text},
    )


def shown(client, one, before=None):
    """The parts of the page for an answer; each is well-formed HTML."""
    answer = client.post("/playground/answer", json={**one.answered, "before": before.answered if before else None})
    assert answer.status_code == 200, answer.text
    parts = answer.json()
    for name in ("cards", "why", "timeline", "differences", "problems"):
        assert faults(parts[name]) == [], name
    return parts


def faults(html):
    """What is wrong with a piece of a page."""
    return Page(html).faults


def text(html):
    """What a reader reads."""
    return Page(html).text


def bundle(*resources):
    """A record to paste."""
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]})


def patient(**more):
    return {"resourceType": "Patient", "id": "mine", "birthDate": "1970-05-01", **more}


def foot_drop(**more):
    coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M21.372", "display": "Foot drop, left foot"}
    return {
        "resourceType": "Condition",
        "id": "drop",
        "subject": {"reference": "Patient/mine"},
        "code": {"coding": [coding]},
        **more,
    }


def position(one, kind):
    """The place of the first resource of a type among what can be changed."""
    page = Page(one.call["record"])
    places = [value for _, name, value in page.attributes if name == "data-change"]
    names = [words for words in page.text.split() if "/" in words]
    return int(next(place for place, name in zip(places, names, strict=True) if name.startswith(kind)))
