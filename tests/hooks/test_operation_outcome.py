"""The OperationOutcome beside an error status."""

import json

import pytest

from cds_service.hooks.operation_outcome import Issue, OperationOutcome, encode


@pytest.mark.norm("RSP-6", "JSN-6")
def test_an_outcome_is_a_fhir_resource():
    issue = Issue(severity="error", code="required", diagnostics="is required", expression=("context.userId",))
    assert json.loads(encode(OperationOutcome(issue=(issue,)))) == {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "error", "code": "required", "diagnostics": "is required", "expression": ["context.userId"]}
        ],
    }


@pytest.mark.norm("JSN-3", "JSN-4")
def test_what_is_not_known_is_left_out():
    outcome = OperationOutcome(issue=(Issue(severity="error", code="login"),))
    assert encode(outcome) == b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"login"}]}'


def test_an_outcome_says_something():
    with pytest.raises(ValueError, match="at least one issue"):
        OperationOutcome(issue=())
