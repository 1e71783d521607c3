"""Every setting has a default that works on a laptop, a description, and a refusal that says what to mend."""

import pytest

from cds_service.hooks.reading import is_loopback
from cds_service.settings import SANDBOX, Settings, SettingsError, read_settings


def test_the_defaults_listen_on_loopback_in_utc_with_a_file_as_ledger():
    settings = read_settings()
    assert (settings.host, settings.port, settings.timezone) == ("127.0.0.1", 8080, "UTC")
    assert settings.database_url == "sqlite:///foot-drop-cds.sqlite3"
    assert settings.base_url == "http://127.0.0.1:8080"
    assert (settings.max_cards, settings.max_body_bytes) == (4, 32 * 1024 * 1024)
    assert (settings.cards_dir / "services.yaml").is_file()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_described_in_a_sentence(name):
    assert (Settings.model_fields[name].description or "").strip()


def test_every_problem_is_told_at_once(monkeypatch):
    monkeypatch.setenv("CDS_PORT", "x")
    monkeypatch.setenv("CDS_LOGLEVEL", "info")
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert [line.partition(" ")[0].rstrip(":") for line in str(refused.value).splitlines()] == [
        "CDS_LOGLEVEL",
        "CDS_PORT",
    ]
    assert "CDS_LOG_LEVEL" in str(refused.value)


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"host": "::1", "port": 9000}, "http://[::1]:9000"),
        ({"host": "0.0.0.0", "allow_open": True}, "http://localhost:8080"),
        ({"public_url": "https://cds.example.org/foot-drop/"}, "https://cds.example.org/foot-drop"),
    ],
)
def test_cards_link_to_an_address_that_can_be_opened(values, url):
    assert Settings(**values).base_url == url


@pytest.mark.parametrize(
    ("text", "origins"),
    [("", [SANDBOX]), (" , ", [SANDBOX]), ("https://a.example/ ,http://b:80", ["https://a.example", "http://b:80"])],
)
def test_origins_are_a_list_with_commas(text, origins):
    settings = Settings(cors_origins=text)
    assert settings.origins == origins
    assert (settings.origin_pattern is None) == (origins != [SANDBOX])


@pytest.mark.parametrize("text", ["*", "null", "ehr.example", "https://ehr.example/path", "file:///x"])
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(ValueError, match="origins such as"):
        Settings(cors_origins=text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "::1", "[::1]", "127.9.9.9"])
def test_this_machine_is_known_by_its_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.evil", "127.0.0.1.evil"])
def test_other_names_are_not_this_machine(host):
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="CDS_ALLOW_OPEN"):
        Settings(host=host)


@pytest.mark.parametrize("text", ["x" * 32, "x" * 32 + "\n", "A-Za-z0-9._~+/=" * 3 + "\r\n"])
def test_a_token_file_holds_one_secret(tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text, newline="")
    settings = Settings(admin_token_file=file)
    assert settings.admin_token.get_secret_value() == text.strip()
    assert text.strip() not in repr(settings) + str(settings.admin_token)


@pytest.mark.parametrize(
    "text", ["", "\n", "x" * 31, "x" * 31 + "\n", "x" * 32 + "\n\n", "x" * 32 + "\nsecond\n", "x x" * 20, "ü" * 40]
)
def test_a_file_without_one_long_secret_is_refused(monkeypatch, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    for named in (file, tmp_path / "none", tmp_path):
        monkeypatch.setenv("CDS_ADMIN_TOKEN_FILE", str(named))
        with pytest.raises(SettingsError, match=r"CDS_ADMIN_TOKEN_FILE: .* one secret"):
            read_settings()


@pytest.mark.parametrize("text", ["proxy.example", "10.1.2.3/33", "10.1.2.3/24", "*", "10.1.2.3 10.1.2.4"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError, match="addresses and networks"):
        Settings(trusted_proxy=text, proxy_user_header="X-Remote-User")


@pytest.mark.parametrize("text", ["X Remote", "X-Remote:", "Host", "authorization", "Cookie", "ü"])
def test_what_is_no_header_of_a_proxy_is_refused(text):
    with pytest.raises(ValueError, match="header that a proxy adds"):
        Settings(trusted_proxy="10.1.2.3", proxy_user_header=text)


@pytest.mark.parametrize("values", [{"trusted_proxy": "10.1.2.3"}, {"proxy_user_header": "X-Remote-User"}])
def test_a_proxy_and_its_header_are_set_together(values):
    with pytest.raises(ValueError, match="belong together"):
        Settings(**values)
