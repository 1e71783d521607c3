"""Figures made by hand, and a service that shows them."""

import datetime as dt
from dataclasses import replace

from cds_service.decision.insight import (
    Choices,
    Delay,
    Filters,
    Gap,
    Group,
    Insight,
    Outcome,
    Reason,
    Shadow,
    Tally,
)
from cds_service.errors import LedgerError
from cds_service.ledger import Ledger

REASONS = "https://foot-drop-cds.example.org/fhir/CodeSystem/override-reasons"
WEEKS = tuple(dt.date(2026, 9, 7) + dt.timedelta(weeks=number) for number in range(12))
CLIENTS = ("general-hospital", "rehabilitation-centre", "university-clinic")
HOOKS = ("encounter-discharge", "order-select", "order-sign", "patient-view")
HOSTILE = '</option><script>alert("1")</script>&\'"'
BACKWARDS = "\u202e\u05ea\u05d5\u05db\u05e0\u05d9\u05ea \u202d(left)"
LONG = "a-local-code-that-never-ends-" * 8
_BY_RECOMMENDATION = {
    "FD-AFO-01": Tally(412, 371, 152, 81, 38, 12, 44, 0),
    "FD-PT-01": Tally(298, 260, 88, 40, 61, 9, 12, 0),
    "FD-EDX-01": Tally(171, 150, 70, 21, 20, 4, 9, 0),
    "FD-DM-01": Tally(120, 111, 21, 43, 55, 3, 31, 0),
    "FD-FES-01": Tally(77, 70, 9, 30, 12, 1, 6, 63),
    "FD-RF-01": Tally(41, 41, 37, 2, 0, 0, 0, 0),
    "FD-CIDP-01": Tally(19, 12, 4, 1, 2, 0, 0, 0),
    "FD-SURG-01": Tally(4, 4, 0, 1, 9, 2, 0, 0),
    "FD-CPN-01": Tally(3, 0, 0, 0, 0, 0, 0, 0),
    "FD-DM-03": Tally(0, 0, 0, 0, 17, 5, 0, 0),
}


def total(tallies):
    """One tally of several."""
    return Tally(*(sum(getattr(one, name) for one in tallies) for name in Tally.__dataclass_fields__))


def plausible(filters=None):
    """What a year of three hospitals might look like."""
    whole = total(_BY_RECOMMENDATION.values())
    return Insight(
        filters=filters or Filters(),
        choices=Choices(
            CLIENTS,
            HOOKS,
            tuple(sorted(_BY_RECOMMENDATION)),
            ("0.1.0", "0.2.0"),
            ("critical", "info", "warning"),
            WEEKS,
        ),
        total=whole,
        groups=_groups(filters or Filters(), whole),
        weeks=_weeks(whole),
        reasons=(
            Reason(REASONS, "has-an-orthosis-not-recorded-here", 61),
            Reason(REASONS, "patient-declines", 48),
            Reason("", "", 37),
            Reason(REASONS, "evaluated-elsewhere", 30),
            Reason(REASONS, "mild-weakness-not-tripping", 22),
            Reason("urn:oid:2.999.1", "local-17", 12),
            Reason(REASONS, "specialist-will-decide", 9),
        ),
        delays=(
            Delay(10, 44, 61),
            Delay(60, 121, 70),
            Delay(300, 98, 41),
            Delay(3600, 70, 22),
            Delay(86_400, 31, 15),
            Delay(None, 17, 10),
        ),
        gaps=(
            Gap("service requests", "absent", "not sent", 140),
            Gap("findings", "failed", "late", 61),
            Gap("device use", "denied", "not offered", 33),
            Gap("medication requests", "truncated", "too much", 4),
        ),
        outcomes=(
            Outcome("complete without cards", 2210),
            Outcome("complete with cards", 871),
            Outcome("partial with cards", 130),
            Outcome("partial without cards", 74),
        ),
        shadows=(Shadow("FD-FES-01", "0.2.0", 52, 8, 11), Shadow("FD-AFO-01", "0.3.0", 380, 32, 4)),
    )


def _groups(filters, whole):
    if filters.by == "recommendation":
        return tuple(Group(name, tally) for name, tally in _BY_RECOMMENDATION.items())
    if filters.by == "week":
        return _weeks(whole)
    names = {"version": ("0.1.0", "0.2.0"), "hook": HOOKS, "client": CLIENTS}.get(
        filters.by, ("info", "warning", "critical")
    )
    return tuple(Group(name, _share(whole, 1 / 2 ** (at + 1))) for at, name in enumerate(names))


def _weeks(whole):
    shares = (0.03, 0.05, 0.06, 0.08, 0.0, 0.09, 0.11, 0.1, 0.12, 0.12, 0.13, 0.11)
    return tuple(Group(week.isoformat(), _share(whole, share)) for week, share in zip(WEEKS, shares, strict=True))


def _share(whole, share):
    parts = {name: int(getattr(whole, name) * share) for name in Tally.__dataclass_fields__}
    return Tally(**parts)


def empty(filters=None):
    """A ledger that nothing was written to."""
    return Insight(filters or Filters(), Choices())


def nothing_selected(filters=None):
    """A ledger with something in it, of which nothing is in the selection."""
    return replace(empty(filters), choices=plausible().choices)


def hostile(filters=None):
    """Codes as an attacker, a careless client or a foreign script would write them."""
    codes = (HOSTILE, BACKWARDS, LONG, "=cmd|' /C calc'!A1", "\x00\x1b[31m", "@SUM(1)")
    tally = Tally(10, 10, 4, 3, 2, 1, 1, 1)
    given = filters or Filters()
    groups = plausible(given).weeks if given.by == "week" else tuple(Group(code, tally) for code in codes)
    return replace(
        plausible(given),
        choices=Choices(codes, codes, codes, codes, codes, WEEKS),
        groups=groups,
        reasons=tuple(Reason(code, code, 5) for code in codes),
        gaps=tuple(Gap(code, code, code, 5) for code in codes),
        outcomes=tuple(Outcome(code, 5) for code in codes),
        shadows=tuple(Shadow(code, code, 1, 2, 3) for code in codes),
    )


class HandMadeFigures:
    """Answers as it is told, and remembers what was asked."""

    def __init__(self, answer=plausible):
        self.answer = answer
        self.asked = []

    def insight(self, filters):
        self.asked.append(filters)
        return self.answer(filters)


def unreadable(_):
    """A ledger whose database is down."""
    raise LedgerError("the database cannot be had")


def show(monkeypatch, answer=plausible):
    """Every service made from now on shows these figures."""
    figures = HandMadeFigures(answer)
    monkeypatch.setattr(Ledger, "figures", property(lambda _: figures))
    return figures
