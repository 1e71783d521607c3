"""docs/operations.md says what is refused, with which status, by which setting and from which number on; and what is
counted."""

import asyncio
import re

import httpx
from prometheus_client.parser import text_string_to_metric_families

from cds_service.api.errors import STATUS, reason_of
from cds_service.app import create_app
from cds_service.settings import Settings
from tests.docs.pages import read

PAGE = read("docs/operations.md")
REFUSED = re.findall(r"^\| *(.+?) *\| *(.*?) *\| (\d{3})\b.*? \| (.+?) \|$", PAGE, re.MULTILINE)
UNITS = {"MiB": 1024 * 1024, "KiB": 1024}


def reasons():
    """The status of each reason."""
    return {reason_of(kind.__new__(kind)): status for kind, (status, _) in STATUS.items()}


def test_each_reason_has_the_status_that_is_said():
    said = {(reason, int(status)) for _, _, status, named in REFUSED for reason in re.findall(r"`([a-z-]+)`", named)}
    assert len(said) >= 8
    assert said <= set(reasons().items())


def test_each_limit_is_the_default_of_its_setting():
    checked = set()
    for what, settings, _, _ in REFUSED:
        numbers = {
            int(number.replace(",", "")) * UNITS.get(unit, 1) for number, unit in re.findall(r"([\d,]*\d) ?(\w*)", what)
        }
        for name in re.findall(r"CDS_(\w+)", settings):
            default = Settings.model_fields[name.lower()].default
            assert default in numbers or default == 0, (name, default, numbers)
            checked.add(name)
    assert len(checked) >= 10


def test_every_setting_it_names_exists():
    named = set(re.findall(r"CDS_[A-Z_]+", PAGE))
    assert named <= {f"CDS_{name.upper()}" for name in Settings.model_fields}


def _row(family) -> tuple[str, str, set[str], str]:
    """Name as it is asked for, type, labels, meaning."""
    labels = {label for sample in family.samples for label in sample.labels} - {"le"}
    return family.name + ("_total" if family.type == "counter" else ""), family.type, labels, family.documentation


async def _scraped() -> str:
    transport = httpx.ASGITransport(create_app(Settings(database_url="sqlite://")))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        return (await client.get("/metrics")).text


def test_the_table_of_metrics_is_what_is_scraped():
    rows = re.findall(r"^\| `(cds_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", PAGE, re.MULTILINE)
    shown = [(name, kind, set(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows]
    assert shown == [_row(family) for family in text_string_to_metric_families(asyncio.run(_scraped()))]
