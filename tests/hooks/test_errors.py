"""The exception tree: its picture is true, and no message carries what somebody sent."""

import inspect
import re

import pytest

from cds_service import errors


def tree():
    classes = inspect.getmembers(errors, inspect.isclass)
    return {name: value for name, value in classes if issubclass(value, errors.FootDropError)}


def test_the_picture_in_the_docstring_shows_every_error_and_no_other():
    drawn = set(re.findall(r"\b\w+Error\b", errors.__doc__))
    assert drawn == set(tree())


def test_the_picture_shows_each_error_under_its_parent():
    for name in re.findall(r"^ {8}[├└]── (\w+)", errors.__doc__, re.MULTILINE):
        assert tree()[name].__bases__[0] is errors.RequestError


def test_every_name_ends_in_error():
    assert all(name.endswith("Error") for name in tree())


@pytest.mark.norm("JWT-21")
def test_a_refused_token_gets_no_detail():
    with pytest.raises(TypeError):
        errors.UnauthorizedError("signature expired")
    assert str(errors.UnauthorizedError()) == "unauthorized"


def test_an_invalid_request_names_the_member_and_the_problem():
    error = errors.InvalidRequestError("context.userId", "is required")
    assert (error.member, error.problem) == ("context.userId", "is required")
    assert str(error) == "context.userId is required"


@pytest.mark.norm("PFD-8")
def test_a_failed_precondition_names_its_prefetch_keys():
    error = errors.PreconditionError({"patient": "late", "conditions": "not sent"})
    assert error.keys == ("patient", "conditions")
    assert str(error).endswith("patient (late), conditions (not sent)")


def test_a_knowledge_error_says_where_and_what_would_be_right():
    error = errors.KnowledgeError(
        "unknown key", file="cards/services.yaml", line=7, key="titel", remedy="did you mean title?"
    )
    assert str(error) == "cards/services.yaml:7: titel: unknown key (did you mean title?)"


def test_a_knowledge_error_without_a_place_is_only_its_problem():
    assert str(errors.KnowledgeError("no services")) == "no services"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.NotJSONError(), "the body is not JSON (RFC 8259, UTF-8)"),
        (errors.WrongHookError(["patient-view"]), "hook is not one of this service: patient-view"),
        (
            errors.ForeignPatientError("prefetch.conditions", "Condition"),
            "prefetch.conditions holds data (Condition) of another patient than context.patientId",
        ),
        (errors.UnknownServiceError(), "there is no CDS service with this id; see /cds-services"),
        (errors.MethodNotAllowedError(["GET", "HEAD"]), "use GET or HEAD here"),
        (errors.UnsupportedMediaTypeError(), "send the body as Content-Type: application/json"),
        (errors.TooLargeError("bytes", 10), "the body has too many bytes (limit 10)"),
        (errors.TooLargeError("levels of nesting"), "the body has too many levels of nesting"),
        (errors.ForbiddenError("FHIR server"), "this client may not use this FHIR server"),
        (errors.NotHTTPError(), "this is no HTTP/1.1 request"),
        (errors.HeadersTooLargeError(), "the request has too many headers, or too long ones"),
        (errors.TooSlowError("body", 10.0), "the body of the request did not arrive within 10 s"),
        (errors.TooManyCallsError(7), "this client sends too many calls, try again in 7 s"),
        (errors.OverloadedError(3), "too many calls at once, try again in 3 s"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_message_is_a_plain_sentence(error, message):
    assert str(error) == message
    assert isinstance(error, errors.RequestError)
