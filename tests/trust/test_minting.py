"""`cds-service keys` and `cds-service token`: a client in small, which a service takes for a real one."""

import asyncio
import datetime as dt
import json
import stat

import pytest

from cds_service.cli import main
from cds_service.decision.callers import Caller
from cds_service.errors import RefusalReason, UnauthorizedError
from cds_service.trust.jwk import ALGORITHMS, read_key_set
from cds_service.trust.keys import KeySets
from cds_service.trust.replay import MemoryReplayStore
from cds_service.trust.tokens import Issuer, TokenAuthenticator
from tests.trust.token_maker import bearer, decoded

ISSUER = "https://ehr.example.org"
ENDPOINT = "http://127.0.0.1:8080/cds-services"


def make_keys(folder, *options):
    assert main(["keys", "--out", str(folder), *options]) == 0


def minted(folder, capsys, *options, endpoint=ENDPOINT):
    """What the command prints."""
    capsys.readouterr()
    key = str(folder / "private.jwk.json")
    assert main(["token", "--key", key, "--issuer", ISSUER, "--endpoint", endpoint, *options]) == 0
    return capsys.readouterr().out


def caller(folder, token, algorithm="ES384", **agreed):
    """Who a service with these keys registered takes the sender for."""
    keys = read_key_set(json.loads((folder / "jwks.json").read_text()))
    assert keys.left_out == ()
    registered = {ISSUER: Issuer("ehr", ISSUER, frozenset((algorithm,)), keys, **agreed)}
    authenticator = TokenAuthenticator(lambda: registered, KeySets(None), MemoryReplayStore())
    return asyncio.run(authenticator.caller(bearer(token), ENDPOINT, dt.datetime.now(dt.UTC)))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_minted_token_is_good_where_its_keys_are_registered(tmp_path, capsys, algorithm):
    make_keys(tmp_path, "--algorithm", algorithm)
    token = minted(tmp_path, capsys).strip()
    assert caller(tmp_path, token, algorithm) == Caller("ehr")


def test_it_prints_the_token_and_nothing_else(tmp_path, capsys):
    make_keys(tmp_path)
    printed = minted(tmp_path, capsys)
    assert printed.count("\n") == 1
    header, claims = (json.loads(decoded(part)) for part in printed.split(".")[:2])
    assert header.keys() == {"alg", "kid", "typ"}
    assert claims.keys() == {"iss", "aud", "iat", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == 300


def test_each_token_has_a_name_of_its_own(tmp_path, capsys):
    make_keys(tmp_path)
    first, second = (json.loads(decoded(minted(tmp_path, capsys).split(".")[1])) for _ in range(2))
    assert first["jti"] != second["jti"]


def test_a_token_can_name_a_tenant_and_its_life(tmp_path, capsys):
    make_keys(tmp_path)
    token = minted(tmp_path, capsys, "--tenant", "north", "--expires-in", "60").strip()
    assert caller(tmp_path, token, tenants=frozenset(("north",))) == Caller("ehr", "north")
    claims = json.loads(decoded(token.split(".")[1]))
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_for_another_endpoint_is_refused(tmp_path, capsys):
    make_keys(tmp_path)
    with pytest.raises(UnauthorizedError) as refused:
        caller(tmp_path, minted(tmp_path, capsys, endpoint=f"{ENDPOINT}/foot-drop-order-sign").strip())
    assert refused.value.reason is RefusalReason.WRONG_AUDIENCE


def test_the_private_key_is_for_its_owner_only_and_not_in_the_key_set(tmp_path):
    make_keys(tmp_path / "new", "--kid", "a-name")
    private, public = tmp_path / "new/private.jwk.json", tmp_path / "new/jwks.json"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    secret = json.loads(private.read_text())
    (shown,) = json.loads(public.read_text())["keys"]
    assert secret["kid"] == shown["kid"] == "a-name"
    assert "d" in secret
    assert not {"d", "p", "q", "dp", "dq", "qi"} & shown.keys()
    assert secret["d"] not in public.read_text()


def test_it_says_where_the_keys_are(tmp_path, capsys):
    make_keys(tmp_path)
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in ("private.jwk.json", "jwks.json")]


@pytest.mark.parametrize("name", ["private.jwk.json", "jwks.json"])
def test_a_key_is_never_overwritten(tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    assert main(["keys", "--out", str(tmp_path)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS256", "es384"])
def test_no_keys_are_made_for_an_algorithm_that_no_token_may_have(tmp_path, capsys, algorithm):
    assert main(["keys", "--out", str(tmp_path), "--algorithm", algorithm]) == 1
    assert "use one of ES256, ES384" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"kty": "EC", "d": "planted", "alg": "ES384", "kid": "a"}'])
def test_a_file_without_a_private_key_is_refused_and_not_repeated(tmp_path, capsys, text):
    (tmp_path / "private.jwk.json").write_text(text)
    key = str(tmp_path / "private.jwk.json")
    assert main(["token", "--key", key, "--issuer", ISSUER, "--endpoint", ENDPOINT]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "holds no private key" in said.err
    assert "planted" not in said.err


def test_a_public_key_cannot_sign(tmp_path, capsys):
    make_keys(tmp_path)
    (shown,) = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    (tmp_path / "public.json").write_text(json.dumps(shown))
    public = str(tmp_path / "public.json")
    assert main(["token", "--key", public, "--issuer", ISSUER, "--endpoint", ENDPOINT]) == 1
    assert "holds no private key" in capsys.readouterr().err


def test_a_life_in_the_past_is_refused(tmp_path, capsys):
    make_keys(tmp_path)
    key = str(tmp_path / "private.jwk.json")
    assert main(["token", "--key", key, "--issuer", ISSUER, "--endpoint", ENDPOINT, "--expires-in", "0"]) == 1
    assert "a second at least" in capsys.readouterr().err
