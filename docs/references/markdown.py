"""Markdown as GitHub and the site both read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MADE = "<!-- Made from the code by `make references`: edit that, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A page that says where it comes from."""
    return "\n\n".join([f"# {title}", MADE, *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a column in which nothing stands is left out."""
    lines = [list(row) for row in rows]
    kept = [index for index in range(len(head)) if any(line[index] for line in lines)]
    return "\n".join(
        "| " + " | ".join(_cell(line[index]) for index in kept) + " |"
        for line in [list(head), ["---"] * len(head), *lines]
    )


def code(text: object) -> str:
    """Text as code."""
    return f"`{text}`"


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def folded(title: str, body: str) -> str:
    """A block that opens with a click, for what few want to see whole."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def anchor(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
