"""The only place where the parts are joined."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from cds_service import __version__
from cds_service.api.body import BodyLimits
from cds_service.api.calls import OPEN_CLIENT, CallHandler
from cds_service.api.discovery import discovery_of
from cds_service.api.errors import on_http_error, on_ledger_error
from cds_service.api.exchanges import ExchangeLog
from cds_service.api.limits import CallLimits, ClientLimits
from cds_service.api.metrics import CONTENT_TYPE, Metrics
from cds_service.api.middleware import OpenModeGuard, SafeHeaders
from cds_service.api.openapi import openapi_of
from cds_service.api.page_access import PageAccess, TrustedProxy
from cds_service.api.routes import HookRoutes
from cds_service.decision.compose import Composer
from cds_service.decision.decide import Decider
from cds_service.decision.ports import Comments
from cds_service.decision.quieting import Quieting
from cds_service.fhir.client.fhir_client import FHIRClient
from cds_service.fhir.client.network import OPEN_MODE, AddressRules
from cds_service.fhir.order_writer import OrderWriter
from cds_service.fhir.reader import RecordReader
from cds_service.hooks.json_limits import JSONLimits
from cds_service.knowledge.knowledge import Knowledge
from cds_service.knowledge.loader import load_knowledge
from cds_service.knowledge.pages.content import Exhibits
from cds_service.ledger import Ledger, LedgerError, open_ledger, open_pseudonyms
from cds_service.settings import Settings, is_loopback
from cds_service.trust.audit import audited, open_audit, running
from cds_service.trust.clients import read_clients
from cds_service.trust.clients_file import ClientsFile
from cds_service.web.insight.routes import insight_routes
from cds_service.web.pages import CONTENT_SECURITY_POLICY, Pages, start_page

_LOG = logging.getLogger("cds_service")
_LARGE_CALLS_AT_ONCE = 2  # more would only take the interpreter from the small calls
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # exceptions would go with it


def make_decider(
    settings: Settings, knowledge: Knowledge, fhir_client: FHIRClient | None = None
) -> tuple[Decider, RecordReader]:
    """A decider and its reader, as the service and the command line use them; without a client nothing is fetched."""
    writer = OrderWriter(knowledge.vocabulary, orthoses_as=settings.orthoses_as)
    composer = Composer(knowledge, writer, settings.base_url)
    queries = knowledge.queries(settings.ehr_profile)
    reader = RecordReader(knowledge.vocabulary, queries, settings.zone, settings.max_resources, fhir_client)
    return Decider(knowledge, composer, settings.max_cards, with_red_flags=settings.red_flags), reader


def utc_now() -> dt.datetime:
    """The server's clock: the only one that decisions know."""
    return dt.datetime.now(dt.UTC)


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
    metrics = Metrics(knowledge, (OPEN_CLIENT,))
    audit = open_audit(settings.audit_file, metrics.count_lost_audit)
    clients = ClientsFile(settings.clients_file, audited(audit, clock, lambda path: read_clients(path, knowledge)))
    large_calls = ThreadPoolExecutor(_LARGE_CALLS_AT_ONCE, thread_name_prefix="large-call")
    fhir_client = FHIRClient(open_mode, large_calls, ca_file=settings.ca_file)
    decider, reader = make_decider(settings, knowledge, fhir_client)
    comments = _comments(settings)
    ledger = open_ledger(settings.database_url, settings.journal_file, settings.journal_limit, settings.ledger_period)
    hashes = open_pseudonyms(settings.database_url, settings.ledger_key_file)
    metrics.watch_ledger(
        waiting=lambda: ledger.journal.depth,
        set_aside=ledger.journal.count_set_aside,
        database_is_up=lambda: not ledger.courier.is_stuck,
    )
    deadline = settings.deadline_ms / 1000
    calls = CallHandler(
        decider,
        reader,
        ledger,
        Quieting(knowledge.snooze, ledger, hashes),
        clients,
        clock,
        settings.zone,
        deadline,
        BodyLimits(settings.max_body_bytes, settings.body_seconds),
        JSONLimits(settings.max_depth, settings.max_elements),
        large_calls,
        metrics,
        refuses_unkept=settings.when_journal_is_full == "refuse",
        comments=comments,
    )

    exchanges = ExchangeLog(audit, knowledge.fingerprint, clock)
    loaded = {"version": __version__, "mode": settings.mode, "knowledge": knowledge.fingerprint}
    on_hangup = [clients.look_now]
    app = FastAPI(
        title="Foot drop CDS",
        version=__version__,
        lifespan=_lifespan(
            ledger,
            fhir_client,
            large_calls,
            on_hangup,
            lambda: running(audit, clock, {**loaded, "settings": settings.shown()}),
        ),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # its own description would know of no hook
        telemetry=_NO_TELEMETRY,
    )
    pages = Pages(knowledge, exhibits(knowledge) if exhibits else None)
    app.state.on_hangup, app.state.on_refused = on_hangup, partial(exchanges.refused, "request")
    health = {"ledger": lambda: ledger.health, "clients": lambda: clients.health, "audit": lambda: audit.health}
    _add_pages(app, knowledge, pages, health, lambda: clock().astimezone(settings.zone).date())
    for path, answer in insight_routes(ledger.figures, knowledge):
        app.add_route(path, answer, methods=["GET"])
    app.add_route("/metrics", _exposition(metrics), methods=["GET"])
    description = openapi_of(knowledge)
    app.add_route("/openapi.json", lambda _: JSONResponse(description), methods=["GET"])
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(LedgerError, on_ledger_error)
    proxy = TrustedProxy(settings.proxy_networks, settings.proxy_user_header)
    app.add_middleware(
        PageAccess,
        is_local=is_loopback,
        token=settings.admin_token,
        proxy=proxy,
        refused=partial(exchanges.refused, "page"),
    )
    # the last one added is the first to see a request
    app.add_middleware(
        HookRoutes,
        calls=calls,
        discovery=discovery_of(knowledge, reader.queries),
        metrics=metrics,
        log=exchanges,
        limits=CallLimits(settings.calls_at_once),
        open_limits=ClientLimits(settings.calls_a_minute),
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_origin_regex=settings.origin_pattern,
        allow_methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type"],
        allow_private_network=True,  # Chromium asks before a public page, such as the Sandbox, calls this machine
        max_age=600,
    )
    if not settings.allow_open:
        app.add_middleware(
            OpenModeGuard,
            is_local=is_loopback,
            may_forward=proxy.may_forward,
            refused=app.state.on_refused,
        )
    app.add_middleware(SafeHeaders, hsts_seconds=settings.hsts)
    return app


def _comments(settings: Settings) -> Comments | None:
    """What encrypts users' comments; None where they are not kept. Raises LedgerError where its keys cannot be used."""
    if not settings.comment_keep_days:
        return None
    from cds_service.ledger.comments import open_comments  # noqa: PLC0415  # only who keeps comments waits for it

    comments = open_comments(settings.database_url, settings.comment_key_file, settings.comment_keep_days)
    _LOG.info("users' comments are kept, encrypted, for %d days (CDS_COMMENT_KEEP_DAYS)", settings.comment_keep_days)
    return comments


def open_mode(fhir_server: str) -> AddressRules | None:
    """Without registered clients, a FHIR server is one on this machine."""
    return OPEN_MODE if is_loopback(urlsplit(fhir_server).hostname or "") else None


def _lifespan(
    ledger: Ledger,
    fhir_client: FHIRClient,
    large_calls: Executor,
    on_hangup: Sequence[Callable[[], None]],
    audit: Callable[[], AbstractContextManager[None]],
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
            large_calls.shutdown()
            ledger.close()

    return lifespan


def _exposition(metrics: Metrics) -> Callable[[Request], Response]:
    def answer(_: Request) -> Response:  # not async: the ledger is asked how it is
        return Response(metrics.exposition(), headers={"cache-control": "no-store", "content-type": CONTENT_TYPE})

    return answer


def _add_pages(
    app: FastAPI,
    knowledge: Knowledge,
    pages: Pages,
    health: Mapping[str, Callable[[], object]],
    today: Callable[[], dt.date],
) -> None:
    """What is no hook: pages for people, and health for whoever runs the service."""
    page_headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": "no-store"}

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        parts = {"knowledge": knowledge.fingerprint} | {name: ask() for name, ask in health.items()}
        return JSONResponse({"status": "ready", **parts})

    async def start(_: Request) -> Response:
        return HTMLResponse(start_page(knowledge), headers=page_headers)

    def about_cards(request: Request) -> Response:  # not async: the first look at a page plays a case
        found = pages.find(request.path_params["page"], today())
        if found is None:
            raise HTTPException(404)
        return Response(found.body, media_type=found.media_type, headers=page_headers)

    app.add_route("/health/live", live, methods=["GET"])
    app.add_route("/health/ready", ready, methods=["GET"])
    app.add_route("/cards/{page}", about_cards, methods=["GET"])
    app.add_route("/", start, methods=["GET"])
