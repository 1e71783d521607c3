"""Reading a service call: tolerant of what clients do, exact about what is missing."""

import copy
import json
import pickle

import msgspec
import pytest

from cds_service.errors import InvalidRequestError, NotJSONError, TooLargeError
from cds_service.hooks.request import AccessToken, FHIRAuthorization, parse_request

SECRET = "tok-3n.secret~/+=="
AUTHORIZATION = {
    "access_token": SECRET,
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/Patient.read user/Observation.rs",
    "subject": "cds-service",
}
CALL = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/1", "patientId": "1"},
}


def body(**members):
    return json.dumps(CALL | members).encode()


def without(member):
    return json.dumps({name: value for name, value in CALL.items() if name != member}).encode()


def authorized(**members):
    return body(fhirServer="https://ehr.example/fhir", fhirAuthorization=AUTHORIZATION | members)


def refusal(data):
    with pytest.raises(InvalidRequestError) as caught:
        parse_request(data)
    return caught.value.member, caught.value.problem


@pytest.mark.norm("REQ-1", "REQ-2", "REQ-3", "REQ-6", "JSN-1")
def test_a_minimal_call_is_read():
    call = parse_request(body())
    assert call.hook == "patient-view"
    assert call.hook_instance == CALL["hookInstance"]
    assert json.loads(bytes(call.context)) == CALL["context"]
    assert call.prefetch is None
    assert call.fhir_server is None
    assert call.fhir_authorization is None


@pytest.mark.norm("REQ-2", "REQ-3", "REQ-6")
@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
def test_a_missing_required_member_is_named(member):
    assert refusal(without(member)) == (member, "is required")


@pytest.mark.norm("JSN-3", "JSN-5")
@pytest.mark.parametrize("member", ["hook", "hookInstance"])
@pytest.mark.parametrize("value", ["", "  ", "\t\n", "\u00a0"])
def test_a_required_string_that_is_blank_is_named(member, value):
    assert refusal(body(**{member: value})) == (member, "is empty")


@pytest.mark.norm("REQ-2", "REQ-3", "REQ-4", "REQ-5", "REQ-6", "REQ-7")
@pytest.mark.parametrize(
    ("member", "value", "problem"),
    [
        ("hook", 5, "must be of type string"),
        ("hook", None, "must be of type string"),
        ("hookInstance", ["a"], "must be of type string"),
        ("context", [], "must be of type object"),
        ("context", "x", "must be of type object"),
        ("context", None, "must be of type object"),
        ("prefetch", [], "must be of type object"),
        ("fhirServer", 1, "must be of type string"),
        ("fhirAuthorization", "Bearer x", "must be of type object"),
    ],
)
def test_a_member_of_the_wrong_type_is_named(member, value, problem):
    assert refusal(body(**{member: value})) == (member, problem)


@pytest.mark.parametrize("data", [b"[]", b"null", b"5", b'"x"', b"true"])
def test_a_body_that_is_no_object_is_refused(data):
    assert refusal(data) == ("the body", "must be of type object")


@pytest.mark.norm("REQ-3")
def test_a_hook_instance_that_is_no_uuid_is_accepted():
    assert parse_request(body(hookInstance="test-123")).hook_instance == "test-123"


@pytest.mark.norm("REQ-8", "EXT-1", "EXT-4")
def test_unknown_members_and_extensions_are_ignored():
    call = parse_request(body(user="Practitioner/1", applyCql=False, extension={"com.example.x": 1}))
    assert bytes(call.extension) == b'{"com.example.x": 1}'
    assert bytes(parse_request(body()).extension) == b"{}"


@pytest.mark.norm("REQ-7", "JSN-2", "PFD-1")
@pytest.mark.parametrize("data", [body(), body(prefetch=None)], ids=["absent", "null"])
def test_no_prefetch_is_none_at_all(data):
    assert parse_request(data).prefetch is None


@pytest.mark.norm("JSN-2", "PFD-2", "PFD-4")
def test_prefetch_values_are_kept_as_sent_and_null_is_one_of_them():
    values = {"patient": {"resourceType": "Patient"}, "a": None, "b": {"resourceType": "OperationOutcome"}}
    prefetch = parse_request(body(prefetch=values)).prefetch
    assert {key: json.loads(bytes(raw)) for key, raw in prefetch.items()} == values
    assert prefetch["a"] == msgspec.Raw(b"null")


@pytest.mark.norm("JSN-4")
@pytest.mark.parametrize("member", ["fhirServer", "fhirAuthorization"])
def test_an_optional_member_that_is_null_counts_as_absent(member):
    parse_request(body(**{member: None}))


@pytest.mark.norm("REQ-4")
@pytest.mark.parametrize(
    "url",
    [
        "https://ehr.example/fhir",
        "http://127.0.0.1:8191/fhir",
        "https://hapi.fhir.org/baseR4/",
        "http://[::1]:8080/r4",
        "https://EXAMPLE/r4",
    ],
)
def test_an_absolute_fhir_server_is_kept_as_sent(url):
    assert parse_request(body(fhirServer=url)).fhir_server == url


@pytest.mark.norm("REQ-4")
@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "ehr.example/fhir",
        "/fhir",
        "//ehr.example/fhir",
        "ftp://ehr.example/fhir",
        "file:///etc/passwd",
        "{{fhirServerUrl}}",
        "https://",
        "https:///fhir",
        "https://ehr.example:port/fhir",
        "https://ehr.example:99999/fhir",
        "https://[::1/fhir",
        "https://user:word@ehr.example/fhir",
        "https://ehr.example/fhir?x=1",
        "https://ehr.example/fhir#x",
        "https://ehr.example/fh ir",
        "https://ehr.example/\nfhir",
        "https://ehr.exämple/fhir",
    ],
)
def test_a_fhir_server_that_is_no_absolute_web_address_is_refused(url):
    assert refusal(body(fhirServer=url)) == ("fhirServer", "must be an absolute http or https URL")


@pytest.mark.norm("REQ-4", "REQ-5")
def test_an_authorization_without_its_server_is_refused():
    assert refusal(body(fhirAuthorization=AUTHORIZATION)) == ("fhirServer", "is required with fhirAuthorization")


@pytest.mark.norm("REQ-5", "FHA-3", "FHA-4", "FHA-5", "FHA-6", "FHA-7")
def test_a_full_authorization_is_read():
    authorization = parse_request(authorized()).fhir_authorization
    assert authorization.access_token.reveal() == SECRET
    assert authorization.token_type == "Bearer"
    assert authorization.expires_in == 300
    assert authorization.scope == AUTHORIZATION["scope"]
    assert authorization.subject == "cds-service"
    assert authorization.patient is None


@pytest.mark.norm("FHA-3", "FHA-4", "FHA-5", "FHA-6", "FHA-7")
@pytest.mark.parametrize("member", list(AUTHORIZATION))
def test_each_missing_member_of_the_authorization_is_named(member):
    partial = {name: value for name, value in AUTHORIZATION.items() if name != member}
    data = body(fhirServer="https://ehr.example/fhir", fhirAuthorization=partial)
    assert refusal(data) == (f"fhirAuthorization.{member}", "is required")


@pytest.mark.norm("FHA-3", "FHA-4", "FHA-5", "FHA-6", "FHA-7", "FHA-8")
@pytest.mark.parametrize(
    ("member", "value", "problem"),
    [
        ("access_token", "", "is empty"),
        ("access_token", 5, "must be of type string"),
        ("access_token", None, "must be of type string"),
        ("access_token", "a\r\nX-Evil: 1", "has characters that no bearer token has"),
        ("access_token", "tökën", "has characters that no bearer token has"),
        ("token_type", "MAC", "must be Bearer"),
        ("expires_in", "300", "must be of type integer"),
        ("expires_in", True, "must be of type integer"),
        ("scope", " ", "is empty"),
        ("subject", "", "is empty"),
        ("patient", 5, "must be of type string"),
        ("patient", "Group/1", "must be an id of type Patient"),
    ],
)
def test_a_faulty_member_of_the_authorization_is_named(member, value, problem):
    assert refusal(authorized(**{member: value})) == (f"fhirAuthorization.{member}", problem)


@pytest.mark.norm("FHA-4")
@pytest.mark.parametrize("spelling", ["Bearer", "bearer", "BEARER"])
def test_the_token_type_is_read_in_any_case(spelling):
    assert parse_request(authorized(token_type=spelling)).fhir_authorization.token_type == spelling


@pytest.mark.norm("FHA-8")
@pytest.mark.parametrize("patient", ["123", "Patient/123"])
def test_the_patient_of_a_token_is_a_bare_id(patient):
    assert parse_request(authorized(patient=patient)).fhir_authorization.patient == "123"


@pytest.mark.norm("FHA-9")
def test_the_access_token_never_shows_itself():
    call = parse_request(authorized())
    token = call.fhir_authorization.access_token
    for shown in (repr(token), str(token), f"{token}", f"{token!s:>9}", repr(call), repr(call.fhir_authorization)):
        assert "secret" not in shown
    for give_away in (pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError):
            give_away(token)


@pytest.mark.norm("FHA-9")
def test_the_access_token_has_no_public_attribute_but_reveal():
    assert [name for name in dir(AccessToken) if not name.startswith("_")] == ["reveal"]


def test_what_exists_is_valid():
    with pytest.raises(InvalidRequestError, match="token_type must be Bearer"):
        FHIRAuthorization(
            access_token=AccessToken("x"), token_type="mac", expires_in=1, scope="a", subject="b", patient=None
        )


@pytest.mark.norm("JSN-1", "JSN-7")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"{",
        b"hello",
        body() + b"x",
        body()[:-1],
        body()[:-1] + b",}",
        b"// a call\n" + body(),
        body().replace(b'"1"}', b"NaN}"),
        body().replace(b'"1"}', b"01}"),
        body().replace(b'"1"}', b'"\x01"}'),
        body().decode().encode("utf-16"),
        body().replace(b"Practitioner/1", b"\xff"),
        body(other=1).replace(b'"other": 1', b'"other": "\xc3("'),
        body().replace(b"Practitioner/1", rb"\ud800"),
        body().replace(b"Practitioner/1", rb"\udc00"),
        body().replace(b"patient-view", rb"\ud83d\ud83d"),
    ],
)
def test_a_body_that_is_not_json_is_refused_as_such(data):
    with pytest.raises(NotJSONError):
        parse_request(data)


@pytest.mark.norm("JSN-1")
def test_a_byte_order_mark_is_skipped():
    assert parse_request(b"\xef\xbb\xbf" + body()) == parse_request(body())


def test_characters_beyond_ascii_are_read():
    assert parse_request(json.dumps(CALL | {"hookInstance": "ü-😀"}, ensure_ascii=False).encode())


@pytest.mark.parametrize("member", ["context", "prefetch", "extension", "unknown"])
def test_absurd_nesting_is_too_large(member):
    nested = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    data = body(**{member: "HERE"}).replace(b'"HERE"', nested)
    with pytest.raises(TooLargeError, match="levels of nesting"):
        parse_request(data)


@pytest.mark.parametrize("number", [b"1e999999", b"9" * 5000, b"-1e-999999"])
def test_a_huge_number_where_nobody_looks_does_no_harm(number):
    data = body(prefetch="HERE").replace(b'"HERE"', b'{"a": ' + number + b"}")
    assert bytes(parse_request(data).prefetch["a"]) == number


def test_a_huge_number_in_a_member_we_read_is_refused_by_name():
    data = authorized(expires_in="HERE").replace(b'"HERE"', b"1e999999")
    assert refusal(data)[0] == "fhirAuthorization.expires_in"


def test_a_member_that_stands_there_twice_is_refused():
    data = body().replace(b'{"hook"', b'{"hook": "order-sign", "hook"', 1)
    assert refusal(data) == ("the body", "has a member that stands there more than once")


def test_a_refusal_quotes_nothing_that_was_sent():
    with pytest.raises(InvalidRequestError) as caught:
        parse_request(body(fhirServer="Jane Doe, born 1958"))
    assert "Doe" not in str(caught.value)
    assert caught.value.__cause__ is None
