"""A client asking a server that answers by a script, in one event loop; and requests as the server saw them."""

import asyncio
import contextlib
import dataclasses
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec

from cds_service.domain.queries import Query
from cds_service.fhir.client.fhir_client import FHIRClient
from cds_service.fhir.client.network import OPEN_MODE
from cds_service.fhir.client.search import Limits
from cds_service.fhir.questions import Question
from cds_service.hooks.request import parse_request

PATIENT = "pat-77"
TOKEN = "made-up-token-4711"
FHIR_JSON = "application/fhir+json"
SEARCH = f"Condition?patient={PATIENT}"


@dataclasses.dataclass(frozen=True)
class Seen:
    """One request as it came over the wire, and over which connection."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self):
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    def all(self, name):
        return [value for given, value in self.headers if given == name]

    def header(self, name):
        (value,) = self.all(name) or [None]
        return value


def reply(body=None, status=200, **headers):
    """An HTTP answer: JSON unless bytes are given; header names are written with underscores."""
    payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {"content-type": FHIR_JSON, "content-length": str(len(payload))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Made up", *(f"{name}: {value}" for name, value in named.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + payload


def gzipped(body, **headers):
    return reply(gzip.compress(body), content_encoding="gzip", **headers)


def condition(name="c-1", patient=PATIENT):
    return {"resourceType": "Condition", "id": name, "subject": {"reference": f"Patient/{patient}"}}


def bundle(*resources, total=None, **links):
    made = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}
    made["link"] = [{"relation": name, "url": url} for name, url in links.items()]
    return made | ({} if total is None else {"total": total})


class Script:
    """A server that gives its answers one after the other, the last again and again; or asks a function for them."""

    def __init__(self, *answers, ssl=None):
        self.answers = list(answers)
        self.seen = []
        self.connections = 0
        self._ssl = ssl
        self._writers = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl)
        self.port = self.server.sockets[0].getsockname()[1]
        self.base = f"http{'s' if self._ssl else ''}://127.0.0.1:{self.port}/fhir"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self.server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                seen = await _request(reader, number)
                self.seen.append(seen)
                writer.write(await self._answer(seen))
                await writer.drain()

    async def _answer(self, seen):
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if callable(answer):
            answer = answer(seen)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if isinstance(answer, bytes) else reply(answer)


async def _request(reader, number):
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    size = int(dict(headers).get("content-length", 0))
    return Seen(method, target, headers, await reader.readexactly(size), number)


class World:
    """A call's session with a scripted server."""

    def __init__(self, script, session, client, large):
        self.script = script
        self.session = session
        self.client = client
        self.large = large

    @property
    def seen(self):
        return self.script.seen

    async def ask(self, text=SEARCH):
        """The answer to a read or a search of this resource type."""
        resource = text.partition("?")[0].partition("/")[0]
        return await self.session.answer(Question(Query("a need", "aKey", resource, text), text))

    async def other_call(self, token=None, seconds=2.0):
        self.session = await _session(self.client, self.script.base, token, seconds)
        return self


def call(server, token=TOKEN, scope="user/*.read"):
    """The envelope of a hook call that names a FHIR server."""
    granted = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": scope, "subject": "app"}
    made = {"hook": "patient-view", "hookInstance": "i", "context": {}, "fhirServer": server}
    return parse_request(msgspec.json.encode(made | ({"fhirAuthorization": granted} if token else {})))


async def _session(client, base, token, seconds, scope="user/*.read"):
    return await client.session(call(base, token, scope), PATIENT, asyncio.get_running_loop().time() + seconds)


@contextlib.asynccontextmanager
async def world(
    *answers, token=TOKEN, seconds=2.0, rules=OPEN_MODE, ssl=None, ca_file=None, scope="user/*.read", **limits
):
    """A scripted server and a session that may ask it for some seconds."""
    with ThreadPoolExecutor(1) as large:
        client = FHIRClient(lambda _: rules, large, ca_file=ca_file, limits=Limits(**limits))
        async with Script(*answers, ssl=ssl) as script:
            yield World(script, await _session(client, script.base, token, seconds, scope), client, large)
            await client.close()


def asked(*answers, text=SEARCH, **options):
    """The answer to one query, and the requests that it took."""

    async def ask():
        async with world(*answers, **options) as here:
            return await here.ask(text), here.seen

    return asyncio.run(ask())
