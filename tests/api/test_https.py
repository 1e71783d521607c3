"""The service speaks HTTPS by itself where it has a certificate, and says so to browsers."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cds_service.settings import Settings
from tests.api.world import Server, every_hook, path_of, send, wait_until
from tests.fhir_client.test_tls import HERE, PEM, Authority

VIEW = path_of("patient-view")
CERTIFICATE_END = b"-----END CERTIFICATE-----\n"


def files(authority, folder, name="server"):
    """A certificate of this machine, and its key, in files of their own."""
    folder.mkdir(exist_ok=True)
    authority.server(folder, HERE)
    certificate, end, key = (folder / "server.pem").read_bytes().partition(CERTIFICATE_END)
    paths = folder / f"{name}-certificate.pem", folder / f"{name}-key.pem"
    for path, content in zip(paths, (certificate + end, key), strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def hospital():
    return Authority("The hospital's own")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, hospital):
    made = tmp_path_factory.mktemp("tls")
    hospital.write(made / "ca.pem")
    return made


@pytest.fixture
def trusting(folder):
    """What a client that knows the hospital's authority believes."""
    return ssl.create_default_context(cafile=folder / "ca.pem")


@pytest.fixture(scope="module")
def server(hospital, folder):
    certificate, key = files(hospital, folder)
    with Server(CDS_TLS_CERT=str(certificate), CDS_TLS_KEY=str(key), CDS_MAX_HEADER_BYTES="4096") as running:
        yield running


def connect(server, context):
    return http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=context)


def ask(server, context, method="GET", path="/cds-services", made=None):
    with contextlib.closing(connect(server, context)) as connection:
        return send(connection, method, path, made)


@pytest.mark.norm("TLS-1")
def test_a_call_is_answered_over_https_and_links_to_https(server, trusting):
    status, _, body = ask(server, trusting, "POST", VIEW, every_hook()["patient-view"])
    assert status == 200
    assert json.loads(body)["cards"][0]["source"]["url"].startswith(f"https://127.0.0.1:{server.port}/cards/")


def test_a_client_that_does_not_know_the_authority_refuses_to_speak(server):
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(server, ssl.create_default_context())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_of_today_is_spoken(server, trusting, version):
    trusting.minimum_version = trusting.maximum_version = version
    assert ask(server, trusting)[0] == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_of_yesterday_is_not(server, trusting, version):
    trusting.set_ciphers("ALL:@SECLEVEL=0")
    trusting.minimum_version = trusting.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"alert protocol version|EOF occurred"):
        ask(server, trusting)


@pytest.mark.norm("TLS-1")
def test_nothing_is_said_in_plain_text(server, trusting):
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall(b"GET /cds-services HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1" not in line.recv(4096)
    assert ask(server, trusting)[0] == 200


def test_the_limits_hold_over_https_too(server, trusting):
    with contextlib.closing(connect(server, trusting)) as connection:
        connection.request("GET", "/cds-services", headers={"X-Long": "a" * 5000})
        assert connection.getresponse().status == 431
    assert ask(server, trusting)[0] == 200


def test_it_says_where_it_is(hospital, tmp_path):
    certificate, key = files(hospital, tmp_path)
    with Server(CDS_TLS_CERT=str(certificate), CDS_TLS_KEY=str(key)) as running:
        said = running.stop()
    assert f"Discovery:  https://127.0.0.1:{running.port}/cds-services" in said
    assert f"running on https://127.0.0.1:{running.port}" in said


def serial(server, context):
    with contextlib.closing(connect(server, context)) as connection:
        connection.connect()
        return connection.sock.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_taken_on_sighup_and_one_that_cannot_be_used_is_not(hospital, tmp_path, trusting):
    certificate, key = files(hospital, tmp_path)
    new_certificate, new_key = files(hospital, tmp_path / "new")
    with Server(CDS_TLS_CERT=str(certificate), CDS_TLS_KEY=str(key)) as running:
        first = serial(running, trusting)
        shutil.copy(new_certificate, certificate)  # half of the pair
        running.process.send_signal(signal.SIGHUP)
        assert [serial(running, trusting) for _ in range(3)] == [first] * 3
        shutil.copy(new_key, key)
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: serial(running, trusting) != first, "the new certificate")
        said = running.stop()
    assert "the certificate of before stands" in said
    assert "the certificate was read again" in said


# ---- settings


def test_a_certificate_and_its_key_are_taken(hospital, tmp_path):
    certificate, key = files(hospital, tmp_path)
    settings = Settings(tls_cert=certificate, tls_key=key, port=9443)
    assert settings.base_url == "https://127.0.0.1:9443"


@pytest.fixture
def unusable(hospital, tmp_path):
    """Pairs of files of which one cannot be used."""
    certificate, key = files(hospital, tmp_path)
    _, other_key = files(hospital, tmp_path / "other")
    secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"a password")
    )
    locked, text = tmp_path / "locked.pem", tmp_path / "text.pem"
    locked.write_bytes(secret)
    text.write_text("no certificate")
    return {
        "not its key": (certificate, other_key),
        "a key with a password": (certificate, locked),
        "no key": (certificate, text),
        "no certificate": (text, key),
        "no file": (certificate, tmp_path / "nowhere.pem"),
        "a folder": (tmp_path, key),
    }


@pytest.mark.parametrize(
    "name", ["not its key", "a key with a password", "no key", "no certificate", "no file", "a folder"]
)
def test_files_that_cannot_be_used_are_refused_in_a_sentence(unusable, name):
    certificate, key = unusable[name]
    with pytest.raises(ValueError, match="are not a certificate and its key, in PEM files that can be read"):
        Settings(tls_cert=certificate, tls_key=key)


@pytest.mark.parametrize("name", ["tls_cert", "tls_key"])
def test_one_without_the_other_is_refused(hospital, tmp_path, name):
    certificate, _ = files(hospital, tmp_path)
    with pytest.raises(ValueError, match="CDS_TLS_CERT and CDS_TLS_KEY belong together"):
        Settings(**{name: certificate})


def test_a_start_with_half_of_a_pair_is_refused_without_a_question(hospital, tmp_path):
    certificate, _ = files(hospital, tmp_path)
    running = Server(CDS_TLS_CERT=str(certificate), CDS_TLS_KEY=os.devnull)
    assert running.process.wait(20) == 1
    said = running.stop()
    assert "CDS_TLS_CERT and CDS_TLS_KEY are not a certificate and its key" in said
    assert "Traceback" not in said


# ---- what browsers are told

HSTS = "strict-transport-security"


@pytest.mark.parametrize("path", ["/", "/cds-services", "/nothing", "/health/live"])
def test_browsers_are_told_to_come_by_https_where_that_is_the_address(client_with, path):
    served = client_with(public_url="https://cds.example.org/foot-drop")
    assert served.get(path).headers[HSTS] == "max-age=31536000"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"public_url": "http://cds.example.org"},
        {"public_url": "https://cds.example.org", "hsts_seconds": 0},
        {"public_url": "https://localhost:8443"},
        {"public_url": "https://127.0.0.1"},
    ],
)
def test_browsers_are_told_nothing_of_https_elsewhere(client_with, settings):
    assert HSTS not in client_with(**settings).get("/").headers


def test_how_long_is_a_setting(client_with):
    served = client_with(public_url="https://cds.example.org", hsts_seconds=60)
    assert served.get("/").headers[HSTS] == "max-age=60"


@pytest.mark.parametrize("path", ["/", "/cds-services", "/nothing", "/health/ready", "/metrics", "/openapi.json"])
def test_nothing_is_kept_anywhere(client, path):
    assert client.get(path).headers.get_list("cache-control") == ["no-store"]
    assert client.get(path, headers={"host": "evil.example"}).headers.get_list("cache-control") == ["no-store"]
    assert client.request("OPTIONS", path).headers.get_list("cache-control") == ["no-store"]
    assert "server" not in client.get(path).headers
