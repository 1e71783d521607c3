"""Writes the pages that are made from the code: ``make references``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.references.api import api_page
from docs.references.command_line import command_line_page
from docs.references.configuration import configuration_page
from docs.references.conformance import conformance_page

DOCS = Path(__file__).resolve().parents[1]
PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration_page,
    "command-line.md": command_line_page,
    "api.md": api_page,
    "conformance.md": conformance_page,
}


def main() -> None:
    """Write every page that would be another now."""
    for name, made in PAGES.items():
        path, text = DOCS / name, made()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} is new")


if __name__ == "__main__":
    main()
