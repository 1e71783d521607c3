"""A FHIR R4 server that others have written: sekmet-fhir, in a process of its own, on loopback alone.

It needs the PyPI package `sekmet-fhir` beside the running Python, or the path of a Python that has it in the
environment variable `SEKMET_PYTHON`.
"""

import contextlib
import copy
import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

LOOPBACK = "127.0.0.1"
CLIENT, SECRET = "tests", "made-up-secret"
EVERY_SCOPE = "system/*.* user/*.* patient/*.*"
AT_ONCE = 500  # resources in one Bundle
CALLS_OUT = ("Subscription",)  # the server would call the address that stands in it


class Refused(NamedTuple):
    """A resource that could not be loaded, and why."""

    reference: str
    status: str
    why: str


class NotLoadedError(Exception):
    """The server did not take all that it was given."""


def python() -> str | None:
    """The Python that has sekmet-fhir, if there is one."""
    if importlib.util.find_spec("sekmet"):
        return sys.executable
    return os.environ.get("SEKMET_PYTHON")


class RealServer:
    """An empty sekmet-fhir server, gone with all its data at the end; `auth` makes it ask for SMART bearer tokens.

    It ignores search parameters that it does not know, as FHIR allows: all it knows of DeviceRequest is `_id`,
    and so it answers a search for one patient's device requests with everybody's.
    """

    def __init__(self, *, auth: bool = False) -> None:
        self.auth = auth
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            self.port: int = probe.getsockname()[1]
        self.base = f"http://{LOOPBACK}:{self.port}/fhir"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sekmet-")))
            self._process = stack.enter_context(_running(self._command(), folder, self._settings()))
            self._wait(folder / "output.txt")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._stack.close()

    def load(self, records: Iterable[dict[str, Any]]) -> None:
        """Store resources, and the resources in Bundles, under their ids; an error if one is refused."""
        if refused := self.load_what_fits(records):
            raise NotLoadedError("; ".join(f"{one.reference}: {one.status} {one.why}" for one in refused))

    def load_what_fits(self, records: Iterable[dict[str, Any]]) -> list[Refused]:
        """Store what the server takes; what it does not take."""
        token = self.token("system/*.cruds") if self.auth else None
        resources, refused = _storable(records)
        for start in range(0, len(resources), AT_ONCE):
            refused += self._store(resources[start : start + AT_ONCE], token)
        return refused

    def token(self, scope: str, *, client: str = CLIENT, secret: str = SECRET) -> str:
        """An access token for these scopes, such as `system/Condition.rs patient/*.read`; only with `auth`."""
        form = {"grant_type": "client_credentials", "scope": scope, "client_id": client, "client_secret": secret}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, given = self._post("/auth/token", urlencode(form), kind)
        if status != 200:
            raise NotLoadedError(f"no token for {scope}: {given}")
        granted: str = given["access_token"]
        return granted

    def _command(self) -> list[str]:
        found = python()
        if found is None:
            raise AssertionError("sekmet-fhir is not installed, and SEKMET_PYTHON names no Python that has it")
        address = ["--host", LOOPBACK, "--port", str(self.port)]
        return [found, "-m", "uvicorn", "--factory", "sekmet.main:app_factory", *address, "--log-level", "warning"]

    def _settings(self) -> dict[str, Any]:
        client = {"client_id": CLIENT, "client_secret": SECRET, "scopes": EVERY_SCOPE}
        return {
            "base_url": self.base,
            "host": LOOPBACK,
            "port": self.port,
            "db_path": ":memory:",  # three times as fast to load as a file
            "validation": {"inbound": "off"},  # odd records are for our reader to judge
            "simulator": {"enabled": False},  # no invented results
            "log_inbound": False,
            "server_auth": {"types": ["smart"], "smart_clients": [client]} if self.auth else {"types": ["none"]},
        }

    def _wait(self, output: Path) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"sekmet stopped: {output.read_text()}")
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), 0.2):
                return
            time.sleep(0.05)
        raise AssertionError(f"sekmet did not start: {output.read_text()}")

    def _store(self, resources: list[dict[str, Any]], token: str | None) -> list[Refused]:
        requests = [{"method": "PUT", "url": _reference(one)} for one in resources]
        entries = [{"resource": one, "request": asked} for one, asked in zip(resources, requests, strict=True)]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
        status, answer = self._post("/fhir", json.dumps(bundle), headers, token)
        if status != 200:
            raise NotLoadedError(f"{status}: {answer}")
        given = [one["response"] for one in answer["entry"]]
        pairs = zip(resources, given, strict=True)
        return [
            Refused(_reference(one), got["status"], json.dumps(got.get("outcome")))
            for one, got in pairs
            if not got["status"].startswith("20")
        ]

    def _post(self, path: str, body: str, headers: dict[str, str], token: str | None = None) -> tuple[int, Any]:
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", path, body.encode(), headers | bearer)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


@contextlib.contextmanager
def _running(command: list[str], folder: Path, settings: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """The server's process with these settings, which YAML reads as it reads JSON; killed if it does not stop."""
    (folder / "settings.yaml").write_text(json.dumps(settings))
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("SEKMET_", "PYTHON", "CDS_"))}
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=outer, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _storable(records: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Refused]]:
    """The resources one by one, each with an id, their references to entries of their Bundle resolved."""
    resources, refused = [], []
    for record in records:
        for one in _unfolded(record):
            if one["resourceType"] in CALLS_OUT:
                refused.append(Refused(_reference(one), "left out", "the server would call an address that is in it"))
            else:
                resources.append(one)
    return resources, refused


def _unfolded(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if record["resourceType"] != "Bundle":
        yield {"id": str(uuid.uuid4())} | copy.deepcopy(record)
        return
    entries = [one for one in record.get("entry", []) if "resource" in one]
    inside = [{"id": str(uuid.uuid4())} | copy.deepcopy(one["resource"]) for one in entries]
    names = {one["fullUrl"]: _reference(got) for one, got in zip(entries, inside, strict=True) if "fullUrl" in one}
    for one in inside:
        _resolve(one, names)
        yield one


def _resolve(value: Any, names: dict[str, str]) -> None:
    if isinstance(value, list):
        for one in value:
            _resolve(one, names)
    elif isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            value["reference"] = names.get(value["reference"], value["reference"])
        for one in value.values():
            _resolve(one, names)


def _reference(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
