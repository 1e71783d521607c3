"""One export of the real knowledge, made once, and ways to look at it."""

from pathlib import Path

import pytest

from cds_service.fhir.export.bundle import export_knowledge
from cds_service.knowledge.loader import load_knowledge

CARDS = Path(__file__).parents[2] / "cards"
BASE = "https://foot-drop-cds.example.org/fhir"


class Exported:
    """A Bundle with its resources by type and by name."""

    def __init__(self, bundle):
        self.bundle = bundle
        self.resources = [entry["resource"] for entry in bundle["entry"]]

    def of(self, kind):
        return {one["id"]: one for one in self.resources if one["resourceType"] == kind}

    def by_canonical(self):
        urls = {one["url"]: one for one in self.resources}
        return urls | {f"{one['url']}|{one['version']}": one for one in self.resources}


@pytest.fixture(scope="session")
def knowledge():
    return load_knowledge(CARDS)


@pytest.fixture(scope="session")
def exported():
    return Exported(export_knowledge(CARDS, BASE))


def everywhere(element):
    """Every object inside an element, itself included."""
    if isinstance(element, dict):
        yield element
        for value in element.values():
            yield from everywhere(value)
    elif isinstance(element, list):
        for value in element:
            yield from everywhere(value)
