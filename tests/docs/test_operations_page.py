"""docs/operations.md says what is refused, with which status, by which setting and from which number on."""

import re

from cds_service.api.errors import STATUS, reason_of
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
