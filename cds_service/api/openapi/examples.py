"""Examples of requests and answers, real ones: a test sends each request and finds the answer that stands here.

`examples.json` is written by `python -m tests.api.openapi_examples`, never by hand. Its moment is fixed, so that the
document is the same every day; the uuids of an answer are numbered, and the address is that of the service.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

SERVICE: Final = "{{service}}"
"""Stands in the file for the address of the service."""
FILE: Final = Path(__file__).with_name("examples.json")


class Example(NamedTuple):
    """A request and its answer; ``name`` is a name for programs."""

    name: str
    summary: str
    status: int
    request: Any
    answer: Any

    @property
    def of_request(self) -> dict[str, Any]:
        """The request as an example of the document."""
        return {self.name: {"summary": self.summary, "value": self.request}}

    @property
    def of_answer(self) -> dict[str, Any]:
        """The answer as an example of the document."""
        return {self.name: {"summary": self.summary, "value": self.answer}}


def read(base_url: str) -> dict[str, list[Example]]:
    """The examples by path of the operation."""
    text = FILE.read_text(encoding="utf-8").replace(SERVICE, base_url)
    return {path: [Example(**one) for one in ones] for path, ones in json.loads(text).items()}
