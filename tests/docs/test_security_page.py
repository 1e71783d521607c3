"""docs/security.md and SECURITY.md: every control names a test that there is."""

import re

import pytest

from tests.docs.pages import ROOT, read

PAGE = read("docs/security.md")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda part: str(part).rpartition("/")[2])
def test_the_test_that_shows_a_control_is_there(file, test):
    assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")
    assert (ROOT / file).is_file()


def test_every_threat_has_a_control_and_a_test():
    rows = [
        line.split(" | ") for line in PAGE.split("## Threats and controls")[1].splitlines() if line.startswith("| ")
    ]
    assert len(rows) > 20
    for threat, control, shown_by in rows[2:]:
        assert control.strip(), threat
        assert "`tests/" in shown_by, threat
