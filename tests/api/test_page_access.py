"""Who may see the pages for people: this machine in open mode, a bearer of the token, whom the proxy has logged in."""

import logging

import httpx
import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.api.world import call, path_of, problem
from tests.conftest import Client

PAGES = (
    "/",
    "/playground/playground.js",
    "/insight",
    "/insight.json",
    "/insight.csv?table=groups",
    "/cards/FD-AFO-01",
    "/metrics",
    "/openapi.json",
)
TOKEN = "a-secret-of-32-characters-or-more"
OUTSIDE = "http://cds.example:8080"
ELSEWHERE, PROXY = "192.0.2.7", "10.1.2.3"
USER = {"X-Remote-User": "somebody"}


@pytest.fixture(scope="module")
def token_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("secret") / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture(scope="module")
def services(token_file):
    """One service for each way in, all of them reachable from other machines."""
    proxy = {"trusted_proxy": "10.1.2.3, 10.9.0.0/16, 2001:db8::/32", "proxy_user_header": "X-Remote-User"}
    ways = {
        "open": {},
        "token": {"admin_token_file": token_file},
        "proxy": proxy,
        "both": {"admin_token_file": token_file, **proxy},
    }
    made = {
        name: Client(create_app(Settings(database_url="sqlite://", allow_open=True, **way)), OUTSIDE)
        for name, way in ways.items()
    }
    yield made
    for one in made.values():
        one.close()


def ask(served, peer, path="/metrics", headers=None, method="GET", base_url=OUTSIDE, **options):
    """What a peer at an address gets."""

    async def send():
        transport = httpx.ASGITransport(served.app, raise_app_exceptions=False, client=(peer, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as http:
            return await http.request(method, path, headers=headers, **options)

    answer = served.run(send())
    served.description.check(answer)
    return answer


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# ---- this machine


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_this_machine_in_open_mode(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_no_other_machine(services, path):
    served = services["open"]
    assert "page" in problem(ask(served, ELSEWHERE, path), 403)["diagnostics"]
    assert ask(served, "::ffff:192.0.2.7", path).status_code == 403
    assert ask(served, "127.0.0.1", path).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_page_does_not_answer_another_machine_behind_a_proxy_on_this_one(services, header):
    assert problem(ask(services["open"], "127.0.0.1", headers={header: "127.0.0.1"}), 403)


def test_a_page_of_another_origin_cannot_read_ours_from_a_browser_on_this_machine(client):
    for origin in ("https://sandbox.cds-hooks.org", "http://localhost:3000"):
        assert problem(client.get("/insight.json", headers={"origin": origin}), 403)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_answers_everybody(services, path):
    assert ask(services["token"], ELSEWHERE, path).status_code == 200


def test_a_hook_call_needs_no_right_to_see_pages(services):
    served = services["token"]
    assert ask(served, ELSEWHERE, path_of("patient-view"), method="POST", json=call()).status_code == 200


# ---- the token


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_the_bearer_of_the_token_from_anywhere(services, path):
    served = services["token"]
    assert ask(served, ELSEWHERE, path, bearer(TOKEN)).status_code == 200
    assert (
        ask(served, ELSEWHERE, path, {"Authorization": f"bearer  {TOKEN}", "X-Forwarded-For": "x"}).status_code == 200
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(TOKEN + "x"),
        bearer(TOKEN[:-1]),
        bearer(TOKEN.upper()),
        bearer(""),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"X-Authorization": f"Bearer {TOKEN}"},
        [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")],
        [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer wrong")],
        {"Authorization": b"Bearer \xff\xfe"},
    ],
    ids=["missing", "longer", "shorter", "capitals", "empty", "bare", "basic", "elsewhere", "twice", "two", "no text"],
)
def test_a_wrong_or_missing_token_is_refused_without_a_word_why(services, headers):
    answer = ask(services["token"], ELSEWHERE, headers=headers)
    assert problem(answer, 401)["diagnostics"] == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_is_no_part_of_the_address(services):
    served = services["token"]
    assert ask(served, ELSEWHERE, f"/insight?access_token={TOKEN}").status_code == 401


def test_without_a_token_file_no_token_opens_a_page(services):
    served = services["open"]
    for token in ("", "None", TOKEN):
        assert ask(served, ELSEWHERE, headers=bearer(token)).status_code == 403


def test_the_token_is_in_no_log_and_no_answer(services, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    served = services["token"]
    answers = [ask(served, ELSEWHERE, path, bearer(TOKEN + more)) for path in PAGES for more in ("", "x")]
    ours = [record.getMessage() for record in caplog.records]
    assert TOKEN not in "".join([*ours, *capfd.readouterr(), *(answer.text for answer in answers)])


# ---- the trusted proxy


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("peer", [PROXY, "10.9.200.1", "2001:db8::7", "::ffff:10.1.2.3"])
def test_a_page_answers_whom_the_proxy_has_logged_in(services, peer, path):
    headers = USER | {"X-Forwarded-For": ELSEWHERE, "Forwarded": f"for={ELSEWHERE}"}
    assert ask(services["proxy"], peer, path, headers).status_code == 200


@pytest.mark.parametrize("peer", [ELSEWHERE, "10.1.2.4", "10.8.0.1", "::1.2.3.4", "testclient", ""])
def test_the_header_counts_for_nothing_from_another_peer(services, peer):
    assert problem(ask(services["proxy"], peer, headers=USER), 403)
    assert problem(ask(services["proxy"], peer, headers=USER | {"X-Forwarded-For": PROXY}), 403)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Remote-User": ""},
        {"X-Remote-User": "  "},
        {"X_Remote_User": "somebody"},
        {"X-Forwarded-User": "somebody"},
        [("X-Remote-User", "somebody"), ("X-Remote-User", "somebody-else")],
    ],
    ids=["missing", "empty", "blank", "another spelling", "another header", "twice"],
)
def test_the_proxy_has_to_name_one_user(services, headers):
    assert problem(ask(services["proxy"], PROXY, headers=headers), 403)


def test_a_proxy_on_this_machine_does_not_make_its_visitors_local(client_with):
    served = client_with(trusted_proxy="127.0.0.1", proxy_user_header="X-Remote-User")
    assert problem(served.get("/insight"), 403)
    assert served.get("/insight", headers=USER).status_code == 200


def test_in_open_mode_the_proxy_may_say_for_whom_it_asks_but_for_pages_only(client_with):
    served = client_with(trusted_proxy="127.0.0.1", proxy_user_header="X-Remote-User")
    forwarded = USER | {"X-Forwarded-For": ELSEWHERE, "X-Real-IP": ELSEWHERE}
    assert served.get("/insight", headers=forwarded).status_code == 200
    assert served.get("/insight", headers=forwarded | {"Host": "evil.example"}).status_code == 403
    for path in ("/cds-services", "/cds-services//foot-drop-patient-view", "/health/live"):
        assert "open mode" in problem(served.get(path, headers=forwarded), 403)["diagnostics"]
    assert problem(served.fire(call(), headers=forwarded), 403)


def test_a_token_opens_pages_beside_a_proxy(services):
    served = services["both"]
    assert ask(served, ELSEWHERE, headers=bearer(TOKEN)).status_code == 200
    assert ask(served, PROXY, headers=bearer(TOKEN)).status_code == 200
    assert ask(served, PROXY, headers=USER).status_code == 200
    assert ask(served, PROXY).status_code == 401
    assert ask(served, ELSEWHERE, headers=USER).status_code == 401
