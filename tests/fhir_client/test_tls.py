"""Servers with a certificate of the hospital's own: trusted where CDS_CA_FILE says so, for their own name only."""

import asyncio
import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cds_service.domain.facts import GapReason, NeedState
from tests.fhir_client.world import TOKEN, bundle, condition, world

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
PEM = serialization.Encoding.PEM
HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """A certificate authority that nobody knows."""

    def __init__(self, name):
        self.name = named(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.name, self.key, NOW + DAY, is_authority=True)

    def _sign(self, name, key, until, names=(), *, is_authority=False):
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 9 * DAY)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        else:
            usage = [False] * 5 + [True, True, False, False]
            made = made.add_extension(x509.KeyUsage(*usage), critical=True)
        return made.sign(self.key, hashes.SHA256())

    def write(self, path):
        path.write_bytes(self.certificate.public_bytes(PEM))
        return path

    def server(self, folder, *names, until=NOW + DAY):
        """The TLS of a server with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(named("a server"), key, until, names)
        secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = folder / "server.pem"
        path.write_bytes(certificate.public_bytes(PEM) + secret)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="module")
def hospital():
    return Authority("The hospital's own")


def ask(server, ca_file):
    """The answer of a server with this TLS, and the requests that it saw."""

    async def go():
        async with world(bundle(condition()), ssl=server, ca_file=ca_file) as here:
            return await here.ask(), here.seen

    return asyncio.run(go())


def test_a_server_is_asked_over_tls_when_the_ca_file_vouches_for_it(hospital, tmp_path):
    answer, seen = ask(hospital.server(tmp_path, HERE), hospital.write(tmp_path / "ca.pem"))
    assert answer.state("Condition") is NeedState.PRESENT
    assert seen[0].header("authorization") == f"Bearer {TOKEN}"


def test_a_server_is_refused_and_sees_no_request_when_nobody_vouches_for_it(hospital, tmp_path):
    answer, seen = ask(hospital.server(tmp_path, HERE), None)
    assert (answer.failure, answer.reason) == (NeedState.FAILED, GapReason.SERVER_ERROR)
    assert seen == []


def test_a_server_is_refused_when_another_authority_is_in_the_ca_file(hospital, tmp_path):
    other = Authority("The hospital's own")  # the same name, another key
    answer, seen = ask(hospital.server(tmp_path, HERE), other.write(tmp_path / "ca.pem"))
    assert answer.reason is GapReason.SERVER_ERROR
    assert seen == []


@pytest.mark.parametrize(
    "names",
    [[x509.DNSName("ehr.test")], [x509.IPAddress(ipaddress.ip_address("127.0.0.2"))], [x509.DNSName("127.0.0.1")]],
)
def test_a_server_is_refused_when_its_certificate_is_for_another_name(hospital, tmp_path, names):
    answer, seen = ask(hospital.server(tmp_path, *names), hospital.write(tmp_path / "ca.pem"))
    assert answer.reason is GapReason.SERVER_ERROR
    assert seen == []


def test_a_server_is_refused_when_its_certificate_has_expired(hospital, tmp_path):
    answer, seen = ask(hospital.server(tmp_path, HERE, until=NOW - DAY), hospital.write(tmp_path / "ca.pem"))
    assert answer.reason is GapReason.SERVER_ERROR
    assert seen == []


def test_the_certificate_is_the_names_when_a_name_was_resolved(hospital, tmp_path):
    """The address is judged and connected to; the certificate has to be that of the name all the same."""
    ca_file = hospital.write(tmp_path / "ca.pem")

    async def go(server):
        async with world(bundle(condition()), ssl=server, ca_file=ca_file) as here:
            here.script.base = here.script.base.replace("127.0.0.1", "localhost")
            return await (await here.other_call(TOKEN)).ask()

    good = asyncio.run(go(hospital.server(tmp_path, x509.DNSName("localhost"))))
    assert good.state("Condition") is NeedState.PRESENT
    assert asyncio.run(go(hospital.server(tmp_path, HERE))).reason is GapReason.SERVER_ERROR


def test_a_server_is_refused_when_it_speaks_no_tls():
    async def no_tls(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    async def go():
        async with await asyncio.start_server(no_tls, "127.0.0.1", 0) as server, world(bundle()) as here:
            here.script.base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir"
            return await (await here.other_call(TOKEN)).ask()

    assert asyncio.run(go()).reason is GapReason.SERVER_ERROR


def test_tls_is_checked_by_the_machines_authorities_too_when_there_is_a_ca_file(hospital, tmp_path):
    async def go():
        async with (
            world(bundle(), ca_file=hospital.write(tmp_path / "ca.pem")) as with_file,
            world(bundle()) as without,
        ):
            return [one.client._tls for one in (with_file, without)]

    ours, default = asyncio.run(go())
    assert ours.verify_mode is default.verify_mode is ssl.CERT_REQUIRED
    assert ours.check_hostname
    assert default.check_hostname
    assert ours.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert ours.cert_store_stats()["x509_ca"] == default.cert_store_stats()["x509_ca"] + 1
