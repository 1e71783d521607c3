"""`make audit`: known faults where they can be asked for, secrets always; it says what it did, and no secret."""

import json
import runpy
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.docs.pages import ROOT

SCRIPT = ROOT / ".ci" / "audit.py"
PINNED = "alpha==1.2.3 \\\n    --hash=sha256:00\nbeta-two==4.5 ; sys_platform != 'win32' \\\n    --hash=sha256:00\n"
NOWHERE = "http://127.0.0.1:1/"


class OSV:
    """A service of its form on loopback, that knows what it is told to know."""

    def __init__(self):
        self.asked, self.answer, self.status = [], {"results": [{}, {}]}, 200
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                service.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(service.status)
                self.end_headers()
                self.wfile.write(json.dumps(service.answer).encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/querybatch"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def osv():
    service = OSV()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def folder(tmp_path):
    """A project that git knows."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.txt").write_text(PINNED)
    git(tmp_path, "init", "-q")
    return tmp_path


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def audit(monkeypatch, capsys):
    """Runs the script: the exit code, and all that is said."""
    script = runpy.run_path(str(SCRIPT), run_name="audit")

    def run(folder, osv=NOWHERE):
        git(folder, "add", "-A")
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--folder", str(folder), "--osv", osv])
        try:
            code = script["main"]()
        except SystemExit as stopped:
            return 1, str(stopped.code)
        return code, "".join(capsys.readouterr())

    return run


def test_each_pinned_package_is_asked_for_in_one_request(audit, folder, osv):
    code, said = audit(folder, osv.url)
    assert code == 0
    assert "no known fault in the 2 packages of run.txt" in said
    assert [(one["package"], one["version"]) for one in osv.asked[0]["queries"]] == [
        ({"name": "alpha", "ecosystem": "PyPI"}, "1.2.3"),
        ({"name": "beta-two", "ecosystem": "PyPI"}, "4.5"),
    ]
    assert len(osv.asked) == 1


def test_a_known_fault_fails_and_is_named(audit, folder, osv):
    osv.answer = {"results": [{}, {"vulns": [{"id": "GHSA-xxxx", "modified": "2026-01-01T00:00:00Z"}]}]}
    code, said = audit(folder, osv.url)
    assert code == 1
    assert "beta-two 4.5: GHSA-xxxx" in said


@pytest.mark.parametrize(
    ("status", "answer"), [(503, {}), (200, {}), (200, []), (200, {"results": [{}]}), (200, {"results": [1, 2]})]
)
def test_a_service_that_does_not_answer_as_it_should_fails_nothing_and_is_told_in_a_line(
    audit, folder, osv, status, answer
):
    osv.status, osv.answer = status, answer
    code, said = audit(folder, osv.url)
    assert code == 0
    assert said.count("known faults were not looked for") == 1
    assert "Traceback" not in said


def test_without_a_network_one_line_says_so(audit, folder):
    code, said = audit(folder)
    assert code == 0
    assert [line for line in said.splitlines() if "faults" in line] == [
        f"audit: known faults were not looked for: {NOWHERE} gave no answer (URLError)"
    ]


SECRETS = [  # in parts, or this file would be found
    ("a private key", "-----BEGIN EC PRIVATE" + " KEY-----"),
    ("a private JWK", '"d": "' + "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4" * 2 + '"'),
    ("a signed token", "eyJhbGciOiJFUzM4NCJ9" + ".eyJpc3MiOiJleGFtcGxlIn0." + "c2lnbmF0dXJlc2ln"),
    ("a Fernet key", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4" + "="),
    ("a provider's token", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("a password in an address", "postgresql://cds:" + "x7Kq29fLmWz4@db.example/ledger"),
    ("a secret that is assigned", "client_secret =" + " '9f8a7b6c5d4e3f2a1b0c9d8e'"),
]


PRIVATE_KEY = SECRETS[0][1]


@pytest.mark.parametrize(("form", "secret"), SECRETS, ids=[form for form, _ in SECRETS])
def test_a_secret_is_found_by_its_form_and_not_repeated(audit, folder, form, secret):
    (folder / "notes.txt").write_text(f"one\ntwo {secret}\n")
    code, said = audit(folder)
    assert code == 1
    assert f"notes.txt:2: looks like {form} (" in said
    assert secret not in said
    assert secret[-12:] not in said


@pytest.mark.parametrize(
    "text",
    [
        "--hash=sha256:9970712cfb81ea26c8658d378aaa5b8f6ff9146e5bb111d70497c164016cf598",
        "postgresql://user:password@host/database",
        'token = "a token that is to be kept secret"',
        'TOKEN_FILE = "/run/secrets/the-admin-token-of-this-site"',
        "https://foot-drop-cds.example.org/fhir/CodeSystem/bedside-findings",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_what_only_resembles_one_is_passed_over(audit, folder, text):
    (folder / "notes.txt").write_text(text)
    assert audit(folder)[0] == 0


def test_what_git_does_not_know_is_not_looked_at(audit, folder):
    (folder / ".gitignore").write_text("*.key\n")
    (folder / "own.key").write_text(PRIVATE_KEY)
    (folder / "image.bin").write_bytes(b"\0" + PRIVATE_KEY.encode())
    code, said = audit(folder)
    assert (code, "no secret in the 3 files" in said) == (0, True)


def test_what_is_known_to_be_none_is_passed_over_until_it_is_gone(audit, folder):
    (folder / "notes.txt").write_text(PRIVATE_KEY)
    digest = audit(folder)[1].rpartition("(")[2][:16]
    (folder / ".ci").mkdir()
    (folder / ".ci" / "known_secrets").write_text(f"# none\nnotes.txt {digest} made up\n")
    assert audit(folder)[0] == 0
    (folder / "notes.txt").write_text("nothing")
    code, said = audit(folder)
    assert (code, f"notes.txt {digest} is not there any more" in said) == (1, True)


def test_an_entry_without_a_reason_is_refused(audit, folder):
    (folder / ".ci").mkdir()
    (folder / ".ci" / "known_secrets").write_text("notes.txt 0000\n")
    code, said = audit(folder)
    assert (code, "an entry has a path, a digest and a reason" in said) == (1, True)


def test_this_project_holds_no_secret():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--osv", NOWHERE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "audit: no secret in the " in done.stdout
