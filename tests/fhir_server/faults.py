"""What `FaultServer` can do wrong: each fault has a name and one sentence, the rows of a table in the documentation.

A fault turns the good answer into another one, or writes to the wire itself and answers nothing (`None`).
"""

import asyncio
import functools
import gzip
import random
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from tests.fhir_server.search import Answer, Asked, entry, outcome, url_of

MEBIBYTE = 2**20
BOMB = 50_000_000  # bytes of the unpacked bombs
HUGE = 41 * MEBIBYTE
SOMEBODY_ELSE = "somebody-else"
HTML = "<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>"

# The data of a patient is complete all the same after these, for a client that follows redirects and asks again.
HARMLESS = frozenset({"an outcome beside", "no total", "self without query", "redirect inside", "429 with Retry-After"})


class Exchange(Protocol):
    """What a fault knows of the request, and how it reaches the wire."""

    asked: Asked
    base: str
    elsewhere: str
    times_asked: int  # how often this resource type was asked for since `reset`, this request included

    @property
    def slowness(self) -> float:
        """Seconds before a slow first byte."""

    async def pause(self, seconds: float) -> None:
        """Wait, unless the client hangs up."""

    async def write(self, data: bytes) -> None:
        """Write to the wire."""

    def reset(self) -> None:
        """Tear the connection down with a RST."""


Turned = Answer | None
Deed = Callable[[Exchange, Answer], Turned | Awaitable[Turned]]


class Fault(NamedTuple):
    """A way to misbehave, and whether a search alone can show it: a read is then answered well."""

    sentence: str
    deed: Deed
    only_searches: bool


TABLE: dict[str, Fault] = {}


def _fault(name: str, sentence: str) -> Callable[[Deed], Deed]:
    def enter(deed: Deed) -> Deed:
        TABLE[name] = Fault(sentence, deed, only_searches=False)
        return deed

    return enter


def _of_bundle(name: str, sentence: str) -> Callable[[Any], Any]:
    """A fault in the Bundle of a search; all else is answered well."""

    def enter(change: Any) -> Any:
        def deed(exchange: Exchange, good: Answer) -> Answer:
            return good.having(value=change(exchange, dict(good.value))) if _is_searchset(good) else good

        TABLE[name] = Fault(sentence, deed, only_searches=True)
        return change

    return enter


def _always(name: str, sentence: str, answer: Answer) -> None:
    TABLE[name] = Fault(sentence, lambda _exchange, _good: answer, only_searches=False)


def head(answer: Answer, payload: bytes | None) -> bytes:
    """Status line and headers of an answer; without a payload nothing is said of its length."""
    lines = [f"HTTP/1.1 {answer.status} Made up", f"Content-Type: {answer.content_type}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if payload is not None and answer.status != 204:
        lines.append(f"Content-Length: {len(payload)}")
    return "\r\n".join([*lines, "", ""]).encode()


# --- the connection ---------------------------------------------------------------------------------------------------


@_fault("slow first byte", "Waits `slowness` seconds before it answers, well")
async def _slow_first_byte(exchange: Exchange, good: Answer) -> Turned:
    await exchange.pause(exchange.slowness)
    return good


@_fault("slow body", "Sends the headers at once, then the body byte by byte, one every 50 ms")
async def _slow_body(exchange: Exchange, good: Answer) -> Turned:
    await exchange.write(head(good, good.payload))
    for one in good.payload:
        await exchange.pause(0.05)
        await exchange.write(bytes([one]))
    return None


@_fault("reset", "Resets the connection (RST) once it has read the request")
def _reset(exchange: Exchange, _good: Answer) -> Turned:
    exchange.reset()
    return None


@_fault("reset in the body", "Sends half of the body that it announced, then resets the connection")
async def _reset_in_the_body(exchange: Exchange, good: Answer) -> Turned:
    payload = good.payload
    await exchange.write(head(good, payload) + payload[: len(payload) // 2])
    await exchange.pause(0.02)  # a reset overtakes what was not read yet
    exchange.reset()
    return None


@_fault("closed at once", "Closes the connection without an answer")
def _closed_at_once(_exchange: Exchange, _good: Answer) -> Turned:
    return None


@_fault("huge header", "Sends a header of 200 KB with a good answer")
def _huge_header(_exchange: Exchange, good: Answer) -> Turned:
    return good.having(headers=(("X-Huge", "x" * 200_000),))


@_fault("chunked garbage", "Announces a chunked body and sends chunk sizes that are no numbers")
async def _chunked_garbage(exchange: Exchange, good: Answer) -> Turned:
    chunked = good.having(headers=(("Transfer-Encoding", "chunked"),))
    await exchange.write(head(chunked, None) + b"zz; no number\r\n" + good.payload + b"\r\n-1\r\n\r\n")


@_fault("not HTTP", "Sends random bytes instead of HTTP")
async def _not_http(exchange: Exchange, _good: Answer) -> Turned:
    await exchange.write(random.Random(7).randbytes(2000))


@_fault("huge page", "Streams a good answer of more than 40 MB, uncompressed and of unannounced length")
async def _huge_page(exchange: Exchange, good: Answer) -> Turned:
    await exchange.write(head(good.having(headers=(("Transfer-Encoding", "chunked"),)), None))
    spaces = b" " * MEBIBYTE
    for part in (good.payload[:1], *[spaces] * (HUGE // MEBIBYTE), good.payload[1:]):
        await exchange.write(b"%x\r\n%s\r\n" % (len(part), part))
    await exchange.write(b"0\r\n\r\n")


# --- the status and the kind of body ----------------------------------------------------------------------------------

_REFUSALS = {
    "401": ("login", "Answers 401, as if the token were missing, wrong or expired"),
    "403": ("forbidden", "Answers 403, as if the token's scopes did not reach so far"),
    "404": ("not-found", "Answers 404, as a server that does not know the resource type or the patient"),
    "410": ("deleted", "Answers 410, as a server that has deleted the resource"),
    "429": ("throttled", "Answers 429 each time, without Retry-After"),
    "500": ("exception", "Answers 500 with an OperationOutcome"),
}
for _status, (_code, _sentence) in _REFUSALS.items():
    _challenge = (("WWW-Authenticate", 'Bearer realm="fhir"'),) if _status == "401" else ()
    _always(_status, _sentence, Answer(int(_status), outcome(_code, f"made up {_status}"), headers=_challenge))

_always(
    "503 with Retry-After",
    "Answers 503 each time, with Retry-After: 120",
    Answer(503, outcome("transient", "made up 503"), headers=(("Retry-After", "120"),)),
)
_always("500 HTML", "Answers 500 with an HTML page", Answer(500, body=HTML.encode(), content_type="text/html"))
_always("HTML error page", "Answers 200 with an HTML page", Answer(200, body=HTML.encode(), content_type="text/html"))
_always(
    "OperationOutcome with 200",
    "Answers 200 with an OperationOutcome of severity error",
    Answer(200, outcome("exception", "the search failed")),
)
_always(
    "OperationOutcome denied with 200",
    "Answers 200 with an OperationOutcome that says forbidden",
    Answer(200, outcome("forbidden", "no access to this patient")),
)
_always("null", "Answers 200 with the JSON value null", Answer(200, body=b"null"))
_always("empty body", "Answers 200 with an empty body", Answer(200, body=b""))
_always("204", "Answers 204 No Content", Answer(204, body=b""))


@_fault(
    "429 with Retry-After", "Answers the first request for each resource type with 429 and Retry-After: 0, then well"
)
def _throttled_once(exchange: Exchange, good: Answer) -> Turned:
    if exchange.times_asked > 1:
        return good
    return Answer(429, outcome("throttled", "ask again at once"), headers=(("Retry-After", "0"),))


@_fault("wrong content type", "Sends the good answer as text/plain")
def _wrong_content_type(_exchange: Exchange, good: Answer) -> Turned:
    return good.having(content_type="text/plain")


@_fault("truncated JSON", "Sends a complete HTTP answer whose JSON stops half way")
def _truncated_json(_exchange: Exchange, good: Answer) -> Turned:
    return good.having(body=good.payload[: len(good.payload) // 2])


@_fault("a list instead of a Bundle", "Answers with a JSON array of the resources")
def _a_list(_exchange: Exchange, good: Answer) -> Turned:
    return good.having(value=_resources(good.value) if _is_searchset(good) else [good.value])


# --- compression ------------------------------------------------------------------------------------------------------

_GZIPPED = (("Content-Encoding", "gzip"),)


@functools.lru_cache(maxsize=4)
def _bomb(first: bytes, filling: bytes, last: bytes) -> bytes:
    packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    packed = [packer.compress(first)] + [packer.compress(filling * MEBIBYTE) for _ in range(BOMB // MEBIBYTE + 1)]
    return b"".join([*packed, packer.compress(last), packer.flush()])


@_fault("gzip bomb", "Sends 50 MB of zero bytes, gzipped")
async def _gzip_bomb(_exchange: Exchange, good: Answer) -> Turned:
    return good.having(body=await asyncio.to_thread(_bomb, b"", b"\0", b""), headers=_GZIPPED)


@_fault("gzip bomb in JSON", "Sends the good answer with 50 MB of spaces in its JSON, gzipped")
async def _gzip_bomb_in_json(_exchange: Exchange, good: Answer) -> Turned:
    bomb = await asyncio.to_thread(_bomb, good.payload[:1], b" ", good.payload[1:])
    return good.having(body=bomb, headers=_GZIPPED)


@_fault("broken gzip", "Says gzip, and sends a gzip header followed by garbage")
def _broken_gzip(_exchange: Exchange, good: Answer) -> Turned:
    return good.having(body=gzip.compress(good.payload)[:10] + b"\xff" * 200, headers=_GZIPPED)


@_fault("unknown encoding", "Says Content-Encoding: br, unasked, and sends garbage")
def _unknown_encoding(_exchange: Exchange, good: Answer) -> Turned:
    return good.having(body=random.Random(8).randbytes(500), headers=(("Content-Encoding", "br"),))


# --- redirects --------------------------------------------------------------------------------------------------------


def _redirect(exchange: Exchange, base: str) -> Answer:
    asked = exchange.asked
    is_read = asked.id not in ("", "_search")
    url = f"{base}/{asked.resource_type}/{asked.id}" if is_read else url_of(asked, base)
    return Answer(302, body=b"", headers=(("Location", url),))


@_fault("redirect to a private address", "Redirects to http://10.0.0.1/fhir/… with the same query")
def _redirect_to_a_private_address(exchange: Exchange, _good: Answer) -> Turned:
    return _redirect(exchange, "http://10.0.0.1/fhir")


@_fault("redirect to another host", "Redirects to `elsewhere`, where the answer would be good")
def _redirect_to_another_host(exchange: Exchange, _good: Answer) -> Turned:
    return _redirect(exchange, exchange.elsewhere)


@_fault("redirect inside", "Redirects to a path under the same base with the same query, and answers well there")
def _redirect_inside(exchange: Exchange, good: Answer) -> Turned:
    return good if _is_moved(exchange) else _redirect(exchange, f"{exchange.base}/moved")


@_fault("redirect in circles", "Redirects inside the same base, to and fro, without end")
def _redirect_in_circles(exchange: Exchange, _good: Answer) -> Turned:
    return _redirect(exchange, exchange.base if _is_moved(exchange) else f"{exchange.base}/moved")


def _is_moved(exchange: Exchange) -> bool:
    return exchange.asked.path.startswith("/fhir/moved/")


# --- the pages --------------------------------------------------------------------------------------------------------


def _with_link(bundle: dict[str, Any], relation: str, url: str) -> dict[str, Any]:
    others = [one for one in bundle["link"] if one["relation"] != relation]
    return bundle | {"link": [*others, {"relation": relation, "url": url}]}


@_of_bundle("endless next", "Gives each page a next page; after the good ones come pages of one new record each")
def _endless_next(exchange: Exchange, bundle: dict[str, Any]) -> Any:
    page = int(exchange.asked.first("_page") or 1)
    fill = {} if bundle.get("entry") else {"entry": [entry(_made(exchange.asked, f"made-{page}"), exchange.base)]}
    return _with_link(bundle | fill, "next", url_of(exchange.asked, exchange.base, _page=str(page + 1)))


@_of_bundle("next to itself", "Gives a next page that is the page itself")
def _next_to_itself(exchange: Exchange, bundle: dict[str, Any]) -> Any:
    return _with_link(bundle, "next", url_of(exchange.asked, exchange.base))


@_of_bundle("next to another host", "Gives a next page at `elsewhere`")
def _next_to_another_host(exchange: Exchange, bundle: dict[str, Any]) -> Any:
    return _with_link(bundle, "next", url_of(exchange.asked, exchange.elsewhere, _page="2"))


@_of_bundle("next out of the path", "Gives a next page on the same host and port, but outside /fhir")
def _next_out_of_the_path(exchange: Exchange, bundle: dict[str, Any]) -> Any:
    return _with_link(bundle, "next", f"{exchange.base.removesuffix('/fhir')}/admin?patient={exchange.asked.patient}")


@_of_bundle("next with a broken URL", "Gives a next page whose URL cannot be read")
def _next_with_a_broken_url(_exchange: Exchange, bundle: dict[str, Any]) -> Any:
    return _with_link(bundle, "next", "http://[broken/fhir?_page=2")


# --- the data ---------------------------------------------------------------------------------------------------------

_ORDER = {"status": "active", "intent": "order"}
_SMALLEST: dict[str, dict[str, Any]] = {
    "Observation": {"status": "final"},
    "Procedure": {"status": "completed"},
    "DiagnosticReport": {"status": "final"},
    "ServiceRequest": _ORDER,
    "DeviceRequest": _ORDER,
    "DeviceUseStatement": {"status": "active", "device": {"display": "made up"}},
    "MedicationRequest": _ORDER,
    "MedicationAdministration": {"status": "completed", "effectiveDateTime": "2026-11-01"},
}
_CODE_MEMBER = {
    "Device": "type",
    "DeviceRequest": "codeCodeableConcept",
    "MedicationRequest": "medicationCodeableConcept",
    "MedicationAdministration": "medicationCodeableConcept",
}


def _made(asked: Asked, name: str, patient: str = "") -> dict[str, Any]:
    """The smallest valid resource that fits the search, of its patient or of another."""
    owner = "patient" if asked.resource_type in ("Device", "AllergyIntolerance", "Immunization") else "subject"
    made = {"resourceType": asked.resource_type, "id": name, **_SMALLEST.get(asked.resource_type, {})}
    if asked.resource_type == "Patient":
        return made
    if asked.resource_type != "DeviceUseStatement":
        system, _, code = (asked.first("code") or "made-up").partition(",")[0].rpartition("|")
        coding = {"code": code or "made-up"} | ({"system": system} if system else {})
        made[_CODE_MEMBER.get(asked.resource_type, "code")] = {"coding": [coding]}
    return made | {owner: {"reference": f"Patient/{patient or asked.patient}"}}


def _of_somebody_else(resource: dict[str, Any]) -> dict[str, Any]:
    if resource["resourceType"] == "Patient":
        return resource | {"id": SOMEBODY_ELSE}
    owner = "patient" if "patient" in resource else "subject"
    return resource | {owner: {"reference": f"Patient/{SOMEBODY_ELSE}"}}


def _with_entries(bundle: dict[str, Any], resources: list[dict[str, Any]], base: str) -> dict[str, Any]:
    return bundle | {"total": len(resources), "entry": [entry(one, base) for one in resources]}


def _resources(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [one["resource"] for one in bundle.get("entry", [])]


@_fault("another patient's data", "Adds a record of another patient to a good answer; reads another patient")
def _another_patients_data(exchange: Exchange, good: Answer) -> Turned:
    if not _is_searchset(good):
        return _read_as(good, id=SOMEBODY_ELSE)
    stray = _made(exchange.asked, "stray", SOMEBODY_ELSE)
    return good.having(value=_with_entries(good.value, [*_resources(good.value), stray], exchange.base))


@_fault("only another patient's data", "Answers with records of another patient alone; reads another patient")
def _only_another_patients_data(exchange: Exchange, good: Answer) -> Turned:
    if not _is_searchset(good):
        return _read_as(good, id=SOMEBODY_ELSE)
    found = _resources(good.value) or [_made(exchange.asked, "stray")]
    return good.having(value=_with_entries(good.value, [_of_somebody_else(one) for one in found], exchange.base))


@_fault("wrong resource type", "Answers with a Practitioner instead of what was asked for")
def _wrong_resource_type(exchange: Exchange, good: Answer) -> Turned:
    if not _is_searchset(good):
        return _read_as(good, resourceType="Practitioner")
    doctor = {"resourceType": "Practitioner", "id": "doc-1"}
    return good.having(value=_with_entries(good.value, [doctor], exchange.base))


@_fault("one broken entry", "Adds an entry whose resource does not fit R4; reads a patient who does not")
def _one_broken_entry(exchange: Exchange, good: Answer) -> Turned:
    if not _is_searchset(good):
        return _read_as(good, birthDate=7)
    broken = {"resourceType": exchange.asked.resource_type, "id": "broken", "subject": 7}
    return good.having(value=_with_entries(good.value, [*_resources(good.value), broken], exchange.base))


def _is_searchset(good: Answer) -> bool:
    return good.status == 200 and good.value["resourceType"] == "Bundle"


def _read_as(good: Answer, **members: Any) -> Answer:
    return good.having(value=good.value | members) if good.status == 200 else good


@_of_bundle("patient parameter ignored", "Leaves the patient parameter out of its self link; the data is the patient's")
def _patient_parameter_ignored(exchange: Exchange, bundle: dict[str, Any]) -> Any:
    kept = tuple(one for one in exchange.asked.parameters if one[0] not in ("patient", "subject"))
    return _with_link(bundle, "self", url_of(exchange.asked._replace(parameters=kept), exchange.base))


@_of_bundle("10,000 entries", "Answers with 10,000 records of the patient on one page")
def _ten_thousand_entries(exchange: Exchange, bundle: dict[str, Any]) -> Any:
    one = next(iter(_resources(bundle)), None) or _made(exchange.asked, "made")
    return _with_entries(bundle, [one | {"id": f"made-{number}"} for number in range(10_000)], exchange.base)


@_of_bundle("a history Bundle", "Answers with a Bundle of type history")
def _a_history_bundle(_exchange: Exchange, bundle: dict[str, Any]) -> Any:
    entries = [
        {key: one[key] for key in ("fullUrl", "resource")}
        | {"request": {"method": "PUT", "url": one["fullUrl"]}, "response": {"status": "200"}}
        for one in bundle.get("entry", [])
    ]
    return bundle | {"type": "history", "entry": entries}


# --- harmless ---------------------------------------------------------------------------------------------------------


@_of_bundle("an outcome beside", "Adds an OperationOutcome of severity information, as an entry of mode outcome")
def _an_outcome_beside(_exchange: Exchange, bundle: dict[str, Any]) -> Any:
    beside = {"resource": outcome("informational", "all is well", "information"), "search": {"mode": "outcome"}}
    return bundle | {"entry": [*bundle.get("entry", []), beside]}


@_of_bundle("no total", "Does not say how many records there are")
def _no_total(_exchange: Exchange, bundle: dict[str, Any]) -> Any:
    return {name: value for name, value in bundle.items() if name != "total"}


@_of_bundle("self without query", "Gives a self link without the query")
def _self_without_query(exchange: Exchange, bundle: dict[str, Any]) -> Any:
    return _with_link(bundle, "self", f"{exchange.base}/{exchange.asked.resource_type}")


FAULTS = {name: fault.sentence for name, fault in TABLE.items()}
ONLY_SEARCHES = frozenset(name for name, fault in TABLE.items() if fault.only_searches)
