"""A closed test room: no network but loopback, nothing from the outer environment; and the service inside it.

Warnings are errors and markers are strict: see pyproject.toml.
"""

import asyncio
import datetime as dt
import functools
import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import settings as hypothesis_settings

from cds_service import app as app_module
from cds_service.app import create_app
from cds_service.settings import Settings
from tests.browser.browsing import BROWSER, NO_BROWSER
from tests.described import description_of

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
BASE_URL = "http://127.0.0.1:8080"

hypothesis_settings.register_profile("house", deadline=None, print_blob=True)
hypothesis_settings.load_profile("house")


class OutsideError(RuntimeError):
    """A test reached for the network: give it a fake, or a server on loopback."""


@pytest.fixture(autouse=True)
def _closed_room(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("CDS_", "OTEL_")):
            monkeypatch.delenv(name)
    for method in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, method, _loopback_only(getattr(socket.socket, method)))
    monkeypatch.setattr(socket, "getaddrinfo", _known_names_only(socket.getaddrinfo))


@pytest.fixture(autouse=True, scope="session")
def _knowledge_is_read_once() -> Iterator[None]:
    """The built-in knowledge does not change while the tests run; other folders are read each time."""
    own, read = Settings().cards_dir, app_module.load_knowledge
    once = functools.cache(read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_module, "load_knowledge", lambda cards: once(cards) if cards == own else read(cards))
        yield


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line which tests were not run for want of a browser."""
    if BROWSER is None:
        terminalreporter.write_line(f"tests/browser was not run: {NO_BROWSER}")


def _loopback_only(original: Any) -> Any:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1]
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise OutsideError(f"no network in tests: {address[0]}")
        return original(self, *arguments)

    return guarded


def _known_names_only(original: Any) -> Any:
    def guarded(host: Any, *arguments: Any, **options: Any) -> Any:
        if host is not None and not _is_loopback(host):
            raise OutsideError(f"no network in tests: {host}")
        return original(host, *arguments, **options)

    return guarded


def _is_loopback(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return name in ("", "localhost") or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Clock:
    """The time that the service believes it is: stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> dt.datetime:
        return self.at


class Client:
    """Calls an app as HTTP would, without a socket, one call after the other; runs its start and its stop.

    Every answer has to be one that the service's own description knows.
    """

    def __init__(self, app: Any, base_url: str = BASE_URL) -> None:
        self.app = app
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url=base_url)
        self.description = description_of(app)
        self._life = app.router.lifespan_context(app)
        self.run(self._life.__aenter__())

    def run(self, awaitable: Any) -> Any:
        """What an awaitable comes to, on this client's loop."""

        async def wait() -> Any:
            return await awaitable

        return self._runner.run(wait())

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request and its answer."""
        answer: httpx.Response = self.run(self.http.request(method, path, **options))
        if self.description:
            self.description.check(answer)
        return answer

    def get(self, path: str, **options: Any) -> httpx.Response:
        """A GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """A POST."""
        return self.request("POST", path, **options)

    def fire(self, call: Any, **options: Any) -> httpx.Response:
        """A hook call, sent to the service of its hook."""
        return self.post(f"/cds-services/foot-drop-{call['hook']}", json=call, **options)

    def close(self) -> None:
        """Stop the app and let go."""
        self.run(self._life.__aexit__(None, None, None))
        self.run(self.http.aclose())
        self._runner.close()


@pytest.fixture(scope="session")
def _shared() -> Iterator[tuple[Client, Clock]]:
    clock = Clock()
    client = Client(create_app(Settings(database_url="sqlite://"), clock))
    yield client, clock
    client.close()


@pytest.fixture
def clock(_shared: tuple[Client, Clock]) -> Clock:
    """The clock of `client`, back at noon for each test."""
    _shared[1].at = NOON
    return _shared[1]


@pytest.fixture
def client(_shared: tuple[Client, Clock], clock: Clock) -> Client:  # noqa: ARG001  # the clock is set back
    """The service with its default settings, made once: no test may lean on its ledger being empty."""
    return _shared[0]


@pytest.fixture
def client_with() -> Iterator[Any]:
    """Makes a client of a service with other settings, stopped after the test."""
    made: list[Client] = []

    def make(base_url: str = BASE_URL, **settings: Any) -> Client:
        app = create_app(Settings(**{"database_url": "sqlite://", **settings}), Clock())
        made.append(Client(app, base_url))
        return made[-1]

    yield make
    for one in made:
        one.close()
