"""Requests made after the document's own schemas, good ones and bad ones, by schemathesis and Hypothesis.

No answer is a fault or undescribed (`client` sees to that), and a request is refused for its shape exactly where the
schema calls it invalid. `make soak` makes many more.
"""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from cds_service.api.openapi import openapi_of
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from tests.api.world import HOOKS, path_of
from tests.described import Description, is_of_wrong_shape

PATHS = (*map(path_of, HOOKS), f"{path_of('order-sign')}/feedback")
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


@pytest.fixture(scope="module")
def document():
    return openapi_of(load_knowledge(Settings().cards_dir))


@pytest.fixture(scope="module")
def operation_at(document):
    schema = schemathesis.openapi.from_dict(document)
    return lambda method, path: schema[path][method]


@pytest.fixture(scope="module")
def takes(document):
    description = Description(lambda: document)

    def is_valid(path, body):
        kinds = document["paths"][path]["post"]["requestBody"]["content"]
        return description.validator(kinds["application/json"]["schema"]).is_valid(body)

    return is_valid


def examples(number):
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]
    return settings(max_examples=number, phases=NO_SHRINKING, suppress_health_check=checks, deadline=None)


def send_bodies(client, takes, operation, path, mode, number):
    @examples(number)
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        body = case.body if isinstance(case.body, dict | list | str | int | float | bool | None) else None
        answer = client.post(path, content=json.dumps(body), headers={"content-type": case.media_type})
        assert answer.status_code in (200, 400, 412, 413), answer.text[:300]
        assert is_of_wrong_shape(answer) == (not takes(path, body)), (answer.text[:300], str(body)[:500])

    send()


def ask_for_figures(client, operation, path, mode, number):
    @examples(number)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        query = case.query or {}
        answer = client.get(path, params=query)
        assert answer.status_code in (200, 400), answer.text[:300]
        if mode is GenerationMode.POSITIVE and not {"from", "to"} <= set(query):
            assert answer.status_code == 200, (query, answer.text[:300])

    ask()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize("path", PATHS[-2:])  # one hook with drafts stands for all of them here, and feedback
def test_generated_bodies_are_refused_where_the_document_says_so_and_nowhere_else(
    client, takes, operation_at, path, mode
):
    send_bodies(client, takes, operation_at("POST", path), path, mode, 25)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_generated_filters_are_answered_as_described(client, operation_at, mode):
    ask_for_figures(client, operation_at("GET", "/insight.json"), "/insight.json", mode, 15)


@pytest.mark.soak
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize("path", PATHS)
def test_many_generated_bodies_are_refused_where_the_document_says_so(client, takes, operation_at, path, mode):
    send_bodies(client, takes, operation_at("POST", path), path, mode, 300)


@pytest.mark.soak
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize("path", ["/insight", "/insight.json", "/insight.csv"])
def test_many_generated_filters_are_answered_as_described(client, operation_at, path, mode):
    ask_for_figures(client, operation_at("GET", path), path, mode, 200)
