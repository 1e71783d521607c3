"""The golden calls of fhir_examples: right today, in a year, a minute before midnight; fired by the demonstration."""

import datetime as dt
import json

import pytest

from cds_service.examples import fill, value
from fhir_examples import demo
from fhir_examples.golden import golden_calls, prefetch_templates, with_relative_dates, without_chance
from tests.api.world import HOOKS
from tests.conftest import BASE_URL

CALLS = golden_calls()
BOUNDARIES = [  # on which all calls are fired
    "2026-11-22T12:00:00+00:00",
    "2026-11-22T23:59:59+00:00",
    "2028-02-29T00:30:00+00:00",
]
INSTANTS = [  # on which the calls with the most dates are fired too
    "2026-11-23T00:00:00+00:00",
    "2026-12-31T23:59:00+00:00",
    "2027-01-01T00:00:01+00:00",
    "2027-03-28T00:59:59+00:00",  # summer time begins in Europe
    "2027-03-28T01:00:01+00:00",
    "2027-11-07T06:30:00+00:00",  # and ends in America
    "2027-11-22T05:15:00+00:00",
    "2028-02-29T23:59:59+00:00",
    "2028-03-01T00:00:00+00:00",
]
DATED = ("08-order-select-early-nerve-tests", "17-patient-view-treatment-not-read", "23-patient-view-broken-leg")


def test_each_hook_has_a_golden_call():
    assert {call.data["hook"] for call in CALLS} == set(HOOKS)


def golden_at(client, clock, call, instant):
    clock.at = dt.datetime.fromisoformat(instant)
    answer = client.post(call.path, json=call.request(clock.at))
    return call.difference(answer.status_code, answer.json(), clock.at, clock.at, BASE_URL)


@pytest.mark.parametrize("instant", BOUNDARIES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.file.stem)
def test_a_golden_answer_holds_whenever_the_call_is_fired(client, clock, call, instant):
    assert golden_at(client, clock, call, instant) == ""


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("name", DATED)
def test_an_answer_full_of_dates_holds_on_strange_days_too(client, clock, name, instant):
    (call,) = (one for one in CALLS if one.file.stem == name)
    assert golden_at(client, clock, call, instant) == ""


def test_the_prefetch_of_a_golden_call_answers_the_templates_that_discovery_offers(client):
    offered = {one["hook"]: one["prefetch"] for one in client.get("/cds-services").json()["services"]}
    assert {hook: dict(prefetch_templates(hook)) for hook in offered} == offered


@pytest.mark.parametrize(
    "change",
    [
        lambda response: response["cards"].pop(),
        lambda response: response["cards"][0].update(indicator="critical"),
        lambda response: response["cards"][0].update(
            detail=response["cards"][0]["detail"].replace("days}}", "hours}}")
        ),
        lambda response: response["cards"][0]["suggestions"][0].update(uuid="{{uuid 1}}"),
    ],
)
def test_another_answer_than_the_golden_one_is_shown_as_a_difference(client, clock, change):
    (call,) = (one for one in CALLS if "view-peroneal-palsy" in one.file.stem)
    answer = client.post(call.path, json=call.request(clock.at))
    wrong = json.loads(json.dumps(call.data))
    change(wrong["response"])
    found = type(call)(call.file, wrong).difference(200, answer.json(), clock.at, clock.at, BASE_URL)
    assert "--- golden" in found
    assert "+++ given" in found


@pytest.mark.parametrize(
    ("placeholder", "filled"),
    [
        ("{{today}}", "2028-02-29"),
        ("{{today - 35 days}}", "2028-01-25"),
        ("{{today + 1 days}}", "2028-03-01"),
        ("{{today - 46 years}}", "1982-02-28"),
        ("{{now}}", "2028-02-29T03:00:00+00:00"),
        ("{{now - 6 hours}}", "2028-02-28T21:00:00+00:00"),
        ("{{date of now - 6 hours}}", "2028-02-28"),
    ],
)
def test_a_relative_date_is_counted_in_utc(placeholder, filled):
    at = dt.datetime.fromisoformat("2028-02-28T22:00:00.7-05:00")  # the next day in UTC
    assert value(placeholder, at) == filled
    assert fill(f"on {placeholder}.", at) == f"on {filled}."


@pytest.mark.parametrize("text", ["{{today - 3 weeks}}", "{{now -6 hours}}", "{{todays}}"])
def test_a_relative_date_that_is_not_understood_is_refused(text):
    with pytest.raises(ValueError, match="not understood"):
        fill(text, dt.datetime.now(dt.UTC))


def test_a_date_gets_the_name_that_is_true_at_both_times():
    late, early = dt.datetime(2027, 1, 5, 22, tzinfo=dt.UTC), dt.datetime(2027, 3, 9, 2, tzinfo=dt.UTC)
    answers = {late: {"text": "on 2027-01-05, since 2027-01-01"}, early: {"text": "on 2027-03-08, since 2027-03-05"}}
    merged = with_relative_dates(["{{now - 6 hours}}"], answers)
    assert merged == {"text": "on {{date of now - 6 hours}}, since {{today - 4 days}}"}
    answers[early]["text"] = "on 2027-03-07, since 2027-03-05"
    with pytest.raises(ValueError, match="no name for the dates"):
        with_relative_dates([], answers)


def test_equal_uuids_stay_equal_and_different_ones_different():
    one, other = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
    at = dt.datetime(2027, 1, 5, tzinfo=dt.UTC)
    assert without_chance([one, other, one], at, at, "http://x") == ["{{uuid 1}}", "{{uuid 2}}", "{{uuid 1}}"]


def test_the_demonstration_fires_all_calls_both_ways_at_a_real_service_and_succeeds(capsys):
    assert demo.main([]) == 0
    said = capsys.readouterr().out
    fired = len(CALLS) + sum(call.is_all_read for call in CALLS)
    assert f"{fired} calls fired over HTTP, {fired} golden answers." in said
    assert "[CRITICAL] " in said


def test_the_demonstration_fails_with_a_readable_difference_when_an_answer_is_not_golden(capsys, monkeypatch):
    broken = json.loads(json.dumps(CALLS[0].data))
    broken["response"]["cards"][0]["summary"] = "Something else"
    monkeypatch.setattr(demo, "golden_calls", lambda: [type(CALLS[0])(CALLS[0].file, broken)])
    assert demo.main(["--quiet"]) == 1
    said = capsys.readouterr().out
    assert '-    "summary": "Something else"' in said
    assert "01-patient-view-peroneal-palsy.json, without prefetch: not the golden answer" in said
    assert "2 calls fired over HTTP, 0 golden answers." in said


def test_no_call_at_all_is_no_success(capsys):
    assert demo.main(["no such call"]) == 1
    assert "'no such call'" in capsys.readouterr().out
