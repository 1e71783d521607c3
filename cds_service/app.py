"""The only place where the parts are joined."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from functools import cache, cached_property, partial

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from cds_service import __version__
from cds_service.agreements import AgreementMaker, open_mode
from cds_service.api.body import BodyLimits, read_body
from cds_service.api.calls import CallHandler
from cds_service.api.door import Door
from cds_service.api.edited_cards import EditedCards, WithEditedCards
from cds_service.api.errors import on_http_error, on_ledger_error
from cds_service.api.exchanges import ExchangeLog
from cds_service.api.limits import CallLimits
from cds_service.api.metrics import CONTENT_TYPE, Metrics
from cds_service.api.middleware import CORS, OpenModeGuard, SafeHeaders
from cds_service.api.openapi import openapi_of
from cds_service.api.page_access import PageAccess, TrustedProxy
from cds_service.api.routes import HookRoutes
from cds_service.decision.audit import AuditLog
from cds_service.decision.callers import OPEN_CLIENT
from cds_service.decision.ports import Comments
from cds_service.decision.quieting import Quieting
from cds_service.examples import read_examples
from cds_service.fhir.client.fhir_client import FHIRClient
from cds_service.hooks.json_limits import JSONLimits
from cds_service.hooks.reading import is_loopback
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.loader import load_knowledge
from cds_service.knowledge.pages.content import Exhibits
from cds_service.ledger import Ledger, LedgerError, Pseudonymizer, open_ledger, open_pseudonyms
from cds_service.registry import Registry, Tokens
from cds_service.settings import Settings
from cds_service.trust.audit import audited, open_audit, running
from cds_service.web.insight.routes import insight_routes
from cds_service.web.pages import CONTENT_SECURITY_POLICY, Pages, start_page
from cds_service.web.playground.routes import Route, no_problems, playground_routes

_LOG = logging.getLogger("cds_service")
_LARGE_CALLS_AT_ONCE = 2  # more would only take the interpreter from the small calls
_PAGE_HEADERS = {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": "no-store"}
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # exceptions would go with it


def utc_now() -> dt.datetime:
    """The server's clock: the only one that decisions know."""
    return dt.datetime.now(dt.UTC)


class _Foundation:
    """What lasts while the process runs, whatever the knowledge says."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], dt.datetime],
        exhibits: Callable[[Knowledge], Exhibits] | None,
    ) -> None:
        """The ledger is opened when it is asked for: after all that can be wrong with the rest was looked at."""
        self.settings, self.clock, self.exhibits = settings, clock, exhibits
        self.cards: EditedCards | None = None
        self.metrics: Metrics | None = None
        self.audit = open_audit(settings.audit_file, self._count_lost_audit)
        self.large_calls = ThreadPoolExecutor(_LARGE_CALLS_AT_ONCE, thread_name_prefix="large-call")
        self.fhir_client = FHIRClient(open_mode, self.large_calls, ca_file=settings.ca_file)

    @cached_property
    def comments(self) -> Comments | None:
        return _comments(self.settings)

    @cached_property
    def ledger(self) -> Ledger:
        it = self.settings
        return open_ledger(it.database_url, it.journal_file, it.journal_limit, it.ledger_period)

    @cached_property
    def hashes(self) -> Pseudonymizer:
        return open_pseudonyms(self.settings.database_url, self.settings.ledger_key_file)

    def _count_lost_audit(self) -> None:
        if self.metrics is not None:
            self.metrics.count_lost_audit()


def create_app(
    settings: Settings,
    clock: Callable[[], dt.datetime] = utc_now,
    exhibits: Callable[[Knowledge], Exhibits] | None = None,
) -> FastAPI:
    """The service. Raises KnowledgeError where ``cards/`` cannot be used: a broken service does not start.

    ``exhibits`` plays the cases for the pages behind the cards; without it those pages show none.
    """
    knowledge = load_knowledge(settings.cards_dir)
    for said in knowledge.reviews(clock().date()):
        _LOG.warning("%s", said)
    if not settings.red_flags:
        _LOG.warning("red flags are switched off (CDS_RED_FLAGS)")
    foundation = _Foundation(settings, clock, exhibits)
    if not settings.development:
        return _app_of(knowledge, foundation)
    foundation.cards = EditedCards(settings.cards_dir, lambda: _app_of(load_knowledge(settings.cards_dir), foundation))
    app = _app_of(knowledge, foundation)
    app.add_middleware(WithEditedCards, cards=foundation.cards)
    return app


def _app_of(knowledge: Knowledge, foundation: _Foundation) -> FastAPI:
    """The service with this knowledge."""
    settings, clock, audit = foundation.settings, foundation.clock, foundation.audit
    metrics = foundation.metrics = Metrics(knowledge)
    maker = AgreementMaker(settings, knowledge, foundation.fhir_client)
    registry = Registry(settings, maker, metrics, partial(audited, audit, clock))
    comments, ledger, hashes = foundation.comments, foundation.ledger, foundation.hashes
    metrics.watch_ledger(
        waiting=lambda: ledger.journal.depth,
        set_aside=ledger.journal.count_set_aside,
        database_is_up=lambda: not ledger.courier.is_stuck,
    )
    deadline = settings.deadline_ms / 1000
    calls = CallHandler(
        knowledge,
        ledger,
        Quieting(knowledge.snooze, ledger, hashes),
        clock,
        settings.zone,
        deadline,
        BodyLimits(settings.max_body_bytes, settings.body_seconds),
        JSONLimits(settings.max_depth, settings.max_elements),
        foundation.large_calls,
        metrics,
        refuses_unkept=settings.when_journal_is_full == "refuse",
        comments=comments,
    )

    tokens = None if registry.is_open else Tokens(registry, settings, ledger, clock)
    door = Door(registry, settings.base_url, clock, tokens.authenticator if tokens else None)
    exchanges = ExchangeLog(audit, knowledge.fingerprint, clock)
    loaded = {"version": __version__, "mode": registry.mode, "knowledge": knowledge.fingerprint}
    on_hangup = [registry.look_now]
    app = FastAPI(
        title="Foot drop CDS",
        version=__version__,
        lifespan=_lifespan(
            ledger,
            foundation.fhir_client,
            foundation.large_calls,
            on_hangup,
            lambda: running(audit, clock, {**loaded, "settings": settings.shown()}),
            tokens,
        ),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # its own description would know of no hook
        telemetry=_NO_TELEMETRY,
    )
    pages = Pages(knowledge, foundation.exhibits(knowledge) if foundation.exhibits else None)
    app.state.on_hangup, app.state.on_refused = on_hangup, partial(exchanges.refused, "request")
    app.state.mode = registry.mode
    health = _health(ledger, registry, audit, tokens, foundation.cards)
    _add_pages(app, knowledge, pages, health, lambda: clock().astimezone(settings.zone).date())
    for path, answer in insight_routes(ledger.figures, knowledge):
        app.add_route(path, answer, methods=["GET"])
    for path, methods, endpoint in _home(knowledge, registry, calls, foundation.cards):
        app.add_route(path, endpoint, methods=methods)
    app.add_route("/metrics", _exposition(metrics), methods=["GET"])
    description = cache(partial(openapi_of, knowledge, settings.base_url))  # made when it is first asked for
    app.state.description, app.state.fingerprint = description, knowledge.fingerprint
    app.add_route("/openapi.json", lambda _: JSONResponse(description()), methods=["GET"])
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(LedgerError, on_ledger_error)
    routes = partial(HookRoutes, door=door, calls=calls, metrics=metrics, log=exchanges)
    _add_guards(app, settings, registry, exchanges, routes)
    return app


def _add_guards(
    app: FastAPI, settings: Settings, registry: Registry, exchanges: ExchangeLog, routes: Callable[..., HookRoutes]
) -> None:
    """What stands in front of the pages: the endpoints of the standard, and who may ask at all."""
    proxy = TrustedProxy(settings.proxy_networks, settings.proxy_user_header)
    is_open = registry.is_open
    app.add_middleware(
        PageAccess,
        is_local=is_loopback if is_open else _nobody,  # else a proxy in front, perhaps on loopback, would be let in
        token=settings.admin_token,
        proxy=proxy,
        refused=partial(exchanges.refused, "page"),
    )
    # the last one added is the first to see a request
    app.add_middleware(routes, limits=CallLimits(settings.calls_at_once))
    app.add_middleware(
        CORS,
        is_allowed=None if is_open else registry.lists,
        allow_origins=settings.origins if is_open else (),
        allow_origin_regex=settings.origin_pattern if is_open else None,
        allow_methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type"],
        allow_private_network=True,  # Chromium asks before a public page, such as the Sandbox, calls this machine
        max_age=600,
    )
    if is_open and not settings.allow_open:
        app.add_middleware(
            OpenModeGuard,
            is_local=is_loopback,
            may_forward=proxy.may_forward,
            refused=app.state.on_refused,
        )
    app.add_middleware(SafeHeaders, hsts_seconds=settings.hsts)


def _nobody(_: str) -> bool:
    return False


def _comments(settings: Settings) -> Comments | None:
    """What encrypts users' comments; None where they are not kept. Raises LedgerError where its keys cannot be used."""
    if not settings.comment_keep_days:
        return None
    from cds_service.ledger.comments import open_comments  # noqa: PLC0415  # only who keeps comments waits for it

    comments = open_comments(settings.database_url, settings.comment_key_file, settings.comment_keep_days)
    _LOG.info("users' comments are kept, encrypted, for %d days (CDS_COMMENT_KEEP_DAYS)", settings.comment_keep_days)
    return comments


def _lifespan(
    ledger: Ledger,
    fhir_client: FHIRClient,
    large_calls: Executor,
    on_hangup: Sequence[Callable[[], None]],
    audit: Callable[[], AbstractContextManager[None]],
    tokens: Tokens | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    def hang_up() -> None:
        for look in on_hangup:
            look()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):  # no SIGHUP here, or a thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up)
        with audit():
            yield
            await fhir_client.close()
            if tokens:
                await tokens.close()
            large_calls.shutdown()
            ledger.close()

    return lifespan


def _exposition(metrics: Metrics) -> Callable[[Request], Response]:
    def answer(_: Request) -> Response:  # not async: the ledger is asked how it is
        return Response(metrics.exposition(), headers={"cache-control": "no-store", "content-type": CONTENT_TYPE})

    return answer


def _health(
    ledger: Ledger, registry: Registry, audit: AuditLog, tokens: Tokens | None, cards: EditedCards | None
) -> Mapping[str, Callable[[], object]]:
    """How the parts are, for whoever runs the service."""
    parts: dict[str, Callable[[], object]] = {
        "ledger": lambda: ledger.health,
        "clients": lambda: registry.health,
        "audit": lambda: audit.health,
    }
    if tokens:
        parts["tokens"] = lambda: tokens.health
    if cards:
        parts["cards"] = lambda: cards.health
    return parts


def _home(knowledge: Knowledge, registry: Registry, calls: CallHandler, cards: EditedCards | None) -> Iterable[Route]:
    """What stands at ``/``: the playground in open mode; else a page of links, for it could not sign a token."""
    if registry.is_open:
        read = partial(read_body, limits=calls.body_limits)
        return playground_routes(
            knowledge,
            registry.current[OPEN_CLIENT],
            read_examples(),
            calls.clock,
            calls.zone,
            read,
            calls.json_limits,
            cards.problems if cards else no_problems,
        )

    async def start(_: Request) -> Response:
        return HTMLResponse(start_page(knowledge), headers=_PAGE_HEADERS)

    return [("/", ["GET"], start)]


def _add_pages(
    app: FastAPI,
    knowledge: Knowledge,
    pages: Pages,
    health: Mapping[str, Callable[[], object]],
    today: Callable[[], dt.date],
) -> None:
    """What is no hook: pages for people, and health for whoever runs the service."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        parts = {"knowledge": knowledge.fingerprint} | {name: ask() for name, ask in health.items()}
        return JSONResponse({"status": "ready", **parts})

    def about_cards(request: Request) -> Response:  # not async: the first look at a page plays a case
        found = pages.find(request.path_params["page"], today())
        if found is None:
            raise HTTPException(404)
        return Response(found.body, media_type=found.media_type, headers=_PAGE_HEADERS)

    app.add_route("/health/live", live, methods=["GET"])
    app.add_route("/health/ready", ready, methods=["GET"])
    app.add_route("/cards/{page}", about_cards, methods=["GET"])
