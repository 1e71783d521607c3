"""JSON that is made to hurt: huge, deep, ambiguous, half broken. No fault of ours, no hang, no two readings."""

import copy
import json
import random
import time

import pytest

from cds_service.errors import TooLargeError
from cds_service.hooks.json_limits import JSONLimits
from tests.api.test_mutations import OBSERVATION, ORIGINALS, holder, places
from tests.api.world import (
    HOOKS,
    bundle,
    call,
    codes,
    condition,
    every_hook,
    foot_drop,
    orthosis,
    path_of,
    patient,
    prefetch,
    problem,
)

VIEW = path_of("patient-view")
JSON = {"content-type": "application/json"}
PLACE = '"@@"'
SECONDS = 5  # on a busy machine; the times are milliseconds, but for the largest bodies


def nested(opening, closing, depth):
    return opening * depth + closing * depth


def many(unit, number):
    return f"[{','.join([unit] * number)}]"


HOSTILE = {
    "float beyond all floats": "1e999999",
    "exponent beyond all decimals": "1.5e999999999999999999999",
    "tiny float": "1e-999999",
    "huge integer": "9" * 100_000,
    "huge negative integer": "-" + "9" * 100_000,
    "long fraction": "0." + "9" * 100_000,
    "lone low surrogate": r'"\udc00"',
    "lone high surrogate": r'"\ud800x"',
    "escaped NUL": r'"a\u0000b"',
    "NaN": "NaN",
    "infinity": "-Infinity",
    "deep arrays": nested("[", "]", 900),
    "deep objects": nested('{"a":', "}", 450).replace("}", "1}", 1),
    "nearly too deep": nested("[", "]", 90),
    "last day of all": '"9999-12-31"',
    "first day of all": '"0001-01-01"',
    "last moment of all": '"9999-12-31T23:59:59-14:00"',
    "first moment of all": '"0001-01-01T00:00:00+14:00"',
    "last year of all": '"9999"',
    "many spaces": f'"grade{" " * 20_000}x"',
    "many slashes": f'"{"Patient/" * 5_000}"',
    "many nulls": many("null", 20_000),
    "many objects": many("{}", 20_000),
    "many members": json.dumps({f"member-{number}": 1 for number in range(20_000)}),
    "two types": '{"resourceType":"Patient","resourceType":"Bundle"}',
}
REFUSED = {"NaN", "infinity"}


def sent_with(made, raw):
    """The bytes of a call, with raw JSON where it holds the mark."""
    return json.dumps(made).replace(PLACE, raw).encode()


def fire(client, hook, body):
    """Status and seconds of a call made of bytes."""
    start = time.perf_counter()
    answer = client.post(path_of(hook), content=body, headers=JSON)
    return answer, time.perf_counter() - start


def kinds_of_places(made):
    """A place of each kind: of the items of an array one stands for all."""
    found = {}
    for path in places(made):
        found.setdefault(tuple("#" if isinstance(key, int) else key for key in path), path)
    return list(found.values())


def hurt(client, made, path, name):
    """Put something hostile in a place of a call, and see that it is answered or refused, soon."""
    hostile = copy.deepcopy(made)
    holder(hostile, path)[path[-1]] = PLACE.strip('"')
    answer, seconds = fire(client, made["hook"], sent_with(hostile, HOSTILE[name]))
    assert answer.status_code in ((400,) if name in REFUSED else (200, 400, 412, 413)), (name, path, answer.text)
    assert seconds < SECONDS, (name, path)


@pytest.mark.parametrize("made", ORIGINALS, ids=HOOKS)
def test_a_hostile_value_in_any_place_is_answered_or_refused(client, made):
    dice = random.Random(made["hook"])
    for path in kinds_of_places(made):
        for name in dice.sample(sorted(HOSTILE), 2):
            hurt(client, made, path, name)


@pytest.mark.soak
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("made", ORIGINALS, ids=HOOKS)
def test_each_hostile_value_in_each_place_is_answered_or_refused(client_with, made, zone):
    served = client_with(timezone=zone)
    for path in kinds_of_places(made):
        for name in HOSTILE:
            hurt(served, made, path, name)


# ---- what such bodies have brought down before


@pytest.mark.parametrize("date", ["9999-12-31", "9999-12", "9999", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_date_at_the_end_of_the_calendar_is_a_date(client, hook, date):
    seen = OBSERVATION | {"effectiveDateTime": date}
    earlier = OBSERVATION | {"id": "o-2", "valueInteger": 5}
    records = [foot_drop(onsetDateTime=date)] + ([] if "problem" in hook else [seen, earlier])
    assert client.fire(call(hook, *records)).status_code == 200


def test_a_draft_with_a_number_that_nothing_can_hold_is_passed_over(client):
    drafts = [orthosis(quantity=PLACE.strip('"')), orthosis("draft-2")]
    body = sent_with(call("order-sign", foot_drop(), drafts=drafts), "1.5e999999999999999999999")
    assert fire(client, "order-sign", body)[0].status_code == 200


@pytest.mark.parametrize("name", ["a\x00b", "a b", "ä", "a" * 5000, "../x", "2026-11-22T12:00:00Z"])
def test_a_draft_with_a_strange_id_is_judged_and_offered_for_nothing_that_needs_the_id(client, name):
    made = call("order-sign", foot_drop(), orthosis("order-1", "active"), drafts=[orthosis(name)])
    answer = client.fire(made)
    assert answer.status_code == 200
    assert answer.json()["cards"]


def test_a_grade_among_many_spaces_costs_no_time(client):
    value = "grade" + " " * 200_000 + "x"
    made = call("patient-view", foot_drop(), OBSERVATION | {"valueInteger": None, "valueString": value})
    start = time.perf_counter()
    assert client.fire(made).status_code == 200
    assert time.perf_counter() - start < SECONDS


# ---- depth and number


@pytest.mark.parametrize(("levels", "status"), [(97, 200), (98, 413), (5000, 413)])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('[{"a":', "}]")])
def test_the_levels_are_counted_exactly(client, levels, status, opening, closing):
    """Two levels are the call's own: the call, and its extension."""
    depth, inner = divmod(levels + 1, opening.count("[") + opening.count("{"))
    value = nested(opening, closing, depth).replace(closing, f"1{closing}", 1)
    value = f"[{value}]" if inner else value
    body = sent_with(call(extension={"x": PLACE.strip('"')}), value)
    answer = fire(client, "patient-view", body)[0]
    assert answer.status_code == status
    if status == 413:
        assert "levels of nesting (limit 100)" in problem(answer, 413)["diagnostics"]


LIMITS = JSONLimits(levels=10, elements=1000)


def is_refused(body):
    try:
        LIMITS.check(body)
    except TooLargeError as error:
        return error.what
    return None


@pytest.mark.parametrize("beside", ["", "." * 100_000], ids=["escapes are many", "escapes are few"])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 500,
        "]" * 500,
        '"' + "[" * 500,
        '\\"' + "[" * 500,
        "\\\\",
        "\\",
        "\\\\\\" * 99,
        '\\\\\\"' + "{" * 50,
        "a\\u005b" * 99,
        '","' * 2000,
    ],
)
def test_what_stands_in_strings_is_neither_deep_nor_many(text, beside):
    value = {"a": [text, {text: text}], "b": text, "beside": beside}
    assert is_refused(json.dumps(value).encode()) is None
    assert is_refused(json.dumps(value, ensure_ascii=False).encode()) is None


@pytest.mark.parametrize("beside", ["", "." * 100_000], ids=["escapes are many", "escapes are few"])
@pytest.mark.parametrize("text", ["", '"', "\\", "[", "\\\\", '\\"', 'a"b\\', "\\\\\\"])
def test_what_stands_outside_is_counted_whatever_strings_stand_beside_it(text, beside):
    deep = json.dumps({text: [[[[[[[[[[text]]]]]]]]]], "beside": beside})
    assert is_refused(deep.encode()) == "levels of nesting"
    assert is_refused(json.dumps([text, beside] * 501).encode()) == "elements"


@pytest.mark.parametrize("body", [b"[" * 50, b"]" * 50, b"{" * 30 + b"]" * 30, b"[[]" * 40])
def test_what_is_nested_wrongly_does_not_get_to_the_parser(body):
    assert is_refused(body) == "levels of nesting"


@pytest.mark.parametrize(
    "body", [b"", b"]", b"[}" * 400, b'"', b'"[', b"\xff\xfe", b"[]" * 400, b"[[[[[[[[[[]]]]]]]]]]"]
)
def test_other_faults_are_left_to_the_parser(body):
    assert is_refused(body) is None


def test_a_million_elements_are_refused_and_named(client):
    body = sent_with(call(extension={"x": PLACE.strip('"')}), many("1", 1_000_001))
    answer, seconds = fire(client, "patient-view", body)
    assert "elements (limit 1000000)" in problem(answer, 413)["diagnostics"]
    assert seconds < SECONDS


@pytest.mark.parametrize("unit", ["null", "1", "{}", '""', "[]", '{"resource":{}}', '{"resource":1}'])
@pytest.mark.parametrize("member", ["entry", "contained", "coding", "selections"])
def test_as_many_elements_as_are_read_are_read_in_time(client, unit, member):
    made = call("order-select", foot_drop(), drafts=[orthosis()])
    record = made["prefetch"]["conditions"]["entry"][0]["resource"]
    place = {
        "entry": made["prefetch"]["conditions"],
        "contained": record,
        "coding": record["code"],
        "selections": made["context"],
    }[member]
    place[member] = PLACE.strip('"')
    answer, seconds = fire(client, "order-select", sent_with(made, many(unit, 200_000)))
    assert answer.status_code in (200, 400, 412, 413)
    assert seconds < SECONDS


def test_names_and_numbers_that_might_collide_cost_no_time(client):
    modulus = 2**61 - 1  # of Python's hash of a number
    keys = {f"key-{number}": None for number in range(50_000)}
    made = call("patient-view", *(foot_drop(id=number * modulus) for number in range(5)), prefetch=None)
    made["prefetch"] = prefetch(foot_drop()) | keys
    made["prefetch"]["observations"] = bundle(*(OBSERVATION | {"id": n * modulus} for n in range(8)))
    start = time.perf_counter()
    assert client.fire(made).status_code == 200
    assert time.perf_counter() - start < SECONDS


def test_thousands_of_resources_with_one_id_cost_no_time(client):
    made = call(prefetch=prefetch(conditions=bundle(*(condition("I10") for _ in range(20_000)))))
    answer, seconds = fire(client, "patient-view", json.dumps(made).encode())
    assert answer.status_code == 200
    assert seconds < SECONDS


# ---- what is no JSON, or just so


@pytest.mark.parametrize("place", ["top", "inside"])
@pytest.mark.parametrize("raw", [b"\x00", b"\x1f", b"\xc0\x80", b"\xed\xa0\x80", b"\xff", b"\xf5\x80\x80\x80"])
def test_bytes_that_are_no_text_are_refused(client, raw, place):
    body = json.dumps(call(extension={"x": "@@"})).encode()
    body = raw + body if place == "top" else body.replace(b"@@", raw)
    assert problem(fire(client, "patient-view", body)[0], 400)["code"] == "structure"


def test_a_byte_order_mark_is_passed_over_and_a_second_is_not(client):
    body = json.dumps(every_hook()["patient-view"]).encode()
    assert fire(client, "patient-view", b"\xef\xbb\xbf" + body)[0].json()["cards"]
    assert fire(client, "patient-view", b"\xef\xbb\xbf" * 2 + body)[0].status_code == 400


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_refused(client, encoding):
    body = json.dumps(call()).encode(encoding)
    assert problem(fire(client, "patient-view", body)[0], 400)["code"] == "structure"


# ---- a name that stands twice


def twice(text, name, other):
    """The JSON with another member of this name in front of the first one, and behind it."""
    before = text.replace(f'"{name}":', f'"{name}": {other}, "{name}":', 1)
    end = json.JSONDecoder().raw_decode(text, text.index(f'"{name}":') + len(name) + 4)[1]
    return before, f'{text[:end]}, "{name}": {other}{text[end:]}'


AMBIGUOUS = {
    "hook": ['"order-sign"', '"patient-view"', "null"],
    "hookInstance": ['"another"'],
    "context": ["{}", "null", '{"patientId": "another", "userId": "Practitioner/1"}'],
    "userId": ['"Practitioner/another"'],
    "patientId": ['"another"', '"pat-77"'],
    "prefetch": ["{}", "null", '{"patient": {"deep": [{"er": 1}]}}', '{"x": 1}'],
    "conditions": ['{"resourceType": "Bundle"}', "null", "12"],
    "fhirServer": ['"https://another.example/fhir"'],
    "fhirAuthorization": ["null"],
    "access_token": ['"another"'],
    "scope": ['"patient/*.read"'],
    "org.example.own": ["1", "[[{}]]"],
}


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in AMBIGUOUS.items() for other in others])
def test_a_call_in_which_a_member_that_matters_stands_twice_is_refused(client, name, other):
    granted = {"access_token": "t", "token_type": "Bearer", "expires_in": 1, "scope": "s", "subject": "u"}
    made = call("patient-view", foot_drop(), fhirServer="http://127.0.0.1:1/fhir", fhirAuthorization=granted)
    text = json.dumps(made | {"org.example.own": {"a": [1, {"b": "]}"}]}})
    assert fire(client, "patient-view", text.encode())[0].status_code == 200
    for ambiguous in twice(text, name, other):
        issue = problem(fire(client, "patient-view", ambiguous.encode())[0], 400)
        assert "more than once" in issue["diagnostics"] or name in str(issue["expression"])


@pytest.mark.parametrize(
    ("hook", "name", "other"),
    [
        ("order-sign", "draftOrders", "null"),
        ("order-sign", "draftOrders", '{"entry": [{"resource": {"id": "}"}}]}'),
        ("order-select", "selections", '["DeviceRequest/draft-2"]'),
        ("order-select", "encounterId", '"another"'),
        ("encounter-discharge", "encounterId", '"another"'),
        ("problem-list-item-create", "conditions", '{"resourceType": "Bundle"}'),
    ],
)
def test_a_context_in_which_a_member_stands_twice_is_refused_at_each_hook(client, hook, name, other):
    for ambiguous in twice(json.dumps(every_hook()[hook]), name, other):
        assert problem(fire(client, hook, ambiguous.encode())[0], 400)["expression"] == ["context"]


def test_a_name_is_the_same_however_it_is_written(client):
    text = json.dumps(call())
    ambiguous = '{"\\u0068ook": "order-sign",' + text[1:]
    assert problem(fire(client, "patient-view", ambiguous.encode())[0], 400)["expression"] == ["the body"]


@pytest.mark.parametrize("name", ["feedback", "card", "outcome", "outcomeTimestamp"])
def test_a_report_in_which_a_member_stands_twice_is_refused(client, name):
    entry = {
        "card": "4d1577c6-dfbe-44ad-ba6d-3e05e953b2ea",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T12:00:00Z",
    }
    text = json.dumps({"feedback": [entry]})
    other = {"feedback": "[]", "outcomeTimestamp": '"2026-11-21T12:00:00Z"'}.get(name, '"accepted"')
    for ambiguous in twice(text, name, other):
        answer = client.post(f"{VIEW}/feedback", content=ambiguous.encode(), headers=JSON)
        assert problem(answer, 400)


@pytest.mark.parametrize("member", ["subject", "code", "clinicalStatus", "resourceType", "id"])
def test_in_a_resource_the_last_member_of_a_name_counts_however_it_is_read(client, member):
    """Taken whole, or apart because something beside it does not fit."""
    record = json.dumps(foot_drop())
    other = {"subject": '{"reference": "Patient/pat-77"}', "resourceType": '"Condition"', "id": '"c-9"'}
    for ambiguous in twice(record, member, other.get(member, json.dumps(condition("I10")["code"]))):
        whole, apart = (
            fire(
                client,
                "patient-view",
                json.dumps(call(prefetch=prefetch(conditions=found))).replace(PLACE, ambiguous).encode(),
            )[0]
            for found in (bundle("@@"), bundle("@@", {"resourceType": "Basic"}))
        )
        assert codes(whole) == codes(apart)


def test_a_subject_that_stands_twice_binds_a_resource_to_the_last(client):
    record = json.dumps(foot_drop())
    mine, foreign = '{"reference": "Patient/pat-77"}', '{"reference": "Patient/another"}'
    for ambiguous, status in zip(twice(record, "subject", foreign), (200, 400), strict=True):
        made = call(prefetch=prefetch(conditions=bundle("@@")))
        assert mine in ambiguous
        assert (
            fire(client, "patient-view", json.dumps(made).replace(PLACE, ambiguous).encode())[0].status_code == status
        )


def test_the_patient_of_a_call_is_nobody_else_where_a_resource_says_two_types(client):
    two = '{"resourceType": "Patient", "id": "pat-77", "resourceType": "Condition"}'
    made = call(prefetch=prefetch(patient=patient(), conditions=bundle("@@", foot_drop())))
    answer = fire(client, "patient-view", json.dumps(made).replace(PLACE, two).encode())[0]
    assert answer.status_code == 200
    assert answer.json()["extension"]["org.example.foot-drop-cds.data-gaps"]
