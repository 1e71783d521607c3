"""Half a year with two service processes on one ledger: what clinicians see, and the figures, counted by hand."""

import contextlib
import datetime as dt
import json
from collections import Counter
from itertools import cycle
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.api.world import PATIENT, Server, call, foot_drop, path_of, send, wait_until, with_context

AFO, CAUSE, EMG, THERAPY = "FD-AFO-01", "FD-ETIO-01", "FD-EDX-01", "FD-PT-01"
REASONS = "https://foot-drop-cds.example.org/fhir/CodeSystem/override-reasons"
DECLINES, MOMENT = "declines-orthosis", "specialist-advice"
VIEW = path_of("patient-view")
CLIENTS = f"clients:\n  open:\n    in shadow: [{THERAPY}]\n"


class Hospital:
    """Calls go to the two services in turn; what was sent and answered is counted by hand."""

    def __init__(self, services, clock):
        self._connections = cycle([service.connect() for service in services])
        self._services = services
        self._clock = clock
        self.now = dt.datetime(2026, 6, 1, 9, tzinfo=dt.UTC)
        self.returned, self.snoozed, self.calls = Counter(), Counter(), 0
        self.move()

    def move(self, **period):
        self.now += dt.timedelta(**period)
        other = self._clock.with_suffix(".new")
        other.write_text(self.now.isoformat())
        other.replace(self._clock)

    def opens(self, patient="p-1", doctor="d-1", quiet=()):
        """Somebody opens a record: the cards by their recommendation; ``quiet`` is what was dismissed, by hand."""
        made = json.loads(json.dumps(call("patient-view", foot_drop())).replace(PATIENT, patient))
        made = with_context(made, userId=f"Practitioner/{doctor}") | {"hookInstance": str(uuid4())}
        status, _, body = send(next(self._connections), "POST", VIEW, made)
        assert status == 200, body
        cards = {card["source"]["topic"]["code"]: card for card in json.loads(body)["cards"]}
        self.calls += 1
        self.returned.update(list(cards))
        self.snoozed.update(quiet)
        return cards

    def reports(self, card, outcome, reason=None, seconds=20, times=1):
        """Somebody does something with a card; the report may come more than once."""
        entry = {"card": card["uuid"], "outcome": outcome}
        entry["outcomeTimestamp"] = (self.now + dt.timedelta(seconds=seconds)).isoformat()
        if reason:
            entry["overrideReason"] = {"reason": {"system": REASONS, "code": reason}}
        if outcome == "accepted":
            entry["acceptedSuggestions"] = [{"id": card["suggestions"][0]["uuid"]}]
        for _ in range(times):
            status, _, body = send(next(self._connections), "POST", f"{VIEW}/feedback", {"feedback": [entry]})
            assert status == 200, body
            assert json.loads(body)["feedback"][0]["status"].startswith("kept")
        self.rests()

    def insight(self, **filters):
        """The figures, from either service: they are the same."""
        path = f"/insight.json?{urlencode(filters)}" if filters else "/insight.json"
        answers = [send(next(self._connections), "GET", path) for _ in self._services]
        assert [status for status, _, _ in answers] == [200, 200]
        first, second = (json.loads(body) for _, _, body in answers)
        assert first == second
        return first

    def rests(self):
        """Nobody calls until both journals are delivered, as people take longer than that."""
        for service in self._services:
            with contextlib.closing(service.connect()) as connection:
                wait_until(lambda c=connection: not _waiting(c), "the journal to drain")

    def close(self):
        for _ in self._services:
            next(self._connections).close()


def _waiting(connection):
    return json.loads(send(connection, "GET", "/health/ready")[2])["ledger"]["journal"]["waiting"]


@pytest.fixture
def hospital(store):
    clock, clients = store.folder / "clock", store.folder / "clients.yaml"
    clients.write_text(CLIENTS)
    clock.write_text("2026-06-01T09:00:00+00:00")
    files = {
        "CDS_CLIENTS_FILE": str(clients),
        "CDS_LEDGER_KEY_FILE": str(store.folder / "ledger.key"),
        "TEST_CLOCK_FILE": str(clock),
        "CDS_DATABASE_URL": store.url,
        "CDS_MAX_CARDS": "0",
    }
    command = ("tests.ledger.clocked_service",)
    with contextlib.ExitStack() as stack:
        services = []
        for number in range(2):  # each replica has a journal of its own
            journal = {"CDS_JOURNAL_FILE": str(store.folder / f"journal-{number}.sqlite3")}
            services.append(stack.enter_context(Server(command, **files, **journal)))
        made = Hospital(services, clock)
        yield made
        made.close()


def test_half_a_year_of_calls_and_what_became_of_them(hospital, store):
    # monday: a shadow is not seen; the orthosis is accepted, reported three times
    monday = hospital.now
    cards = hospital.opens()
    assert set(cards) == {AFO, CAUSE, EMG}
    hospital.reports(cards[AFO], "accepted", times=3)
    # what was accepted is not quiet; now it is dismissed, for a reason that is about the patient: quiet for everybody
    hospital.move(hours=1)
    cards = hospital.opens()
    assert set(cards) == {AFO, CAUSE, EMG}
    hospital.reports(cards[AFO], "overridden", DECLINES)
    assert set(hospital.opens(doctor="d-2", quiet=[AFO])) == {CAUSE, EMG}
    assert set(hospital.opens(patient="p-2")) == {AFO, CAUSE, EMG}
    # a reason of the moment: quiet for that doctor
    cards = hospital.opens(quiet=[AFO])
    hospital.reports(cards[EMG], "overridden", MOMENT, seconds=400)
    assert set(hospital.opens(quiet=[AFO, EMG])) == {CAUSE}
    assert set(hospital.opens(doctor="d-2", quiet=[AFO])) == {CAUSE, EMG}
    # a change of mind about the first report of the orthosis, which an older report does not undo
    cards = hospital.opens(patient="p-3")
    hospital.reports(cards[AFO], "overridden", DECLINES, seconds=10)
    hospital.reports(cards[AFO], "accepted", seconds=90)
    hospital.reports(cards[AFO], "overridden", DECLINES, seconds=30)
    assert AFO in hospital.opens(patient="p-3")
    # in the week after the ninetieth day all is back; nobody says anything of it
    hospital.move(days=91)
    assert set(hospital.opens()) == {AFO, CAUSE, EMG}
    hospital.rests()

    found = hospital.insight()
    assert {group["name"]: group["returned"] for group in found["groups"] if group["returned"]} == hospital.returned
    tallies = {group["name"]: group for group in found["groups"]}
    assert told(tallies[AFO]) == {"accepted": 2, "overridden": 1, "snoozed": hospital.snoozed[AFO]}
    assert told(tallies[EMG]) == {"overridden": 1, "snoozed": hospital.snoozed[EMG]}
    assert told(tallies[CAUSE]) == {}
    assert told(tallies[THERAPY]) == {"shadow": hospital.calls}
    rate = tallies[AFO]["acceptance"]
    assert (rate["count"], rate["of"]) == (2, hospital.returned[AFO])
    assert rate["share"] == pytest.approx(2 / hospital.returned[AFO], abs=1e-4)
    assert 0 < rate["low"] < rate["share"] < rate["high"] < 1
    assert [(one["code"], one["count"]) for one in found["reasons"]] == [(DECLINES, 1), (MOMENT, 1)]
    (shadow,) = found["shadows"]
    assert (shadow["recommendation"], shadow["only_shadow"]) == (THERAPY, hospital.calls)
    assert (shadow["both"], shadow["only_live"]) == (0, 0)
    bars = {bar["at_most_seconds"]: (bar["accepted"], bar["overridden"]) for bar in found["delays"]}
    assert {end: counts for end, counts in bars.items() if any(counts)} == {30: (1, 1), 120: (1, 0), 900: (0, 1)}
    assert found["outcomes"] == [{"outcome": "complete with cards", "calls": hospital.calls}]
    weeks = {week["week"]: week["returned"] for week in found["weeks"] if week["returned"]}
    assert weeks == {monday.date().isoformat(): hospital.returned.total() - 3, "2026-08-31": 3}
    last = hospital.insight(**{"from": "2026-08-31", "recommendation": AFO})
    assert (last["total"]["returned"], last["total"]["reporting"], last["total"]["without_feedback"]) == (1, 1, 1)
    assert len(store.rows("call", "call_id")) == hospital.calls


def told(tally):
    """What is said of cards beyond that they were returned; nothing where it is nought."""
    names = ("accepted", "overridden", "folded", "folded_accepted", "snoozed", "shadow")
    return {name: tally[name] for name in names if tally[name]}
