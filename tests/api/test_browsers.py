"""What a page in a browser may do, and who may connect at all in open mode."""

import pytest

from tests.api.world import call, path_of, problem

SANDBOX = "https://sandbox.cds-hooks.org"
VIEW = path_of("patient-view")


def preflight(client, origin, path=VIEW, method="POST", **headers):
    asked = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
    }
    return client.request("OPTIONS", path, headers=asked | headers)


@pytest.mark.norm("COR-1")
@pytest.mark.parametrize("origin", [SANDBOX, "http://localhost:8080", "http://localhost", "http://127.0.0.1:3000"])
@pytest.mark.parametrize("path", ["/cds-services", VIEW, f"{VIEW}/feedback"])
def test_the_sandbox_and_pages_of_this_machine_may_call(client, origin, path):
    answer = preflight(client, origin, path, "GET" if path == "/cds-services" else "POST")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.norm("COR-1")
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://sandbox.cds-hooks.org.evil.example",
        "http://sandbox.cds-hooks.org",
        "http://localhost.evil.example",
        "http://localhost:8080.evil.example",
        "null",
    ],
)
def test_other_pages_may_not_call(client, origin):
    answer = preflight(client, origin)
    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers
    answer = client.fire(call(), headers={"origin": origin})
    assert "access-control-allow-origin" not in answer.headers


def test_a_public_page_may_reach_this_machine_where_the_browser_asks_first(client):
    answer = preflight(client, SANDBOX, **{"access-control-request-private-network": "true"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("status", [200, 400, 404, 405])
def test_a_page_can_read_answers_and_refusals_alike(client, status):
    made = {200: call(), 400: {}, 404: call(), 405: None}[status]
    path = f"{VIEW}-unknown" if status == 404 else VIEW
    answer = client.request("GET" if status == 405 else "POST", path, json=made, headers={"origin": SANDBOX})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == SANDBOX


def test_only_the_origins_that_are_set_may_call_when_any_is_set(client_with):
    served = client_with(cors_origins="https://ehr.example/, https://other.example")
    assert preflight(served, "https://ehr.example").status_code == 200
    assert preflight(served, "https://other.example").status_code == 200
    assert preflight(served, SANDBOX).status_code == 400
    assert preflight(served, "http://localhost:8080").status_code == 400


@pytest.mark.parametrize("settings", [{}, {"cors_origins": "https://ehr.example"}])
def test_no_page_may_send_cookies_and_no_answer_is_for_every_page(client_with, settings):
    served, origin = client_with(**settings), settings.get("cors_origins", SANDBOX)
    answers = [preflight(served, origin), served.fire(call(), headers={"origin": origin}), served.get("/cds-services")]
    for answer in answers:
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers.get("access-control-allow-origin", origin) == origin


def test_a_page_may_ask_first_without_a_token_and_however_often(client_with):
    served = client_with(calls_a_minute=1)
    assert served.fire(call()).status_code == 200
    assert [preflight(served, SANDBOX).status_code for _ in range(5)] == [200] * 5
    refused = served.fire(call(), headers={"origin": SANDBOX})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (429, SANDBOX)


# ---- open mode


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "127.0.0.53"])
def test_this_machine_may_connect_under_each_of_its_names(client, host):
    assert client.get("/cds-services", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "10.0.0.7:8080", "localhost.evil.example", "localhost@evil.example", "[::2]", "a]", ""]
)
def test_another_name_for_this_machine_is_refused_lest_a_web_page_rebinds_it(client, host):
    assert "open mode" in problem(client.get("/cds-services", headers={"host": host}), 403)["diagnostics"]


def test_two_hosts_are_refused(client):
    answer = client.get("/cds-services", headers=[("host", "localhost"), ("host", "evil.example")])
    assert problem(answer, 403)


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP"]
)
def test_what_came_through_a_proxy_is_refused(client, header):
    assert problem(client.fire(call(), headers={header: "127.0.0.1"}), 403)


def test_other_hosts_may_connect_when_open_mode_is_allowed_there(client_with):
    served = client_with(base_url="http://cds.example:8080", allow_open=True, host="0.0.0.0")
    assert served.get("/cds-services").status_code == 200


@pytest.mark.parametrize("path", ["/cds-services", "/", "/cards/FD-AFO-01", "/nothing", "/health/live"])
def test_every_answer_carries_the_safe_headers(client, path):
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    refused = client.get(path, headers={"host": "evil.example"})
    assert refused.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/insight", "/cards/FD-AFO-01"])
def test_a_page_says_that_the_knowledge_is_not_approved_and_runs_no_script(client, path):
    answer = client.get(path)
    assert "not been clinically approved" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text


@pytest.mark.parametrize(("path", "word"), [("/health/live", "live"), ("/health/ready", "ready")])
def test_health_says_in_one_word_how_the_service_is(client, path, word):
    assert client.get(path).json()["status"] == word
