"""docs/insight.md names the members, the parameters and the paths as they are."""

import re
from dataclasses import fields

from cds_service.decision.insight import GROUPINGS, Choices, Filters, Insight, Rate
from cds_service.web.insight.address import in_words
from cds_service.web.insight.sheets import SHEETS
from tests.docs.pages import read, spans

PAGE = read("docs/insight.md")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
NOTHING = Insight(Filters(), Choices())


def test_it_names_every_table_with_its_columns():
    tally = re.findall(r"`(\w+)`", PAGE[PAGE.index("The tally is") : PAGE.index("A rate (")])
    for name, make in SHEETS.items():
        named = re.findall(r"`(\w+)`", ROWS[name]) + (tally if "tally" in ROWS[name] else [])
        assert named == list(make(NOTHING, None).columns), name


def test_it_names_every_parameter_and_grouping():
    assert re.findall(r"`(\w+)`", ROWS["filters"]) == list(in_words(Filters()))
    assert re.findall(r"`(\w+)`", ROWS["by"]) == list(GROUPINGS)


def test_it_names_the_members_of_a_rate():
    assert {field.name for field in fields(Rate)} <= spans(PAGE)
