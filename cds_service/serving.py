"""How the process listens: the limits of a connection, TLS where there is a certificate, its renewal on SIGHUP."""

from __future__ import annotations

import logging
import ssl
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from cds_service.api.connections import ConnectionLimits, connection_type
from cds_service.settings import Settings, load_certificate, tls_context

_LOG = logging.getLogger("cds_service")


def server_options(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """What uvicorn is told. What it logs goes where all goes, and it adds no word of its own to an answer."""
    limits = ConnectionLimits(
        settings.max_connections,
        settings.max_headers,
        settings.max_header_bytes,
        settings.header_seconds,
        settings.body_seconds,
    )
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": connection_type(limits, app.state.on_refused),
        "ws": "none",
        "log_config": None,
        "log_level": settings.log_level,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": 30,
    }
    if settings.tls_cert and settings.tls_key:
        context = tls_context(settings.tls_cert, settings.tls_key)
        app.state.on_hangup.append(partial(_renew, context, settings.tls_cert, settings.tls_key))
        options["ssl_context_factory"] = lambda *_: context
    return options


def _renew(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Take the certificate as it is now, for the connections to come; what cannot be used changes nothing."""
    try:
        tls_context(certificate, key)  # first elsewhere: half of a new pair would break what works
        load_certificate(context, certificate, key)
    except ValueError as error:
        _LOG.error("%s; the certificate of before stands", error)
    else:
        _LOG.info("the certificate was read again")
