"""docs/configuration.md, from the class of the settings."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cds_service.settings import Settings
from docs.references.markdown import code, page, table

# Each setting stands in one group, in the order of the page: title, what to know of the group, names.
GROUPS: tuple[tuple[str, str, str], ...] = (
    (
        "Where it listens",
        "A container has to listen on 0.0.0.0: then register the clients.",
        "host port public_url",
    ),
    (
        "Who may call",
        "**Registered clients:** with `CDS_CLIENTS_FILE` every request needs a token that one of the clients has "
        "signed, and each has its own services, FHIR servers, codes, orders and limits: [clients.md](clients.md).\n\n"
        "**Open mode:** without that file no client is authenticated. The service then listens on loopback only, and "
        "refuses a call with another `Host` or a forwarded header. `CDS_ALLOW_OPEN=true` lifts all of that: whoever "
        "can connect may call. See [SECURITY.md](../SECURITY.md).",
        "clients_file allow_open cors_origins",
    ),
    (
        "Who may see the pages",
        "The pages for people (`/`, `/cards/{id}`, `/insight`, `/openapi.json`) and `/metrics` answer, in open mode, "
        "connections from the machine itself; and from anywhere the bearer of the admin token, or whom the trusted "
        "proxy has logged in: [insight.md](insight.md#who-may-see-it). Health answers everybody.",
        "admin_token_file trusted_proxy proxy_user_header",
    ),
    ("HTTPS", "Or a proxy in front speaks it: [operations.md](operations.md#https).", "tls_cert tls_key hsts_seconds"),
    (
        "What it advises",
        "The knowledge itself stands in [cards/](../cards/README.md).",
        "cards_dir development max_cards red_flags orthoses_as timezone",
    ),
    (
        "How patient data is asked for",
        "[patient-data.md](patient-data.md) has the rest.",
        "ehr_profile deadline_ms ca_file",
    ),
    (
        "What it keeps",
        "By default a SQLite file in the folder where the service was started, with its journal and its keys beside "
        "it: [ledger.md](ledger.md).",
        "database_url journal_file journal_limit when_journal_is_full ledger_keep_days ledger_key_file "
        "comment_keep_days comment_key_file",
    ),
    (
        "Limits",
        "What exceeds them is refused at once: [operations.md](operations.md#what-is-refused).",
        "max_body_bytes max_resources max_depth max_elements body_seconds header_seconds max_header_bytes max_headers "
        "max_connections calls_at_once calls_a_minute",
    ),
    ("Logs and audit", "[operations.md](operations.md) has each field.", "log_level log_format audit_file"),
)
HEAD = (
    "Settings are environment variables. Each has a default that suits a laptop, so that none is needed to try the "
    "service. A variable `CDS_…` that does not exist stops the start, so that a misspelt one is noticed; so does a "
    "value that cannot be right.\n\n"
    "Secrets stand in files that a setting names. Only `CDS_DATABASE_URL` may carry a password; the audit, which has "
    "every setting, shows it without."
)
_WORDS = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`", Path: "path"}
_BOUNDS = {Ge: "at least", Gt: "more than", Le: "at most", Lt: "less than"}


def configuration_page() -> str:
    """Every setting, in its group."""
    missing = sorted(set(Settings.model_fields) ^ {name for _, _, names in GROUPS for name in names.split()})
    if missing:
        raise SystemExit(f"docs/references/configuration.py: not in one group, or no setting: {', '.join(missing)}")
    return page("Configuration", HEAD, *(_group(*group) for group in GROUPS))


def _group(title: str, words: str, names: str) -> str:
    rows = [_row(name, Settings.model_fields[name]) for name in names.split()]
    return "\n\n".join([f"## {title}", words, table(("Variable", "Default", "Meaning", "Takes"), rows)])


def _row(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    return code(f"CDS_{name.upper()}"), default_of(field), field.description or "", takes(field)


def default_of(field: FieldInfo) -> str:
    """The default as somebody would write it."""
    if field.default is PydanticUndefined:
        return "built in"
    value = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    return code(value) if value and field.default is not None else "empty"


def takes(field: FieldInfo) -> str:
    """What kind of value is taken, and within which bounds."""
    kinds = [kind for kind in _alternatives(field.annotation) if kind is not type(None)]
    words = [_WORDS[kind] if kind in _WORDS else " or ".join(code(value) for value in get_args(kind)) for kind in kinds]
    bounds = [
        f"{said} {limit:,}"
        for rule in field.metadata
        for kind, said in _BOUNDS.items()
        if isinstance(rule, kind) and (limit := getattr(rule, kind.__name__.lower())) is not None
    ]
    return ", ".join([" or ".join(words), *bounds])


def _alternatives(annotation: object) -> tuple[object, ...]:
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else (annotation,)
