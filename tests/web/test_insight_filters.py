"""The filters of `/insight` stand in the address: what is asked is what is looked at, or it is refused."""

import datetime as dt
import re
from urllib.parse import urlencode

import pytest

from cds_service.decision.insight import GROUPINGS, Filters
from tests.api.world import problem
from tests.web import insight_world as figures
from tests.web.world import Page

SEPTEMBER, NOVEMBER = dt.date(2026, 9, 7), dt.date(2026, 11, 16)
PATHS = ("/insight", "/insight.json", "/insight.csv?table=weeks")


def with_query(path, query):
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("", Filters()),
        ("client=general-hospital", Filters(client="general-hospital")),
        ("hook=patient-view", Filters(hook="patient-view")),
        ("recommendation=FD-AFO-01&version=0.1.0", Filters(recommendation="FD-AFO-01", version="0.1.0")),
        ("indicator=critical", Filters(indicator="critical")),
        ("from=2026-09-07&to=2026-11-16", Filters(first=SEPTEMBER, last=NOVEMBER)),
        ("from=2026-09-13&to=2026-11-17", Filters(first=SEPTEMBER, last=NOVEMBER)),
        ("from=2026-09-10&to=2026-09-08", Filters(first=SEPTEMBER, last=SEPTEMBER)),
        ("by=week", Filters(by="week")),
        ("client=&hook=&recommendation=&version=&indicator=&from=&to=&by=", Filters()),
        ("client=a+code+nobody+knows", Filters(client="a code nobody knows")),
    ],
)
def test_the_figures_are_asked_for_what_the_address_says(insight, path, query, filters):
    assert insight(with_query(path, query)).status_code == 200
    assert insight.figures.asked == [filters]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "clients=x",
            "query has a parameter that is none of client, hook, recommendation, version, indicator, from, to, by",
        ),
        ("by=patient", f"by is none of {', '.join(GROUPINGS)}"),
        ("from=yesterday", "from is no day of this century such as 2026-10-26"),
        ("from=20260907", "from is no day of this century"),
        ("to=2026-W40-1", "to is no day of this century"),
        ("to=2026-02-30", "to is no day of this century"),
        ("from=1999-12-31", "from is no day of this century"),
        ("to=9999-12-31", "to is no day of this century"),
        ("from=2026-09-14&to=2026-09-07", "from is later than to"),
        ("client=a&client=b", "client is given twice"),
        ("client=&client=b", "client is given twice"),
        ("hook=%00", "hook is no code of the ledger"),
        ("version=" + "x" * 201, "version is no code of the ledger"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(insight, query, said):
    page = insight(f"/insight?{query}")
    assert page.status_code == 400
    member, _, problem_ = said.partition(" ")
    assert f"This address cannot be read: “{member}” {problem_}" in Page(page.text).text
    assert page.headers["content-security-policy"]
    for path in PATHS[1:]:
        issue = problem(insight(with_query(path, query)), 400)
        assert said in issue["diagnostics"]
        assert issue["expression"] == [said.partition(" ")[0]]
    assert insight.figures.asked == []


def test_a_refusal_repeats_nothing_of_what_was_sent(insight):
    for query in ("ZZMARK=1", "by=ZZMARK", "from=ZZMARK", "client=ZZMARK%00"):
        for path in PATHS:
            assert "ZZMARK" not in insight(with_query(path, query)).text


@pytest.mark.parametrize("query", ["", "table=", "table=total", "table=groups&table=weeks", "table=Groups"])
def test_a_csv_is_of_one_table(insight, query):
    assert "groups, weeks, reasons" in problem(insight(f"/insight.csv?{query}"), 400)["diagnostics"]


def test_the_page_and_the_json_have_no_parameter_table(insight):
    assert insight("/insight?table=groups").status_code == 400
    assert insight("/insight.json?table=groups").status_code == 400


QUERY = {"client": "general-hospital", "version": "0.1.0", "from": "2026-09-07", "to": "2026-11-16", "by": "hook"}


def test_what_is_chosen_is_selected_in_the_form_and_said_above_it(insight):
    answer = insight(f"/insight?{urlencode(QUERY)}")
    chosen = dict(re.findall(r'<option value="([^"]+)" selected dir="auto">([^<]+)</option>', answer.text))
    assert list(chosen) == ["general-hospital", "0.1.0", "2026-09-07", "2026-11-16"]
    said = Page(answer.text).text.replace("\xa0", " ")
    weeks = "from the week of 7 September 2026, to the week of 16 November 2026"
    assert f"Shown: client general-hospital, version 0.1.0, {weeks}." in said
    assert '<input type="hidden" name="by" value="hook">' in answer.text


def test_every_link_of_the_page_keeps_the_filters(insight):
    links = [link for link in Page(insight(f"/insight?{urlencode(QUERY)}").text).links if link.startswith("insight")]
    kept = {link.partition("#")[0] for link in links} - {"insight?by=hook"}  # that one clears them
    assert len(kept) == len(GROUPINGS) + 1 + 7
    for link in kept:
        insight.figures.asked.clear()
        assert insight(f"/{link}").status_code == 200
        (filters,) = insight.figures.asked
        assert (filters.client, filters.version, filters.first, filters.last) == (
            "general-hospital",
            "0.1.0",
            SEPTEMBER,
            NOVEMBER,
        )


def test_each_grouping_names_itself_as_the_present_one(insight):
    for by in GROUPINGS:
        page = insight(f"/insight?by={by}").text
        assert re.findall(r'aria-current="true">(\w+)<', page) == [by]
        assert f">By {by}<" in page


def test_a_choice_that_the_ledger_has_not_stays_chosen(insight):
    page = insight("/insight?recommendation=FD-OLD-01&from=2025-01-06").text
    assert 'value="FD-OLD-01" selected dir="auto">FD-OLD-01 (not in the ledger)<' in page
    assert 'value="2025-01-06" selected' in page


@pytest.mark.parametrize("path", PATHS)
def test_a_ledger_that_cannot_be_read_is_said_and_looks_like_nothing_else(insight, caplog, path):
    answer = insight(path, figures.unreadable)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    if path == "/insight":
        assert "The ledger cannot be read at the moment." in Page(answer.text).text
    else:
        assert problem(answer, 503)["diagnostics"] == "the ledger cannot be read at the moment"
    assert "LedgerError" in caplog.text


@pytest.mark.parametrize("path", PATHS)
def test_only_reading_is_possible(insight, path):
    assert insight(path, method="HEAD").status_code == 200
    assert insight(path, method="POST").status_code == 405
