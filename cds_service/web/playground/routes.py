"""The playground over HTTP: its page, its script and style, and the two questions that the script asks.

`/playground/request` makes the call that an EHR would send. The browser fires it itself at the real service, and then
asks `/playground/answer` how to show the answer, and why it is so. Nothing is kept between the two.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cds_service.decision.agreement import Agreement
from cds_service.errors import RequestError
from cds_service.examples import Example
from cds_service.hooks.json_limits import JSONLimits
from cds_service.hooks.reading import read_body
from cds_service.knowledge.knowledge import Knowledge
from cds_service.web.html import Markup, tag
from cds_service.web.playground.calls import Asked, CallMaker
from cds_service.web.playground.cards import Answer, cards_part
from cds_service.web.playground.changes import record_form
from cds_service.web.playground.copies import LONGEST, as_curl, as_python, as_sandbox_link
from cds_service.web.playground.differences import differences_part
from cds_service.web.playground.page import POLICY, playground_page, problems_part
from cds_service.web.playground.reasons import Reasoner, Reasons
from cds_service.web.playground.timeline import timeline_part
from cds_service.web.playground.why import why_part
from cds_service.web.playground.words import NO_REASONS

_FRESH: Final = {"cache-control": "no-store"}
_HERE: Final = Path(__file__).parent
_STATIC: Final = {
    "playground.js": ("text/javascript", (_HERE / "playground.js",)),
    "playground.css": ("text/css", (_HERE.with_name("pages.css"), _HERE / "playground.css")),
}
Read = Callable[[Request], Awaitable[bytes]]
Problems = Callable[[], tuple[str, ...]]
T = TypeVar("T")
Route = tuple[str, list[str], Callable[[Request], Any]]


class Answered(msgspec.Struct, frozen=True):
    """A call as it was sent, and what came back: the text of both."""

    request: str
    status: int
    response: str


class Shown(Answered, frozen=True):
    """What is to be shown, and the call before it with which it is compared."""

    before: Answered | None = None


_ASKED: Final = msgspec.json.Decoder(Asked)
_SHOWN: Final = msgspec.json.Decoder(Shown)


def no_problems() -> tuple[str, ...]:
    """Where the knowledge is read once, it cannot break while the service runs."""
    return ()


def playground_routes(
    knowledge: Knowledge,
    agreement: Agreement,
    examples: Sequence[Example],
    clock: Callable[[], dt.datetime],
    zone: dt.tzinfo,
    read: Read,
    limits: JSONLimits,
    problems: Problems = no_problems,
) -> Iterator[Route]:
    """Path, methods and answer of each. ``read`` reads a body within the service's limits, ``limits`` judges its JSON.

    ``problems`` tells what is wrong with the knowledge on disk, while the service goes on with what it read before.
    The answers raise RequestError, which becomes an OperationOutcome.
    """
    maker = CallMaker(knowledge, agreement, {example.name: example for example in examples}, limits)
    show = _Show(knowledge, Reasoner(agreement, limits, zone), clock)

    async def page(_: Request) -> Response:
        headers = _FRESH | {"content-security-policy": POLICY}
        return HTMLResponse(playground_page(knowledge, examples, problems()), headers=headers)

    def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
        limits.check(body)
        return read_body(decoder, body)

    # what is large is read and judged beside the loop, so that the calls of others need not wait

    async def asked(request: Request) -> Response:
        body, base = await read(request), str(request.base_url)
        return _json(await run_in_threadpool(lambda: _made(maker, decoded(_ASKED, body), clock(), base)))

    async def answered(request: Request) -> Response:
        body = await read(request)
        parts = await run_in_threadpool(lambda: show.parts(decoded(_SHOWN, body)))
        return _json(parts | {"problems": problems_part(problems())})

    yield "/", ["GET"], page
    yield "/playground/request", ["POST"], asked
    yield "/playground/answer", ["POST"], answered
    for name, (media_type, files) in _STATIC.items():
        yield f"/playground/{name}", ["GET"], _static(media_type, b"".join(file.read_bytes() for file in files))


def _static(media_type: str, body: bytes) -> Callable[[Request], Any]:

    async def answer(_: Request) -> Response:
        return Response(body, headers=_FRESH, media_type=media_type)

    return answer


def _json(data: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(data, enc_hook=str), headers=_FRESH, media_type="application/json")


def _made(maker: CallMaker, asked: Asked, now: dt.datetime, base: str) -> dict[str, Any]:
    """The call, the same to copy, and the record with what can be changed in it."""
    made = maker.make(asked, now)
    address = f"cds-services/{made.service_id}"
    is_short = len(made.request) <= LONGEST
    return {
        "address": address,
        "request": made.request,
        "curl": as_curl(f"{base}{address}", made.request) if is_short else "",
        "python": as_python(f"{base}{address}", made.request) if is_short else "",
        "sandbox": as_sandbox_link(f"{base}cds-services", asked.hook, asked.example),
        "record": record_form(made.record, asked.changes),
    }


@dataclass(frozen=True, slots=True)
class _Show:
    """Makes the parts of the page that an answer fills."""

    knowledge: Knowledge
    reasoner: Reasoner
    clock: Callable[[], dt.datetime]

    def parts(self, shown: Shown) -> dict[str, Any]:
        """Each part as HTML, and the answer in one sentence."""
        now, knowledge = self.clock(), self.knowledge
        answer = Answer.of(shown.status, shown.response.encode())
        reasons = self._reasons(shown, now)
        why, timeline = self._explained(reasons, answer)
        return {
            "said": answer.said,
            "cards": cards_part(answer, knowledge),
            "differences": self._differences(answer, reasons, shown.before, now),
            "why": why,
            "timeline": timeline,
        }

    def _reasons(self, answered: Answered, now: dt.datetime) -> Reasons | RequestError:
        try:
            return self.reasoner.reasons(answered.request.encode(), now)
        except RequestError as error:
            return error

    def _explained(self, reasons: Reasons | RequestError, answer: Answer) -> tuple[Markup, Markup]:
        if isinstance(reasons, RequestError):
            said = tag("p", f"{NO_REASONS} {reasons}.")
            return said, said
        return why_part(reasons, answer, self.knowledge), timeline_part(reasons.facts, self.knowledge)

    def _differences(
        self, answer: Answer, reasons: Reasons | RequestError, before: Answered | None, now: dt.datetime
    ) -> str:
        """Empty where there is nothing to compare with."""
        if before is None:
            return ""
        then = self._reasons(before, now)
        return differences_part(
            answer,
            None if isinstance(reasons, RequestError) else reasons,
            Answer.of(before.status, before.response.encode()),
            None if isinstance(then, RequestError) else then,
            self.knowledge,
        )
