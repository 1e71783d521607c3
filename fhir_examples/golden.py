"""Golden calls: what is asked about which patient, and the answer it must get, whatever day it is.

A file of ``calls/`` has no request of its own: it is made from the patient's record, as an EHR makes it. Comparing an
answer with its golden one replaces what must differ: uuids by their number, the service's own address, and instants of
the call itself. Making a golden answer turns every date in it into one relative to the call; a date is believed to be
``{{today - 35 days}}`` only if it is so at very different times.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cds_service.examples import PLACEHOLDER, each_string, fill_all, value
from cds_service.knowledge.hook_call import USER
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from fhir_examples.search import answer as fhir_answer

FOLDER = Path(__file__).resolve().parent
CALL_TIME = "{{time of the call}}"
BASE_URL = "{{service}}"
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d))?")
_SLACK = dt.timedelta(seconds=30)


@dataclasses.dataclass(frozen=True)
class GoldenCall:
    """One file of ``calls/``: what it shows, what makes the request, and the status and body of its answer."""

    file: Path
    data: dict[str, Any]

    @property
    def path(self) -> str:
        """Where the call is sent."""
        return f"/cds-services/foot-drop-{self.data['hook']}"

    @property
    def is_all_read(self) -> bool:
        """Whether the EHR leaves out nothing, so that asking its server brings the same as prefetch."""
        return "unread" not in self.data

    def story(self) -> list[Any]:
        """The patient's record and the drafts, with relative dates."""
        return [_record(self.data["patient"]), self.data.get("drafts", [])]

    def request(self, now: dt.datetime) -> dict[str, Any]:
        """The request with prefetch, as it is sent at ``now``: what an EHR finds by the prefetch templates."""
        unread = self.data.get("unread", [])
        prefetch = {
            key: self.prefetched(key, now) for key in prefetch_templates(self.data["hook"]) if key not in unread
        }
        return self._bare(now) | {"prefetch": prefetch}

    def request_by_server(self, now: dt.datetime, fhir_server: str, *sent: str) -> dict[str, Any]:
        """The request without prefetch, but for the keys in ``sent``: the rest is to be asked of the FHIR server."""
        prefetch = {key: self.prefetched(key, now) for key in sent if key in prefetch_templates(self.data["hook"])}
        return self._bare(now) | {"fhirServer": fhir_server} | ({"prefetch": prefetch} if prefetch else {})

    def prefetched(self, key: str, now: dt.datetime) -> dict[str, Any]:
        """What the template of one prefetch key finds in the patient's record."""
        query = prefetch_templates(self.data["hook"])[key].replace("{{context.patientId}}", self.data["patient"])
        found: dict[str, Any] = fill_all(fhir_answer(_record(self.data["patient"]), query), now)
        return found

    def _bare(self, now: dt.datetime) -> dict[str, Any]:
        context = fill_all(_context(self.data, *self.story()), now)
        return {"hook": self.data["hook"], "hookInstance": HOOK_INSTANCE, "context": context}

    def difference(self, status: int, answer: Any, sent: dt.datetime, received: dt.datetime, base_url: str) -> str:
        """What is wrong with an answer, as a diff from the golden one to it; nothing if it is right.

        ``sent`` is the moment at which the dates of the record were filled in.
        """
        expected = {"status": self.data["status"], "response": fill_all(self.data["response"], sent)}
        given = {"status": status, "response": without_chance(answer, sent, received, base_url)}
        lines = difflib.unified_diff(_lines(expected), _lines(given), "golden", "given", n=4, lineterm="")
        return "\n".join(lines)


def golden_calls() -> list[GoldenCall]:
    """All of them, in the order of their file names."""
    files = sorted((FOLDER / "calls").glob("*.json"))
    return [GoldenCall(file, json.loads(file.read_text(encoding="utf-8"))) for file in files]


def without_chance(answer: Any, sent: dt.datetime, received: dt.datetime, base_url: str) -> Any:
    """An answer with uuids numbered in the order they come, without the address, and the call's own time named."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"{{{{uuid {len(numbers) + 1}}}}}")

    def named(found: re.Match[str]) -> str:
        is_instant = "T" in found[0]
        within = is_instant and sent - _SLACK <= dt.datetime.fromisoformat(found[0]) <= received + _SLACK
        return CALL_TIME if within else found[0]

    def change(text: str) -> str:
        return _MOMENT.sub(named, _UUID.sub(number, text.replace(base_url, BASE_URL)))

    return each_string(answer, change)


# ---- making a request


@functools.cache
def _prefetch() -> Mapping[str, Mapping[str, str]]:
    return load_knowledge(Settings().cards_dir).prefetch


def prefetch_templates(hook: str) -> Mapping[str, str]:
    """The prefetch templates that discovery offers for a hook, by their keys."""
    return _prefetch()[hook]


@functools.cache
def _record(patient: str) -> list[dict[str, Any]]:
    bundle = json.loads((FOLDER / "patients" / f"{patient}.json").read_text(encoding="utf-8"))
    return [entry["resource"] for entry in bundle["entry"]]


def _context(data: dict[str, Any], record: list[dict[str, Any]], drafts: list[dict[str, Any]]) -> dict[str, Any]:
    encounter = next(one["id"] for one in record if one["resourceType"] == "Encounter")
    context: dict[str, Any] = {"userId": USER, "patientId": data["patient"], "encounterId": encounter}
    if data["hook"] == "order-select":
        context["selections"] = [f"{draft['resourceType']}/{draft['id']}" for draft in drafts]
    if data["hook"].startswith("order-"):
        context["draftOrders"] = _collection(drafts)
    if data["hook"] == "problem-list-item-create":
        context["conditions"] = _collection([one for one in record if one["id"] == data["created"]])
    return context


def _collection(resources: list[dict[str, Any]]) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection"} | ({"entry": entries} if entries else {})


# ---- making a golden answer


def with_relative_dates(story: Any, answers: dict[dt.datetime, Any]) -> Any:
    """One answer for all times, from the answers to the same request at several times, already ``without_chance``.

    Raises ValueError where they differ in more than dates, or where a date moves in a way that has no name.
    """
    names = _names_in(story)
    return _merge(list(answers), list(answers.values()), names)


def _names_in(story: Any) -> list[str]:
    """Every date of a story, and the date of every instant in it."""
    text = json.dumps(story)
    found = dict.fromkeys(match[0] for match in PLACEHOLDER.finditer(text))
    return [*found, *(name.replace("{{now", "{{date of now") for name in found if name.startswith("{{now"))]


def _merge(times: list[dt.datetime], values: list[Any], names: list[str]) -> Any:
    first = values[0]
    if isinstance(first, str):
        return _merge_texts(times, values, names)
    if isinstance(first, dict) and all(isinstance(one, dict) and list(one) == list(first) for one in values):
        return {name: _merge(times, [one[name] for one in values], names) for name in first}
    if isinstance(first, list) and all(isinstance(one, list) and len(one) == len(first) for one in values):
        return [_merge(times, list(ones), names) for ones in zip(*values, strict=True)]
    if any(one != first for one in values):
        raise ValueError(f"the answers differ in more than dates: {values}")
    return first


def _merge_texts(times: list[dt.datetime], texts: list[str], names: list[str]) -> str:
    frames = {_MOMENT.sub("\0", text) for text in texts}
    if len(frames) != 1:
        raise ValueError(f"the answers differ in more than dates: {texts}")
    moments = zip(*(_MOMENT.findall(text) for text in texts), strict=True)
    relative = iter([_name(times, list(moment), names) for moment in moments])
    return re.sub("\0", lambda _: next(relative), frames.pop())


def _name(times: list[dt.datetime], moments: list[str], names: list[str]) -> str:
    if "T" not in moments[0]:
        days = (dt.date.fromisoformat(moments[0]) - times[0].date()).days
        names = [_in_days(days), *names]
    for name in names:
        if all(value(name, time) == moment for time, moment in zip(times, moments, strict=True)):
            return name
    raise ValueError(f"no name for the dates {moments} of calls at {[time.isoformat() for time in times]}")


def _in_days(days: int) -> str:
    return f"{{{{today {'+' if days > 0 else '-'} {abs(days)} days}}}}" if days else "{{today}}"


# ---- reading


def _lines(data: Any) -> list[str]:
    return list(_readable(json.dumps(data, indent=1, ensure_ascii=False)))


def _readable(text: str) -> Iterator[str]:
    """Lines short enough for a diff: a long Markdown text is broken where it breaks itself."""
    for line in text.splitlines():
        yield from _wrapped(line.replace("\\n\\n", "\\n\n      ").splitlines())


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip()
