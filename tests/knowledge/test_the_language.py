"""Each word of the language, on the smallest patient that shows what it means."""

import pytest
from pydantic import ValidationError

from cds_service.domain.facts import Certainty, Priority, Stage
from tests.knowledge.world import (
    BOTH,
    LEFT,
    MET,
    NOT_MET,
    RIGHT,
    UNKNOWN,
    UNSTATED,
    FixedMoment,
    condition,
    criterion,
    day,
    device,
    done,
    draft,
    finding,
    hours,
    judged,
    order,
    patient,
    refusal,
    roughly,
)

YES = "condition: limp"
SUSPECTED = Certainty.SUSPECTED


# ---- every operator over records: found, not found, not read, in doubt

RECORDS = [
    ("condition: limp", condition(), "problems"),
    ("{finding: numbness, is: present}", finding(value="present"), "findings"),
    ("{finding: numbness, at most: weak}", finding(value=3), "findings"),
    ("done: study", done(), "procedures"),
    ("open order: study", order(), "orders"),
    ("earlier order: study", order(), "orders"),
    ("in use: brace", device(), "devices"),
    ("refused: brace", refusal(), "orders"),
]


@pytest.mark.parametrize(("line", "fact", "need"), RECORDS)
def test_a_record_makes_it_met_when_it_is_there(line, fact, need):
    assert judged(line, patient(fact)) is MET
    assert judged(line, patient(fact, unread=[need])) is MET, "what is known counts, whatever else is missing"


@pytest.mark.parametrize(("line", "fact", "need"), RECORDS)
def test_it_is_not_met_when_nothing_is_there_and_everything_was_read(line, fact, need):
    del fact
    others = {"problems", "findings", "procedures", "orders", "devices"} - {need}
    assert judged(line, patient()) is NOT_MET
    assert judged(line, patient(unread=others)) is NOT_MET, "other kinds of data do not matter"


@pytest.mark.parametrize(("line", "fact", "need"), RECORDS)
def test_it_is_unknown_when_the_records_could_not_be_read(line, fact, need):
    del fact
    answer = criterion(line).answer(patient(unread=[need]))
    assert (answer.truth, answer.needs) == (UNKNOWN, {need})


@pytest.mark.parametrize(("line", "fact", "need"), RECORDS)
def test_it_is_unknown_when_the_only_record_is_in_doubt(line, fact, need):
    del need
    fact.doubtful = True
    try:
        assert judged(line, patient(fact)) is UNKNOWN
    finally:
        fact.doubtful = False


@pytest.mark.parametrize(("line", "fact", "need"), RECORDS)
@pytest.mark.parametrize(
    ("recorded", "asked", "expected"),
    [
        (RIGHT, RIGHT, MET),
        (RIGHT, LEFT, NOT_MET),
        (BOTH, LEFT, MET),
        (UNSTATED, LEFT, MET),
        (RIGHT, UNSTATED, MET),
        (RIGHT, None, MET),
    ],
)
def test_sides_match_when_they_overlap_or_one_is_not_stated(line, fact, need, recorded, asked, expected):
    del need
    with_side = line.rstrip("}") + ", on: that side}" if line.startswith("{") else f"{{{line}, on: that side}}"
    fact.side = recorded
    try:
        assert judged(with_side, patient(fact), side=asked) is expected
        assert judged(line, patient(fact), side=asked) is MET, "without `on: that side` the side does not matter"
    finally:
        fact.side = UNSTATED


@pytest.mark.parametrize(("line", "fact", "need"), RECORDS)
def test_an_answer_names_the_record_when_it_is_met(line, fact, need):
    del need
    assert criterion(line).answer(patient(fact, condition("gout"))).facts == (fact,)


# ---- condition


@pytest.mark.parametrize(
    ("status", "active", "expected"),
    [
        ("active", MET, MET),
        ("active", NOT_MET, NOT_MET),
        ("active", UNKNOWN, UNKNOWN),
        ("not active", MET, NOT_MET),
        ("not active", NOT_MET, MET),
        ("not active", UNKNOWN, UNKNOWN),
        ("any", NOT_MET, MET),
        ("any", UNKNOWN, MET),
    ],
)
def test_a_condition_counts_when_its_status_is_the_one_asked_for(status, active, expected):
    assert judged(f"{{condition: limp, status: {status}}}", patient(condition(active=active))) is expected


@pytest.mark.parametrize(
    ("certainty", "of_record", "expected"),
    [
        ("any", Certainty.CONFIRMED, MET),
        ("any", SUSPECTED, MET),
        ("confirmed", Certainty.CONFIRMED, MET),
        ("confirmed", SUSPECTED, NOT_MET),
        ("suspected", SUSPECTED, MET),
        ("suspected", Certainty.CONFIRMED, NOT_MET),
    ],
)
def test_a_condition_counts_when_it_is_as_certain_as_asked(certainty, of_record, expected):
    assert judged(f"{{condition: limp, certainty: {certainty}}}", patient(condition(certainty=of_record))) is expected


def test_a_condition_counts_when_it_states_the_severity():
    line = "{condition: limp, severity: severe}"
    assert judged(line, patient(condition(severity=frozenset(["severe"])))) is MET
    assert judged(line, patient(condition())) is NOT_MET


def test_a_stated_cause_counts_when_it_is_none_of_those_set_apart():
    line = "{condition: limp, stated cause: yes, apart from: gout}"
    stated, of_gout = condition(has_cause=True), condition(has_cause=True, causes=frozenset(["gout"]))
    assert judged(line, patient(stated)) is MET
    assert judged(line, patient(of_gout)) is NOT_MET
    assert judged(line, patient(condition())) is NOT_MET
    assert judged("{condition: limp, stated cause: no}", patient(condition())) is MET
    assert judged("{condition: limp, stated cause: no}", patient(stated)) is NOT_MET


def test_caused_by_counts_when_the_cause_is_that_one():
    line = "{condition: limp, caused by: gout}"
    assert judged(line, patient(condition(has_cause=True, causes=frozenset(["gout"])))) is MET
    assert judged(line, patient(condition(has_cause=True))) is NOT_MET


@pytest.mark.parametrize(
    ("option", "ago", "expected"),
    [
        ("onset within: a week", 7, MET),
        ("onset within: a week", 8, NOT_MET),
        ("onset at least: a week", 7, MET),
        ("onset at least: a week", 6, NOT_MET),
        ("onset more than: a week", 8, MET),
        ("onset more than: a week", 7, NOT_MET),
    ],
)
def test_a_condition_counts_when_its_onset_lies_in_the_window_its_edge_included(option, ago, expected):
    assert judged(f"{{condition: limp, {option}}}", patient(condition(when=day(ago)))) is expected


@pytest.mark.parametrize("option", ["onset within: a week", "onset at least: a week", "onset more than: a week"])
def test_a_condition_without_onset_satisfies_no_window(option):
    assert judged(f"{{condition: limp, {option}}}", patient(condition())) is NOT_MET


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"when": day(7)}, MET),
        ({"when": day(900), "recorded": day(7)}, MET),
        ({"when": day(8), "recorded": day(8)}, NOT_MET),
        ({}, NOT_MET),
    ],
)
def test_recorded_within_counts_when_either_date_is_recent(dates, expected):
    assert judged("{condition: limp, recorded within: a week}", patient(condition(**dates))) is expected


# ---- finding and latest finding


@pytest.mark.parametrize("kind", ["finding", "latest finding"])
@pytest.mark.parametrize(
    ("bound", "value", "expected"),
    [
        ("at most: weak", 3, MET),
        ("at most: weak", 4, NOT_MET),
        ("at least: weak", 3, MET),
        ("at least: weak", 2, NOT_MET),
        ("below: weak", 2.9, MET),
        ("below: weak", 3, NOT_MET),
        ("equals: weak", 3, MET),
        ("equals: weak", 2, NOT_MET),
        ("at most: none", 0, MET),
        ("at most: weak", None, UNKNOWN),
        ("is: present", "present", MET),
        ("is: present", "absent", NOT_MET),
        ("is: [absent, present]", "absent", MET),
        ("is: present", None, UNKNOWN),
    ],
)
def test_a_finding_counts_when_it_shows_what_is_asked(kind, bound, value, expected):
    assert judged(f"{{{kind}: numbness, {bound}}}", patient(finding(value=value))) is expected


@pytest.mark.parametrize("kind", ["finding", "latest finding"])
@pytest.mark.parametrize(("ago", "expected"), [(7, MET), (8, NOT_MET), (0, MET), (-1, NOT_MET)])
def test_a_finding_counts_when_it_lies_within_the_window(kind, ago, expected):
    assert (
        judged(f"{{{kind}: numbness, is: present, within: a week}}", patient(finding(value="present", when=day(ago))))
        is expected
    )


@pytest.mark.parametrize("kind", ["finding", "latest finding"])
@pytest.mark.parametrize(("ago", "expected"), [(2, MET), (3, MET), (4, NOT_MET)])
def test_a_finding_counts_when_it_is_of_the_day_of_the_moment_or_later(kind, ago, expected):
    line = f"{{{kind}: numbness, is: present, since: onset}}"
    assert judged(line, patient(finding(value="present", when=day(ago))), onset=day(3)) is expected


@pytest.mark.parametrize("kind", ["finding", "latest finding"])
@pytest.mark.parametrize(("ago", "expected"), [(59, MET), (60, NOT_MET), (61, NOT_MET)])
def test_a_finding_counts_when_it_is_of_a_later_day_than_the_end(kind, ago, expected):
    ended = condition(active=NOT_MET, ended=day(60))
    line = f"{{{kind}: numbness, at most: weak, newer than the end of: limp}}"
    assert judged(line, patient(finding(value=2, when=day(ago)), ended)) is expected


@pytest.mark.parametrize("kind", ["finding", "latest finding"])
def test_an_end_on_the_other_side_does_not_matter(kind):
    ended = condition(active=NOT_MET, ended=day(2), side=LEFT)
    line = f"{{{kind}: numbness, at most: weak, newer than the end of: limp, on: that side}}"
    assert judged(line, patient(finding(value=2, when=day(9), side=RIGHT), ended), side=RIGHT) is MET


@pytest.mark.parametrize("kind", ["finding", "latest finding"])
def test_a_finding_is_in_doubt_when_nobody_knows_when_the_condition_ended(kind):
    line = f"{{{kind}: numbness, at most: weak, newer than the end of: limp}}"
    assert judged(line, patient(finding(value=2), condition(active=NOT_MET))) is UNKNOWN


@pytest.mark.parametrize("kind", ["finding", "latest finding"])
def test_a_finding_is_in_doubt_when_an_end_could_not_be_read(kind):
    line = f"{{{kind}: numbness, at most: weak, newer than the end of: limp}}"
    answer = criterion(line).answer(patient(finding(value=2, when=day(9)), unread=["problems"]))
    assert (answer.truth, answer.needs) == (UNKNOWN, {"problems"})
    assert judged(line, patient(finding(value=5), unread=["problems"])) is NOT_MET, "a strong one settles it"
    assert judged(line, patient(unread=["problems"])) is NOT_MET, "without a finding there is nothing to doubt"


def test_an_older_finding_counts_for_finding_but_not_for_latest_finding():
    weak, strong = finding(value=2, when=day(9)), finding(value=5, when=day(2))
    assert judged("{finding: numbness, at most: weak}", patient(weak, strong)) is MET
    assert judged("{latest finding: numbness, at most: weak}", patient(weak, strong)) is NOT_MET


def test_the_later_hour_counts_when_two_findings_are_of_one_day():
    morning, evening = finding(value=5, when=hours(9)), finding(value=2, when=hours(1))
    assert judged("{latest finding: numbness, at most: weak}", patient(morning, evening)) is MET


def test_the_latest_finding_is_unknown_when_two_of_one_day_disagree():
    weak, strong = finding(value=2, when=day(2)), finding(value=5, when=day(2))
    assert judged("{latest finding: numbness, at most: weak}", patient(weak, strong)) is UNKNOWN
    assert judged("{latest finding: numbness, at most: full}", patient(weak, strong)) is MET, "both show it"


def test_the_latest_finding_is_unknown_when_a_newer_one_may_not_have_been_read():
    answer = criterion("{latest finding: numbness, at most: weak}").answer(
        patient(finding(value=2), unread=["findings"])
    )
    assert (answer.truth, answer.needs) == (UNKNOWN, {"findings"})


def test_the_latest_finding_is_unknown_when_only_undated_ones_exist():
    assert judged("{latest finding: numbness, at most: weak}", patient(finding(value=2, when=None))) is UNKNOWN
    dated = finding(value=5, when=day(3))
    assert judged("{latest finding: numbness, at most: weak}", patient(finding(value=2, when=None), dated)) is NOT_MET


def test_each_side_has_its_own_latest_finding():
    right, left = finding(value=2, when=day(9), side=RIGHT), finding(value=5, when=day(2), side=LEFT)
    line = "{latest finding: numbness, at most: weak, on: that side}"
    assert judged(line, patient(right, left), side=RIGHT) is MET
    assert judged(line, patient(right, left), side=LEFT) is NOT_MET
    assert judged("{latest finding: numbness, at most: weak}", patient(right, left)) is MET, "one side suffices"


@pytest.mark.parametrize(("facts", "expected"), [([finding(value=None)], MET), ([], NOT_MET)])
def test_recorded_asks_only_that_there_is_one(facts, expected):
    assert judged("{latest finding: numbness, recorded: yes}", patient(*facts)) is expected


def test_a_finding_must_say_what_it_shows():
    with pytest.raises(ValueError, match="what must the finding show"):
        criterion("finding: numbness")
    with pytest.raises(ValueError, match="what must the latest finding show"):
        criterion("latest finding: numbness")


# ---- falling finding

FALL = "{falling finding: numbness, by at least: one grade, over at most: a month%s, on: that side}"


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ([(30, 4), (0, 3)], MET),
        ([(31, 4), (0, 3)], NOT_MET),
        ([(9, 3), (0, 3)], NOT_MET),
        ([(9, 3.5), (0, 3)], NOT_MET),
        ([(9, 2), (0, 3)], NOT_MET),
        ([(9, 4), (5, 2), (0, 3)], NOT_MET),
        ([(9, 4), (5, 3), (0, 3)], MET),
        ([(9, 4), (5, 4), (0, 2)], MET),
        ([(0, 3)], NOT_MET),
        ([], NOT_MET),
        ([(9, None), (0, 3)], NOT_MET),
    ],
)
def test_a_fall_counts_when_the_latest_lies_a_grade_below_an_earlier_one_without_recovery(series, expected):
    findings = [finding(value=value, when=day(ago), side=RIGHT) for ago, value in series]
    assert judged(FALL % "", patient(*findings), side=RIGHT) is expected
    assert judged(FALL % "", patient(*findings), side=LEFT) is NOT_MET


@pytest.mark.parametrize(
    ("option", "dates", "expected"),
    [
        (", latest within: a week", (20, 7), MET),
        (", latest within: a week", (20, 8), NOT_MET),
        (", both within: a week", (7, 0), MET),
        (", both within: a week", (8, 0), NOT_MET),
    ],
)
def test_a_fall_counts_when_its_examinations_lie_in_the_window(option, dates, expected):
    earlier, latest = (finding(value=value, when=day(ago)) for value, ago in zip((4, 2), dates, strict=True))
    assert judged(FALL % option, patient(earlier, latest), side=RIGHT) is expected


def test_a_fall_is_unknown_when_the_findings_could_not_be_read():
    assert judged(FALL % "", patient(unread=["findings"]), side=RIGHT) is UNKNOWN


# ---- done


@pytest.mark.parametrize(("option", "edge"), [("within: a week", 7), ("since: onset", 3)])
def test_what_was_done_counts_when_it_lies_in_the_window_its_edge_included(option, edge):
    line = f"{{done: study, {option}}}"
    assert judged(line, patient(done(when=day(edge))), onset=day(3)) is MET
    assert judged(line, patient(done(when=day(edge + 1))), onset=day(3)) is NOT_MET
    assert judged(line, patient(done(when=None)), onset=day(3)) is NOT_MET, "a missing date satisfies no window"


def test_since_looks_back_by_the_default_when_the_moment_is_not_on_record():
    assert judged("{done: study, since: onset}", patient(done(when=day(365))), onset=None) is MET
    assert judged("{done: study, since: onset}", patient(done(when=day(366))), onset=None) is NOT_MET


def test_what_was_done_is_unknown_when_its_month_could_lie_on_either_side():
    assert judged("{done: study, within: a month}", patient(done(when=roughly("2026-05")))) is UNKNOWN
    assert judged("{done: study, within: a month}", patient(done(when=roughly("2026-06")))) is MET
    assert judged("{done: study, within: a month}", patient(done(when=roughly("2026-04")))) is NOT_MET


# ---- orders


def test_an_open_order_is_any_but_the_draft_being_judged():
    mine, other = draft(), draft(judged=False)
    assert judged("open order: study", patient(mine), of_draft=mine) is NOT_MET
    assert judged("open order: study", patient(mine, other), of_draft=mine) is MET
    assert judged("open order: study", patient(order()), of_draft=mine) is MET


def test_an_earlier_order_stood_before_the_drafts_that_are_judged():
    mine, second = draft(), draft()
    assert judged("earlier order: study", patient(mine, second), of_draft=mine) is NOT_MET
    assert judged("earlier order: study", patient(mine, draft(judged=False)), of_draft=mine) is MET
    assert judged("earlier order: study", patient(mine, order()), of_draft=mine) is MET
    assert judged("earlier order: study", patient(mine, order(stage=Stage.DRAFT)), of_draft=mine) is NOT_MET


def test_a_drafted_order_is_one_that_this_call_judges():
    assert judged("drafted: study", patient(draft())) is MET
    assert judged("drafted: study", patient(draft(judged=False))) is NOT_MET
    assert judged("drafted: study", patient(order())) is NOT_MET
    assert judged("drafted: study", patient(unread=["orders"])) is NOT_MET, "the drafts come with the call"


@pytest.mark.parametrize(
    ("least", "counts"),
    [("urgent", "urgent asap stat"), ("asap", "asap stat"), ("stat", "stat")],
)
@pytest.mark.parametrize("priority", list(Priority))
def test_an_order_counts_when_it_is_urgent_enough(least, counts, priority):
    expected = MET if priority.name.lower() in counts.split() else NOT_MET
    assert judged(f"{{open order: study, priority at least: {least}}}", patient(order(priority=priority))) is expected


def test_an_order_counts_when_it_is_for_that_reason():
    line = "{open order: drug, for: limp}"
    assert judged(line, patient(order("drug", reasons=frozenset(["limp"]), states_reason=True))) is MET
    assert judged(line, patient(order("drug", reasons=frozenset(["gout"]), states_reason=True))) is NOT_MET
    assert judged(line, patient(order("drug"))) is NOT_MET


@pytest.mark.parametrize(("option", "edge"), [("within: a week", 7), ("since: onset", 3)])
def test_an_order_counts_when_it_was_written_in_the_window(option, edge):
    line = f"{{open order: study, {option}}}"
    assert judged(line, patient(order(when=day(edge))), onset=day(3)) is MET
    assert judged(line, patient(order(when=day(edge + 1))), onset=day(3)) is NOT_MET
    assert judged(line, patient(order()), onset=day(3)) is NOT_MET
    assert judged(line, patient(draft(judged=False)), onset=day(3)) is MET, "a draft of this call is written now"


# ---- devices


@pytest.mark.parametrize("in_use", [MET, NOT_MET, UNKNOWN])
def test_a_device_counts_when_it_is_in_use(in_use):
    assert judged("in use: brace", patient(device(in_use=in_use))) is in_use


@pytest.mark.parametrize(("ago", "expected"), [(7, MET), (8, NOT_MET)])
def test_a_device_counts_when_it_was_put_to_use_within_the_window(ago, expected):
    assert judged("{in use: brace, used within: a week}", patient(device(when=day(ago)))) is expected


@pytest.mark.parametrize(("ago", "expected"), [(7, MET), (8, NOT_MET)])
def test_a_device_counts_as_stopped_when_it_was_given_up_within_the_window(ago, expected):
    line = "{in use: brace, stopped within: a week}"
    assert judged(line, patient(device(in_use=NOT_MET, until=day(ago)))) is expected
    assert judged(line, patient(device(until=day(ago)))) is NOT_MET, "it is still in use"


# ---- the draft being judged


@pytest.mark.parametrize(
    ("test", "members", "expected"),
    [
        ("is: study", {}, MET),
        ("is: drug", {}, NOT_MET),
        ("is not: drug", {}, MET),
        ("is not: study", {}, NOT_MET),
        ("for: limp", {"reasons": frozenset(["limp"]), "states_reason": True}, MET),
        ("for: limp", {}, NOT_MET),
        ("for or without reason: limp", {}, MET),
        ("for or without reason: limp", {"reasons": frozenset(["limp"]), "states_reason": True}, MET),
        ("for or without reason: limp", {"reasons": frozenset(["gout"]), "states_reason": True}, NOT_MET),
        ("for or without reason: limp", {"states_reason": True}, NOT_MET),
        ("replaces another: yes", {"replaces": True}, MET),
        ("replaces another: yes", {}, NOT_MET),
        ("replaces another: no", {}, MET),
    ],
)
def test_that_draft_is_tested_when_there_is_one(test, members, expected):
    mine = draft(**members)
    assert judged(f"that draft: {{{test}}}", patient(mine), of_draft=mine) is expected
    assert judged(f"that draft: {{{test}}}", patient(mine)) is NOT_MET


BEFORE = "that draft: {planned before: {latest of: [onset, lesion], plus: a week}}"


@pytest.mark.parametrize(
    ("planned", "onset", "lesion", "expected"),
    [
        (None, day(6), None, MET),
        (None, day(7), None, NOT_MET),
        (day(-1), day(5), None, MET),
        (day(-2), day(5), None, NOT_MET),
        (None, day(90), day(6), MET),
        (None, day(6), day(90), MET),
        (None, day(90), day(7), NOT_MET),
        (None, None, None, NOT_MET),
        (None, roughly("2026-06"), None, UNKNOWN),
        (roughly("2026-07"), day(3), None, NOT_MET),
    ],
)
def test_a_draft_is_planned_too_early_when_its_day_lies_before_the_later_moment_plus_the_window(
    planned, onset, lesion, expected
):
    mine = draft(planned=planned)
    assert judged(BEFORE, patient(mine), of_draft=mine, onset=onset, lesion=lesion) is expected


def test_a_draft_is_in_doubt_when_a_moment_could_not_be_looked_up():
    mine, open_moment = draft(), FixedMoment("onset", None, ["problems"])
    assert judged(BEFORE, patient(mine), of_draft=mine, onset=open_moment, lesion=None) is UNKNOWN
    assert judged(BEFORE, patient(mine), of_draft=mine, onset=open_moment, lesion=day(2)) is MET, (
        "a later one cannot undo it"
    )


# ---- moment, age, hook, deceased


@pytest.mark.parametrize(
    ("option", "ago", "expected"),
    [
        ("within: a week", 7, MET),
        ("within: a week", 8, NOT_MET),
        ("at least: a week", 7, MET),
        ("at least: a week", 6, NOT_MET),
        ("more than: a week", 8, MET),
        ("more than: a week", 7, NOT_MET),
    ],
)
def test_a_moment_counts_when_it_lies_in_the_window(option, ago, expected):
    assert judged(f"{{moment: onset, {option}}}", patient(), onset=day(ago)) is expected
    assert judged(f"{{moment: onset, {option}}}", patient(), onset=None) is NOT_MET


def test_a_moment_is_unknown_when_it_could_not_be_looked_up():
    answer = criterion("{moment: onset, within: a week}", onset=FixedMoment("onset", None, ["problems"])).answer(
        patient()
    )
    assert (answer.truth, answer.needs) == (UNKNOWN, {"problems"})


@pytest.mark.parametrize(
    ("born", "adult"),
    [
        ("2010-06-15", MET),
        ("2010-06-16", NOT_MET),
        ("2010-06", UNKNOWN),
        ("2010-05", MET),
        ("2010", UNKNOWN),
        ("2009", MET),
        ("2011", NOT_MET),
        ("", UNKNOWN),
    ],
)
def test_age_counts_from_the_birthday(born, adult):
    assert judged("age: {at least: adult}", patient(born=born)) is adult
    assert judged("age: {under: adult}", patient(born=born)) is adult.negated


def test_age_and_death_are_unknown_when_the_patient_could_not_be_read():
    for line in ("age: {under: adult}", "deceased: yes"):
        answer = criterion(line).answer(patient(no_patient=True))
        assert (answer.truth, answer.needs) == (UNKNOWN, {"patient"})


@pytest.mark.parametrize("deceased", [MET, NOT_MET, UNKNOWN])
def test_deceased_is_what_the_patient_says(deceased):
    assert judged("deceased: yes", patient(deceased=deceased)) is deceased


@pytest.mark.parametrize(("line", "expected"), [("patient-view", MET), ("order-sign", NOT_MET)])
def test_hook_is_the_hook_of_the_call(line, expected):
    assert judged(f"hook: [{line}, some-other]", patient()) is expected


# ---- sides with

LIMPING = {"limping": criterion("{condition: limp, on: that side}")}


@pytest.mark.parametrize(
    ("sides", "pattern"),
    [
        ([RIGHT], "one"),
        ([LEFT], "one"),
        ([BOTH], "both"),
        ([RIGHT, LEFT], "both"),
        ([UNSTATED], "not stated"),
        ([UNSTATED, RIGHT], "one"),
        ([], None),
    ],
)
@pytest.mark.parametrize("asked", ["both", "one", "not stated"])
def test_sides_with_gives_the_pattern_of_the_sides_that_are_named(sides, pattern, asked):
    situation = patient(*(condition(side=side) for side in sides))
    expected = MET if asked == pattern else NOT_MET
    assert judged(f"{{sides with: limping, are: {asked}}}", situation, definitions=LIMPING) is expected


def test_sides_with_is_unknown_when_the_other_side_could_not_be_read():
    situation = patient(condition(side=RIGHT), unread=["problems"])
    assert judged("{sides with: limping, are: both}", situation, definitions=LIMPING) is UNKNOWN


@pytest.mark.parametrize("asked", ["both", "one", "not stated", "[both, not stated]"])
def test_sides_with_is_unknown_when_nothing_could_be_read(asked):
    situation = patient(unread=["problems"])
    assert judged(f"{{sides with: limping, are: {asked}}}", situation, definitions=LIMPING) is UNKNOWN


def test_no_stated_side_is_unknown_when_what_was_not_read_may_state_it():
    either = {
        "limping": criterion("any: [{condition: limp, on: that side}, {finding: fall, is: present, on: that side}]")
    }
    for asked in ("one", "not stated"):
        line = f"{{sides with: limping, are: {asked}}}"
        assert judged(line, patient(condition(), unread=["findings"]), definitions=either) is UNKNOWN
        assert judged(line, patient(condition(), unread=["devices"]), definitions=either) is not UNKNOWN


def test_a_second_side_is_open_when_one_is_known_and_the_rest_was_not_read():
    situation = patient(condition(side=RIGHT), unread=["problems"])
    assert judged("{sides with: limping, are: one}", situation, definitions=LIMPING) is UNKNOWN


# ---- refusals


def test_with_reason_asks_that_the_refusal_says_why():
    line = "{refused: brace, with reason: yes}"
    assert judged(line, patient(refusal())) is NOT_MET
    assert judged(line, patient(refusal(states_reason=True))) is MET


# ---- joining, naming, and what is refused


def test_a_name_is_the_definition_judged_for_the_side_at_hand():
    situation = patient(condition(side=RIGHT))
    assert judged("limping", situation, side=RIGHT, definitions=LIMPING) is MET
    assert judged("limping", situation, side=LEFT, definitions=LIMPING) is NOT_MET


def test_any_names_every_record_that_supports_it():
    limp, gout = condition("limp"), condition("gout")
    answer = criterion("any: [{condition: limp}, {condition: gout}, {condition: fall}]").answer(patient(limp, gout))
    assert answer.facts == (limp, gout)


def test_none_names_what_could_not_be_read():
    answer = criterion("none: [{condition: limp}, {in use: brace}]").answer(patient(unread=["problems", "devices"]))
    assert (answer.truth, answer.needs) == (UNKNOWN, {"problems", "devices"})


@pytest.mark.parametrize(
    "line",
    [
        "{condition: limp, finding: numbness}",
        "{conditon: limp}",
        "{}",
        "{condition: limp, on: the moon}",
        "{condition: []}",
        "{deceased: no}",
        "{sides with: limping, are: three}",
        "{open order: study, priority at least: routine}",
    ],
)
def test_a_line_is_refused_when_it_is_not_one_criterion_of_the_language(line):
    with pytest.raises(ValidationError):
        criterion(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("condition: limpp", "did you mean 'limp'"),
        ("{condition: limp, onset within: a weak}", "did you mean 'a week'"),
        ("{condition: limp, onset within: weak}", "is in MRC grade"),
        ("{moment: onset, within: a week, at least: a week}", "give one window"),
        ("{moment: onset}", "give one window"),
        ("{moment: onsett, within: a week}", "did you mean 'onset'"),
        ("age: {}", "give one bound of age"),
        ("that draft: {}", "what must the draft be like"),
        ("no such thing", "no definition is called 'no such thing'"),
    ],
)
def test_a_line_is_refused_when_a_name_or_a_unit_is_wrong(line, message):
    with pytest.raises(ValueError, match=message):
        criterion(line, onset=day(3))
