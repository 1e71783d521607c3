"""The project's pages, and the parts of them that can be held against the code."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("cards/*.md"), *ROOT.glob("fhir_examples/*.md")]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in _BLOCK.findall(text) if found == language]


def prose(text: str) -> str:
    return _BLOCK.sub("", text)


def spans(text: str) -> set[str]:
    """Everything set in code in the prose; `key: value` names its key too."""
    found = set(_SPAN.findall(prose(text)))
    return found | {span.partition(":")[0] for span in found}


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Heading and body of each `###` section."""
    parts = re.split(r"^(#{2,3}) (.+)$", text, flags=re.MULTILINE)
    for level, heading, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if level == "###":
            yield heading.strip("`"), body


def headings(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    found = re.findall(r"^#+ (.+)$", re.sub(_BLOCK, "", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
