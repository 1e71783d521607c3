"""The figures of `/insight` for programs: JSON and CSV, with members whose names hold."""

import csv
import io

import pytest

from cds_service.decision.insight import GROUPINGS
from cds_service.web.insight.sheets import SHEETS, harmless
from tests.web import insight_world as figures
from tests.web.world import knowledge

RATE = {"count": 152, "of": 371, "share": 0.4097, "low": 0.3608, "high": 0.4604}


@pytest.fixture
def ask(insight):
    def asked(path, answer=figures.plausible):
        found = insight(path, answer)
        assert found.status_code == 200
        assert found.headers["cache-control"] == "no-store"
        return found

    return asked


def rows(answer):
    """A CSV as a program reads it, strictly."""
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline=""), strict=True))


def test_the_json_has_every_figure_with_its_filters_and_the_fingerprint(ask):
    answer = ask("/insight.json?client=general-hospital&from=2026-09-09&by=recommendation")
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert list(found) == ["knowledge", "filters", "total", *SHEETS]
    assert found["knowledge"] == knowledge().fingerprint
    assert found["filters"] == {
        "client": "general-hospital",
        "hook": None,
        "recommendation": None,
        "version": None,
        "indicator": None,
        "from": "2026-09-07",
        "to": None,
        "by": "recommendation",
    }
    assert found["groups"][0] == {
        "name": "FD-AFO-01",
        "title": "Offer an ankle-foot orthosis when foot drop is untreated",
        "returned": 412,
        "reporting": 371,
        "not_reporting": 41,
        "accepted": 152,
        "overridden": 81,
        "without_feedback": 138,
        "folded": 38,
        "folded_accepted": 12,
        "snoozed": 44,
        "shadow": 0,
        "acceptance": RATE,
        "override": {"count": 81, "of": 371, "share": 0.2183, "low": 0.1793, "high": 0.2631},
        "silence": {"count": 138, "of": 371, "share": 0.372, "low": 0.3243, "high": 0.4222},
    }
    assert found["total"]["returned"] == 1145
    assert [week["week"] for week in found["weeks"]] == [week.isoformat() for week in figures.WEEKS]
    assert found["reasons"][2] == {"system": "", "code": "", "display": "no coded reason", "count": 37}
    assert found["reasons"][5]["display"] == "local-17"
    assert found["delays"][0] == {"over_seconds": 0, "at_most_seconds": 10, "accepted": 44, "overridden": 61}
    assert found["delays"][-1]["at_most_seconds"] is None
    assert found["gaps"][0] == {
        "need": "service requests",
        "need_in_words": "orders and referrals",
        "state": "absent",
        "reason": "not sent",
        "reason_in_words": "the record system did not send it",
        "calls": 140,
    }
    assert found["outcomes"][0] == {"outcome": "complete without cards", "calls": 2210}
    assert found["shadows"][0]["agreement"]["share"] == 0.7324


def test_where_no_client_reports_the_rate_is_null(ask):
    found = {group["name"]: group for group in ask("/insight.json").json()["groups"]}
    assert found["FD-CPN-01"]["acceptance"] is None
    by_name = {row["name"]: row for row in rows(ask("/insight.csv?table=groups"))}
    assert [by_name["FD-CPN-01"][f"acceptance{end}"] for end in ("", "_low", "_high")] == ["", "", ""]
    assert [by_name["FD-AFO-01"][f"acceptance{end}"] for end in ("", "_low", "_high")] == ["0.4097", "0.3608", "0.4604"]


@pytest.mark.parametrize("table", SHEETS)
@pytest.mark.parametrize("answer", [figures.plausible, figures.hostile, figures.empty])
def test_a_csv_says_what_the_json_says(ask, table, answer):
    spoken = ask("/insight.json", answer).json()[table]
    found = rows(ask(f"/insight.csv?table={table}", answer))
    assert len(found) == len(spoken)
    for row, said in zip(found, spoken, strict=True):
        assert None not in row
        for name, value in said.items():
            if isinstance(value, dict):
                assert [float(row[f"{name}{end}"]) for end in ("", "_low", "_high")] == [
                    value["share"],
                    value["low"],
                    value["high"],
                ]
            elif isinstance(value, str):
                assert row[name].removeprefix("'") == value.removeprefix("'")
            else:
                assert row[name] == ("" if value is None else str(value))


@pytest.mark.parametrize("table", SHEETS)
def test_a_csv_has_a_header_line_even_without_rows_and_lines_as_the_standard_ends_them(ask, table):
    answer = ask(f"/insight.csv?table={table}", figures.empty)
    assert answer.text.endswith("\r\n")
    assert answer.text.count("\r\n") == 1
    assert answer.headers["content-disposition"] == f'attachment; filename="insight-{table}.csv"'


@pytest.mark.parametrize("by", GROUPINGS)
def test_the_groups_are_those_that_were_asked_for(ask, by):
    names = [row["name"] for row in rows(ask(f"/insight.csv?table=groups&by={by}"))]
    assert names == [group.name for group in figures.plausible(figures.Filters(by=by)).groups]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "  =1", "=cmd|' /C calc'!A1"])
def test_no_cell_is_a_formula_for_the_program_that_opens_it(text):
    assert harmless(text) == f"'{text}"


def test_no_cell_of_a_hostile_ledger_begins_like_a_formula(ask):
    for table in SHEETS:
        for row in rows(ask(f"/insight.csv?table={table}", figures.hostile)):
            assert not [cell for cell in row.values() if cell.lstrip().startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("text", ["", "FD-AFO-01", "0.1.0", "a=b", "local-17", "'quoted'"])
def test_other_text_stays_as_it_is(text):
    assert harmless(text) == text
