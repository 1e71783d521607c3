"""What is sent for one query, and what of it shows itself nowhere."""

import asyncio
import logging
import traceback

import pytest

from cds_service.domain.facts import GapReason, NeedState
from cds_service.errors import FetchError
from tests.fhir_client.mocked import PATIENT_RESOURCE, told
from tests.fhir_client.world import PATIENT, SEARCH, TOKEN, asked, bundle, condition, reply, world

# ---- what is sent


def test_a_search_is_sent_with_its_headers_and_nothing_else():
    _, (seen,) = asked(bundle(condition()))
    assert (seen.method, seen.target) == ("GET", f"/fhir/{SEARCH}&_count=200")
    names = sorted(name for name, _ in seen.headers)
    assert names == ["accept", "accept-encoding", "authorization", "host", "prefer", "user-agent"]
    assert seen.header("accept") == "application/fhir+json, application/json;q=0.9"
    assert seen.header("accept-encoding") == "gzip"
    assert seen.header("authorization") == f"Bearer {TOKEN}"
    assert seen.header("prefer") == "handling=strict"
    assert seen.header("user-agent").startswith("foot-drop-cds/")
    assert seen.body == b""


def test_a_read_is_no_search_and_asks_for_no_strictness():
    answer, (seen,) = asked(PATIENT_RESOURCE, text=f"Patient/{PATIENT}")
    assert answer.state("Patient") is NeedState.PRESENT
    assert (seen.method, seen.target) == ("GET", f"/fhir/Patient/{PATIENT}")
    assert seen.all("prefer") == []


def test_no_authorization_is_sent_when_no_token_was_given():
    _, (seen,) = asked(bundle(condition()), token=None)
    assert seen.all("authorization") == []


def test_the_authorization_is_on_every_request_to_the_base_and_nowhere_else():
    def serve(one):
        if "_page" not in one.target:
            return reply(bundle(condition("c-1"), next=f"http://{one.header('host')}/fhir/Condition?_page=2"))
        if "_page=2" in one.target:
            return reply(status=307, location="Condition?_page=3")
        return reply(bundle(condition("c-2"), next="http://localhost:1/fhir/Condition?_page=4"))

    answer, seen = asked(serve)
    assert [one.header("authorization") for one in seen] == [f"Bearer {TOKEN}"] * 3
    assert answer.reason is GapReason.UNSAFE
    assert len(answer.items) == 2


@pytest.mark.parametrize(
    ("text", "count"), [(SEARCH, "200"), (f"{SEARCH}&_count=100", "100"), (f"{SEARCH}&_count=7", "7")]
)
def test_a_page_size_is_asked_for_when_the_query_names_none(text, count):
    _, (seen,) = asked(bundle(condition()), text=text)
    assert seen.query == {"patient": PATIENT, "_count": count}


LONG = f"Observation?patient={PATIENT}&code={','.join(f'code-{number}' for number in range(400))}"


def test_a_search_is_posted_as_a_form_when_its_url_would_be_too_long():
    found = {"resourceType": "Observation", "id": "o-1", "subject": {"reference": f"Patient/{PATIENT}"}}
    answer, (seen,) = asked(bundle(found), text=LONG)
    assert answer.state("Observation") is NeedState.PRESENT
    assert (seen.method, seen.target) == ("POST", "/fhir/Observation/_search")
    assert seen.header("content-type") == "application/x-www-form-urlencoded"
    assert seen.header("content-length") == str(len(seen.body))
    assert seen.header("prefer") == "handling=strict"
    assert seen.header("authorization") == f"Bearer {TOKEN}"
    codes = ",".join(f"code-{number}" for number in range(400))
    assert seen.form == {"patient": PATIENT, "code": codes, "_count": "200"}


def test_a_search_is_a_get_just_as_long_as_its_url_may_be():
    async def lengths():
        async with world(bundle(condition())) as here:
            await here.ask()
            return len(here.seen[0].target) + len(here.seen[0].header("host"))

    needed = asyncio.run(lengths())
    for room, method in ((needed + 12, "GET"), (needed - 1, "POST")):
        assert asked(bundle(condition()), url=room)[1][0].method == method


def test_no_cookie_is_kept_between_requests_and_calls():
    async def ask():
        cookie = reply(bundle(condition()), set_cookie="session=9f0c; Path=/")
        async with world(reply(status=302, location="/fhir/a", set_cookie="s=1; Path=/"), cookie) as here:
            await here.ask()
            await here.ask()
            await (await here.other_call(TOKEN)).ask()
            return here.seen

    seen = asyncio.run(ask())
    assert len(seen) == 4
    assert all(one.all("cookie") == [] for one in seen)


def test_connections_are_kept_and_tokens_are_not_when_calls_follow_each_other():
    async def ask():
        async with world(bundle(condition())) as here:
            await here.ask()
            await here.ask(f"Procedure?patient={PATIENT}")
            await (await here.other_call("another-token")).ask()
            await (await here.other_call(None)).ask()
            return here.seen, here.client.open_connections

    seen, kept = asyncio.run(ask())
    assert [one.connection for one in seen] == [1, 1, 1, 1]
    assert kept == 1
    assert [one.header("authorization") for one in seen] == [f"Bearer {TOKEN}"] * 2 + ["Bearer another-token", None]


@pytest.mark.parametrize("status", [404, 500, 302])
def test_a_connection_is_used_again_after_a_failure_with_a_short_body(status):
    async def ask():
        failure = reply({"resourceType": "OperationOutcome"}, status=status)
        async with world(failure, bundle(condition())) as here:
            await here.ask()
            await here.ask()
            return here.seen

    assert [one.connection for one in asyncio.run(ask())] == [1, 1]


# ---- what may not be asked


@pytest.mark.parametrize("server", ["http://10.0.0.1/fhir", "http://169.254.169.254/fhir", "http://[fe80::1]/fhir"])
def test_a_server_is_unsafe_when_its_address_may_not_be_connected_to(server):
    async def ask():
        async with world(bundle()) as here:
            here.script.base = server
            return await (await here.other_call(TOKEN)).ask()

    assert told(asyncio.run(ask())) == (NeedState.FAILED, GapReason.UNSAFE)


def test_nothing_is_sent_when_the_registration_does_not_know_the_server():
    answer, seen = asked(bundle(condition()), rules=None)
    assert told(answer) == (NeedState.FAILED, GapReason.SERVER_NOT_ALLOWED)
    assert seen == []


def test_nothing_is_sent_when_the_token_does_not_reach_so_far():
    answer, seen = asked(bundle(condition()), scope="patient/Observation.read")
    assert told(answer) == (NeedState.DENIED, GapReason.OUT_OF_SCOPE)
    assert seen == []


def test_an_answer_proves_no_absence_when_the_token_narrows_it():
    answer, seen = asked(bundle(condition()), scope="patient/Condition.rs?category=problem-list-item")
    assert (answer.state("Condition"), answer.reason) == (NeedState.TRUNCATED, GapReason.OUT_OF_SCOPE)
    assert len(answer.items) == len(seen) == 1


# ---- the token shows itself nowhere


def test_the_token_is_nowhere_but_in_its_header_when_all_is_printed_and_logged(caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpcore")  # more than the service ever lets it write
    away = reply(status=302, location="http://evil.test/")

    async def ask():
        async with world(bundle(condition()), reply(status=500), away) as here:
            answers = [await here.ask() for _ in range(3)]
            connection = here.session.connection
            with pytest.raises(FetchError) as caught:
                await connection.send("GET", "/fhir/x", is_search=True)
            assert [one.header("authorization") for one in here.seen] == [f"Bearer {TOKEN}"] * 4
            request = connection.request("GET", "/fhir/x", is_search=True)
            shown = (here.session, connection, connection.origin, connection.token, here.client, request, *answers)
            return [f"{one!r} {one!s}" for one in shown], caught.value

    shown, error = asyncio.run(ask())
    chain = [repr(error), str(error), repr(error.__cause__), repr(error.__context__)]
    assert "send_request_headers" in caplog.text
    assert TOKEN not in "\n".join([*shown, *chain, caplog.text])
    assert TOKEN not in "".join(traceback.format_exception(error))


def test_nothing_that_a_server_says_is_logged_when_the_service_logs_all_it_can(client_with, caplog):
    client_with(log_level="debug")
    caplog.set_level(logging.DEBUG)
    asked(reply(status=302, location=f"/fhir/moved?patient={PATIENT}"), reply(status=404))
    assert PATIENT not in caplog.text
