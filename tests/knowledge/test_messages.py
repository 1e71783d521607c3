"""What an author is told: every mistake with its file, line and key, and what would have been right."""

import pytest

from cds_service.authoring.checking import check_knowledge
from cds_service.errors import InvalidKnowledgeError, KnowledgeError
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from tests.knowledge.carpal_tunnel import write

CARD = "recommendations/splints/offer-a-splint.yaml"
DEFINITIONS = "definitions.yaml"

MISTAKES = {
    "an unknown key": (CARD, "when unknown: show", "when unknwon: show", "'when unknwon'", "'when unknown'"),
    "a key that is missing": (CARD, 'strength: "Low."\n', "", "this key is missing: 'strength'", "add it"),
    "a key that stands twice": (CARD, "sort: guidance", "sort: guidance\nsort: critique", "stands twice", "keep one"),
    "a YAML alias": (CARD, "sort: guidance", "sort: *guidance", "alias", "write it out"),
    "an unknown value set": (
        CARD,
        "open order: wrist splint",
        "open order: wrist splints",
        "no value set is called 'wrist splints'",
        "'wrist splint'",
    ),
    "an unknown definition": (
        CARD,
        "for each: {side with: pressed median nerve}",
        "for each: {side with: pressed nerve}",
        "no definition is called 'pressed nerve'",
        "'pressed median nerve'",
    ),
    "a misspelt operator": (CARD, "open order:", "opne order:", "not one criterion", "'open order'"),
    "two operators in one line": (
        CARD,
        "- open order: wrist splint",
        "- open order: wrist splint\n    drafted: wrist splint",
        "not one criterion",
        "one operator",
    ),
    "an option of another operator": (CARD, "on: that side", "certainty: confirmed", "'certainty'", ""),
    "a wrong choice": (CARD, "when unknown: show", "when unknown: perhaps", "'withhold' or 'show'", ""),
    "a wrong unit": (
        "parameters.yaml",
        "{value: 14, unit: days",
        "{value: 14, unit: years",
        "is in years, not in days or hours",
        "use a parameter of time",
    ),
    "a unit that does not exist": (
        "parameters.yaml",
        "{value: 14, unit: days",
        "{value: 14, unit: moons",
        "'days'",
        "",
    ),
    "an unknown parameter": (
        DEFINITIONS,
        "at least: long enough to treat",
        "at least: long enough",
        "no parameter is called 'long enough'",
        "'long enough to treat'",
    ),
    "an unknown moment": (
        DEFINITIONS,
        "moment: onset on that side",
        "moment: onset of that side",
        "no moment is called 'onset of that side'",
        "'onset on that side'",
    ),
    "an unknown slot": (
        CARD,
        "({side}) since {onset}",
        "({side}) since {onste}",
        "no slot is called 'onste'",
        "'onset'",
    ),
    "a brace that is not closed": (CARD, "since {onset}:", "since {onset:", "", ""),
    "HTML in a summary": (CARD, "consider a night", "consider <b>a</b> night", "HTML is not allowed", "use Markdown"),
    "HTML in a detail": (CARD, '["**Found:** {found}."]', '["<script>1</script>"]', "HTML is not allowed", "Markdown"),
    "a summary too long": (CARD, "consider a night splint.", "consider it. " * 12, "characters", "below 140"),
    "a caveat that is missing": (CARD, "caveat: splints not seen\n", "", "needs a caveat", "name one"),
    "an unknown caveat": (
        CARD,
        "caveat: splints not seen",
        "caveat: splint not seen",
        "no caveat is called 'splint not seen'",
        "'splints not seen'",
    ),
    "an order without a reason": (
        CARD,
        "        for: pressed median nerve\n",
        "",
        "an order needs its reason",
        "`for:`",
    ),
    "an unknown orderable": (
        CARD,
        "create: wrist splint",
        "create: wrist cast",
        "no orderable is called 'wrist cast'",
        "",
    ),
    "an action that does two things": (
        CARD,
        "      - create: wrist splint",
        "      - delete draft: yes\n        create: wrist splint",
        "exactly one thing",
        "`create`",
    ),
    "an unknown override reason": (
        CARD,
        "override reasons: [splint at home]",
        "override reasons: [splint in the car]",
        "no override reason is called",
        "'splint at home'",
    ),
    "evidence that nobody listed": (CARD, "evidence: [W01]", "evidence: [W02]", "no evidence is called 'W02'", "'W01'"),
    "a link without a target": (
        CARD,
        "override reasons:",
        "links: [{label: Somewhere}]\noverride reasons:",
        "a link needs",
        "add them",
    ),
    "a date that is none": (CARD, "next review: 2027-01-01", "next review: soon", "date", ""),
    "an id of another shape": (CARD, "id: CTS-1", "id: cts 1", "pattern", ""),
    "a circle of definitions": (
        DEFINITIONS,
        "    all:\n",
        "    all:\n      - pressed median nerve\n",
        "leans on itself",
        "break the circle",
    ),
    "a definition that says nothing": (
        DEFINITIONS,
        "    says: Carpal tunnel syndrome on that side, confirmed and long enough to treat.\n",
        "    says: Something.\n  empty:\n    says: Nothing.\n  pressed median nerve again:\n    says: The same.\n",
        "says nothing",
        "add `any`",
    ),
    "a moment that is no date of records": (
        DEFINITIONS,
        "earliest date of: {condition: carpal tunnel syndrome, on: that side}",
        "earliest date of: {deceased: yes}",
        "a moment is the date of records",
        "use `condition`",
    ),
    "an unknown code system": (
        "value_sets/carpal-tunnel.yaml",
        '{system: ICD-10-CM, code: "G56.01"',
        '{system: ICD-10, code: "G56.01"',
        "no code system is called 'ICD-10'",
        "'ICD-10-CM'",
    ),
    "an unknown need": (
        "value_sets/wrist-splint.yaml",
        "recorded in: [device requests]",
        "recorded in: [device request]",
        "no need is called 'device request'",
        "'device requests'",
    ),
    "a record that no data asked for can show": (
        CARD,
        "open order: wrist splint",
        "done: wrist splint",
        "no data that is asked for can show 'wrist splint' as 'done'",
        "under `recorded in` of 'wrist splint'",
    ),
    "an unknown included set": (
        "value_sets/wrist-splint.yaml",
        "recorded in:",
        "includes: [wrist cast]\nrecorded in:",
        "no value set is called 'wrist cast'",
        "",
    ),
    "nothing that says when it applies": (
        CARD,
        "for each: {side with: pressed median nerve}\n",
        "",
        "nothing says when it applies",
        "add `when`",
    ),
    "a slot with two sources": (
        CARD,
        "onset: {date:",
        "onset: {parameter: long enough to treat, date:",
        "a slot has exactly one source",
        "`parameter`",
    ),
    "an unknown statement of the seed": (
        CARD,
        "seed statements: [S1]",
        "seed statements: [S2]",
        "no seed statement is called 'S2'",
        "'S1'",
    ),
    "an attribute answered by nothing": (
        "source_attributes.yaml",
        "answered by: author",
        "answered by: the author",
        "'author'",
        "",
    ),
    "an unknown value set behind an attribute": (
        "source_attributes.yaml",
        "answered by: author",
        "answered by: value sets, used when asking for: [wrist cast]",
        "no value set is called 'wrist cast'",
        "",
    ),
    "a hook that no service serves": (
        "services.yaml",
        "hooks: [patient-view]",
        "hooks: [patient-views]",
        "no hook of a service is called 'patient-views'",
        "'patient-view'",
    ),
    "an unknown orderable for corrections": (
        "services.yaml",
        "order: chart note",
        "order: chart notes",
        "no orderable is called 'chart notes'",
        "'chart note'",
    ),
    "an unknown reason to dismiss a correction": (
        "services.yaml",
        "override reasons: [chart is right]",
        "override reasons: [chart is fine]",
        "no override reason is called 'chart is fine'",
        "'chart is right'",
    ),
    "a slot that an offered correction does not have": (
        "services.yaml",
        'suggestion: "Write down {what}"',
        'suggestion: "Write down {draft}"',
        "no slot is called 'draft'",
        "",
    ),
    "a key of the offered correction that is missing": (
        "services.yaml",
        "  order: chart note\n",
        "",
        "this key is missing: 'order'",
        "add it",
    ),
    "a slot that what is to be recorded does not have": (
        "override_reasons.yaml",
        "to record: the splint at home}",
        'to record: "the splint, {side}"}',
        "no slot is called 'side'",
        "",
    ),
    "a misspelt key of an override reason": (
        "override_reasons.yaml",
        "to record:",
        "to recrod:",
        "'to recrod'",
        "'to record'",
    ),
    "YAML that does not parse": (CARD, "indicator: {default: info}", "indicator: {default: info", "", "mend the YAML"),
}

FOUND_WHERE_USED = {"a wrong unit": DEFINITIONS}


def told(folder) -> list[KnowledgeError]:
    with pytest.raises(InvalidKnowledgeError) as caught:
        load_knowledge(folder)
    return caught.value.problems


def line_of(text: str, change: str) -> int:
    first = next(line for line in change.split("\n") if line.strip())
    return text[: text.index(first)].count("\n") + 1


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_file_line_key_and_remedy(mistake, tmp_path):
    name, right, wrong, problem, remedy = MISTAKES[mistake]
    path = write(tmp_path) / name
    text = path.read_text()
    assert right in text, "the test's own mistake"
    path.write_text(text.replace(right, wrong, 1))
    found = told(tmp_path)
    mine = [
        one for one in found if problem.lower() in one.problem.lower() and remedy.lower() in (one.remedy or "").lower()
    ]
    assert mine, [str(one) for one in found]
    name = FOUND_WHERE_USED.get(mistake, name)
    assert mine[0].file == name
    assert mine[0].line
    assert str(mine[0]).startswith(f"{name}:{mine[0].line}: ")
    if "YAML" not in mistake:
        assert mine[0].key
    if wrong and mistake not in FOUND_WHERE_USED:
        assert abs(mine[0].line - line_of(path.read_text(), wrong)) <= 3, "the line is near the mistake"


def test_every_mistake_is_told_at_once(tmp_path):
    path = write(tmp_path) / CARD
    text = (
        path.read_text().replace("evidence: [W01]", "evidence: [W02]").replace("create: wrist splint", "create: cast")
    )
    path.write_text(text)
    problems = [one.problem for one in told(tmp_path)]
    assert "no evidence is called 'W02'" in problems
    assert "no orderable is called 'cast'" in problems


def test_an_id_is_refused_when_another_file_has_it(tmp_path):
    path = write(tmp_path) / CARD
    path.with_name("once-more.yaml").write_text(path.read_text())
    (problem,) = (one for one in told(tmp_path) if one.key == "id")
    assert problem.file == "recommendations/splints/once-more.yaml"
    assert "'CTS-1' is the id of recommendations/splints/offer-a-splint.yaml too" in problem.problem
    assert problem.remedy


def test_a_value_set_is_refused_when_another_has_its_name(tmp_path):
    path = write(tmp_path) / "value_sets/wrist-splint.yaml"
    path.with_name("zebra.yaml").write_text(path.read_text())
    (problem,) = (one for one in told(tmp_path) if one.key == "name")
    assert problem.file == "value_sets/zebra.yaml"
    assert "is the name of value_sets/wrist-splint.yaml too" in problem.problem


def test_a_code_is_refused_when_it_stands_in_no_table(tmp_path):
    folder = write(tmp_path)
    (folder / "code_systems/orders.tsv").write_text("code\tside\ttitle\nday-splint\t\tDay splint\n")
    systems = folder / "code_systems/systems.yaml"
    systems.write_text(
        systems.read_text().replace('orders", licence: ours', 'orders", table: orders.tsv, licence: ours')
    )
    problem = next(one for one in told(folder) if "night-splint" in one.problem)
    assert (problem.file, problem.line, problem.key) == ("value_sets/wrist-splint.yaml", 9, "codes.1.code")
    assert "stands in no table of wrist orders" in problem.problem
    assert "add it to the table" in problem.remedy


@pytest.mark.parametrize("name", ["parameters.yaml", "services.yaml", "definitions.yaml", "orderables.yaml"])
def test_a_file_is_missed_when_it_is_not_there(name, tmp_path):
    (write(tmp_path) / name).unlink()
    assert any(one.file == name and "missing" in one.problem for one in told(tmp_path))


def test_a_folder_that_is_not_there_is_told(tmp_path):
    (problem,) = told(tmp_path / "nowhere")
    assert "no such folder" in problem.problem
    assert problem.remedy


@pytest.mark.parametrize("name", ["services.yaml", "definitions.yaml", "parameters.yaml", CARD])
@pytest.mark.parametrize("text", ["", "[]", "just words", "- 1\n- 2\n", "\xff\xfe"])
def test_a_file_of_something_else_is_refused_and_nothing_crashes(name, text, tmp_path):
    (write(tmp_path) / name).write_bytes(text.encode("latin-1"))
    assert all(one.file for one in told(tmp_path))


def test_the_summary_of_an_offered_correction_is_too_long_when_the_longest_reason_is_in_it(tmp_path):
    services = write(tmp_path) / "services.yaml"
    services.write_text(services.read_text().replace("Write it down?", "x" * 108))
    (problem,) = (
        one
        for one in check_knowledge(tmp_path, Settings(database_url="sqlite://")).problems
        if "longest" in one.problem
    )
    assert (problem.file, problem.key) == ("services.yaml", "record correction card.summary")
    assert "it has 140 characters" in problem.problem
    assert "below 140" in problem.remedy


# ---- cases


GOOD_CASE = """\
about: CTS-1
cases:
  - case: A wrist pressed for a month
    given:
      - {condition: carpal tunnel syndrome, side: right, onset: 30 days ago}
    expect: {CTS-1: info}
    says: {CTS-1: "(right)"}
    offers: {CTS-1: Order a night splint (right)}
"""


NEAR_MISSES = """\
  - case: A splint is ordered already
    given:
      - {condition: carpal tunnel syndrome, side: right, onset: 30 days ago}
      - {order: wrist splint, side: right, when: 2 days ago}
    silent: {CTS-1: it is ordered}

  - case: A wrist pressed for thirteen days
    given:
      - {condition: carpal tunnel syndrome, side: right, onset: 13 days ago}
    silent: {CTS-1: a mild spell may pass}

  - case: It is only suspected
    given:
      - {condition: carpal tunnel syndrome, side: right, onset: 30 days ago, certainty: suspected}
    silent: {CTS-1: a suspicion does not count}

  - case: The patient has died
    deceased: yes
    given:
      - {condition: carpal tunnel syndrome, side: right, onset: 30 days ago}
    silent: {CTS-1: no advice for the dead}
"""


def checked(folder, case):
    (folder / "cases").mkdir()
    (folder / "cases/wrist.yaml").write_text(case)
    return check_knowledge(folder, Settings(cards_dir=folder, database_url="sqlite://")).problems


def test_a_case_passes_when_its_cards_are_those_expected(tmp_path):
    said = [str(one) for one in checked(write(tmp_path), GOOD_CASE)]
    assert [one for one in said if "cases/wrist.yaml" in one] == []


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("30 days ago", "13 days ago", "CTS-1 not shown, info expected"),
        ("expect: {CTS-1: info}", "expect: {CTS-1: warning}", "CTS-1 is info, warning expected"),
        ("expect: {CTS-1: info}", "expect: {}", "CTS-1 shown as info, not expected"),
        ("expect: {CTS-1: info}", "silent: {CTS-1: it is Sunday}", "silent expected: it is Sunday"),
        ('"(right)"', '"(left)"', "CTS-1 does not say '(left)'"),
        ("offers: {CTS-1: Order", "offers: {CTS-1: Buy", "CTS-1 offers ['Order a night splint (right)'], expected"),
        ("expect: {CTS-1: info}", "expect: {CTS-2: info}", "no recommendation is called 'CTS-2'"),
        ("carpal tunnel syndrome, side", "carpal tunnel, side", "no value set is called 'carpal tunnel'"),
        ("    expect", "    not read: [condition]\n    expect", "no need is called 'condition'"),
        ("    expect", "    hook: patient-veiw\n    expect", "no hook is called 'patient-veiw'"),
        ("30 days ago", "a month ago", "say when as"),
        ("side: right, onset", "side: upper, onset", "'right', 'left' or 'both'"),
        ("{condition: carpal tunnel syndrome, side", "{condition: present, finding: absent, side", "exactly one of"),
        ("    expect", "    expected: {}\n    expect", "this key is not known here: 'expected'"),
    ],
)
def test_a_case_is_told_with_its_line_when_it_is_wrong(right, wrong, message, tmp_path):
    assert right in GOOD_CASE
    problems = checked(write(tmp_path), GOOD_CASE.replace(right, wrong, 1))
    mine = [one for one in problems if message in str(one)]
    assert mine, [str(one) for one in problems]
    assert mine[0].file == "cases/wrist.yaml"
    assert mine[0].line >= 1


def test_nothing_is_told_when_every_criterion_decides_a_case(tmp_path):
    assert [str(one) for one in checked(write(tmp_path), GOOD_CASE + NEAR_MISSES)] == []


@pytest.mark.parametrize(
    ("case", "file", "key", "message"),
    [
        ("A splint is ordered already", CARD, "", "`open order: wrist splint · on that side` (unless) being met"),
        ("A wrist pressed for thirteen days", DEFINITIONS, "pressed median nerve", "(14 days)` being not met"),
        ("It is only suspected", DEFINITIONS, "pressed median nerve", "`condition: carpal tunnel syndrome"),
        ("The patient has died", DEFINITIONS, "gate: the patient has died", "`deceased: yes` being met"),
    ],
)
def test_a_criterion_that_decides_no_case_is_told_with_its_direction(case, file, key, message, tmp_path):
    others = [one for one in NEAR_MISSES.split("\n\n") if case not in one]
    assert len(others) == NEAR_MISSES.count("- case:") - 1
    (problem,) = checked(write(tmp_path), GOOD_CASE + "\n\n".join(others))
    assert problem.file == file
    assert (problem.key or "") == key
    assert problem.problem.startswith("no case turns on ")
    assert message in problem.problem
    assert problem.remedy == "add one to cards/cases"


def test_two_cases_with_the_same_words_are_told(tmp_path):
    twice = GOOD_CASE + GOOD_CASE.split("cases:\n")[1]
    (problem,) = (one for one in checked(write(tmp_path), twice) if one.file == "cases/wrist.yaml")
    assert "two cases have these words" in problem.problem
    assert problem.line == 9
