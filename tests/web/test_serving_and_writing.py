"""The same pages on the running service and on disk."""

import datetime as dt
import json

import pytest

from cds_service.cli import main
from cds_service.web.pages import Pages
from tests.web.world import TODAY, knowledge, pages, written


def test_a_cards_source_leads_to_its_page(client):
    answer = client.get("/cards/FD-AFO-01")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Offer an ankle-foot orthosis" in answer.text


def test_the_service_serves_every_page_that_is_written(client):
    for name in ("index.html", "coverage.html", "FD-RF-01.html", "value-set-foot-drop.html"):
        assert client.get(f"/cards/{name}").status_code == 200
    answer = client.get("/cards/FD-RF-01.json")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["id"] == "FD-RF-01"


@pytest.mark.parametrize("name", ["FD-NONE-01", "FD-AFO-01.pdf", "FD-AFO-01.html.html", "index.", ""])
def test_a_page_that_does_not_exist_is_not_found(client, name):
    assert client.get(f"/cards/{name}").status_code == 404


def test_the_service_takes_the_day_from_its_clock(client, clock):
    clock.at = clock.at.replace(year=2031)
    assert "Review is overdue" in client.get("/cards/FD-AFO-01").text
    clock.at = clock.at.replace(year=2026)
    assert "Review is overdue" not in client.get("/cards/FD-AFO-01").text


def test_a_page_is_made_once_a_day():
    mine = Pages(knowledge())
    first = mine.find("FD-AFO-01", TODAY)
    assert mine.find("FD-AFO-01.html", TODAY) is first
    assert mine.find("FD-AFO-01", TODAY + dt.timedelta(days=1)) is not first


def test_without_cases_the_page_says_that_there_are_none():
    assert "No case is told about it." in Pages(knowledge()).find("FD-AFO-01", TODAY).body


def test_the_served_page_is_the_written_one():
    assert pages().find("FD-DM-04", TODAY).body == written()["FD-DM-04.html"].body


def test_two_renderings_are_the_same(tmp_path, capsys):
    for folder in ("one", "two"):
        assert main(["render", "--out", str(tmp_path / folder), "--on", "2026-11-22"]) == 0
    assert "draft" in capsys.readouterr().out.lower()
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"index.html", "index.json", "FD-AFO-01.html", "FD-AFO-01.json", "coverage.html"} <= set(names)
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_to_write_must_be_said(capsys):
    assert main(["render"]) == 1
    assert "--out DIR" in capsys.readouterr().err


def test_every_page_is_valid_json_too():
    for name, rendered in written().items():
        if name.endswith(".json"):
            assert json.loads(rendered.body)["stamp"]["fingerprint"] == knowledge().fingerprint
