"""The tables of README.md that are made from the index of the patients and from the call files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds_service.examples import Example, read_examples
from fhir_examples.golden import FOLDER, GoldenCall, golden_calls

README = FOLDER / "README.md"
_TABLE = re.compile(r"(<!-- made by --update: (patients|calls) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """The page with its tables as they should be."""
    tables = {"patients": patient_table(read_examples()), "calls": call_table(golden_calls())}
    return _TABLE.sub(lambda found: f"{found[1]}{tables[found[2]]}\n", text)


def patient_table(examples: Iterable[Example]) -> str:
    """One line for each patient, in the order of the index."""
    lines = [f"| [`{one.name}`](patients/{one.name}.json) | {one.shows} | {one.about} |" for one in examples]
    return "\n".join(["| Patient | Shows | Who |", "| --- | --- | --- |", *lines])


def call_table(calls: Iterable[GoldenCall]) -> str:
    """One line for each call, with what its cards are about, in the order of the file names."""
    lines = [
        f"| [`{call.file.stem}`](calls/{call.file.name}) | {call.data['about']} | {_cards(call)} |" for call in calls
    ]
    return "\n".join(["| Call | Shows | Cards |", "| --- | --- | --- |", *lines])


def _cards(call: GoldenCall) -> str:
    if call.data["status"] != 200:
        return str(call.data["status"])
    topics = [card["source"]["topic"]["code"] for card in call.data["response"]["cards"]]
    return ", ".join(topics) or "none"
