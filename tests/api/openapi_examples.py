"""Writes the examples of the OpenAPI document anew: `python -m tests.api.openapi_examples`. Look at the difference."""

import itertools
import json
import re

from cds_service.api.openapi.examples import FILE, SERVICE
from cds_service.app import create_app
from cds_service.settings import Settings
from tests.api.world import call, condition, every_hook, path_of, prefetch
from tests.conftest import BASE_URL, Client, Clock

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VIEW = path_of("patient-view")
WORDS = {
    "patient-view": "Foot drop, five weeks old, and nothing ordered yet",
    "order-select": "An orthosis is chosen, and one is ordered already",
    "order-sign": "An orthosis is about to be signed, and one is ordered already",
    "encounter-discharge": "Foot drop, and nothing ordered yet",
    "problem-list-item-create": "Foot drop is put on the problem list",
}


def calls():
    """Path of the operation → name, summary and request of each example, sent at noon on 22 November 2026."""
    made = {path_of(hook): [(hook, WORDS[hook], request)] for hook, request in every_hook().items()}
    unread = condition("E11.9", "Type 2 diabetes mellitus") | {"code": 7}
    made[VIEW] += [
        ("nothing-to-recommend", "Nothing of ours is on record: no card", call()),
        (
            "checked-on-partial-data",
            "A condition cannot be read, and nothing of ours is known",
            call("patient-view", unread),
        ),
        ("could-not-check", "No conditions: answered with 412", call(prefetch={"patient": prefetch()["patient"]})),
    ]
    return made


def feedback_on(answer):
    """Reports on two cards of an answer, one of them accepted."""
    accepted, dismissed = [card for card in answer["cards"] if card.get("suggestions")][:2]
    reason = {name: dismissed["overrideReasons"][0][name] for name in ("system", "code")}
    at = "2026-11-22T12:00:30Z"
    taken = [{"id": accepted["suggestions"][0]["uuid"]}]
    return {
        "feedback": [
            {"card": accepted["uuid"], "outcome": "accepted", "acceptedSuggestions": taken, "outcomeTimestamp": at},
            {
                "card": dismissed["uuid"],
                "outcome": "overridden",
                "overrideReason": {"reason": reason},
                "outcomeTimestamp": at,
            },
        ]
    }


def examples():
    """The examples as the file has them."""
    client = Client(create_app(Settings(database_url="sqlite://"), Clock()))
    sent = {}
    try:
        for path, ones in calls().items():
            sent[path] = [
                {"name": name, "summary": summary, "request": request, **answered(client.post(path, json=request))}
                for name, summary, request in ones
            ]
        request = feedback_on(client.fire(every_hook()["patient-view"]).json())
        report = {"name": "feedback", "summary": "One suggestion accepted, one card dismissed", "request": request}
        sent["feedback"] = [{**report, **answered(client.post(f"{VIEW}/feedback", json=request))}]
    finally:
        client.close()
    return {path: [without_chance(one) for one in ones] for path, ones in sent.items()}


def answered(answer):
    return {"status": answer.status_code, "answer": answer.json()}


def without_chance(example):
    """Uuids by their number, but for the hook instance, which the client made; no address of this service."""
    numbers = itertools.count(1)
    instance = example["request"].get("hookInstance")
    named = {instance: instance}

    def name(found):
        if found[0] not in named:
            named[found[0]] = f"00000000-0000-4000-8000-{next(numbers):012d}"
        return named[found[0]]

    return json.loads(_UUID.sub(name, json.dumps(example)).replace(BASE_URL, SERVICE))


def text():
    return json.dumps(examples(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
