"""Every setting has a default that works on a laptop, a description, and a refusal that says what to mend."""

import pytest

from cds_service.settings import SANDBOX, Settings, SettingsError, is_loopback, read_settings


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
