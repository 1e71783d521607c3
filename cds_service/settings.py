"""Every setting, typed and described once. Only the app and the command line read them (environment, ``CDS_…``)."""

from __future__ import annotations

import datetime as dt
import difflib
import ipaddress
import os
import re
import ssl
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cds_service.errors import SettingsError
from cds_service.hooks.reading import is_absolute_url, is_loopback

SANDBOX = "https://sandbox.cds-hooks.org"
OPEN_TO_ALL = (
    "open mode answers anybody who can connect, so it listens on loopback only: set CDS_HOST to 127.0.0.1, register "
    "the clients (CDS_CLIENTS_FILE), or CDS_ALLOW_OPEN=true if the network is yours"
)
_PREFIX = "CDS_"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not bound to
_PACKAGED_CARDS = Path(__file__).parent / "cards"
_HERE = Path(__file__).resolve().parent.parent
_POSTGRESQL = re.compile(r"postgresql://(?:[^@/?#]*@)?(?P<where>[\w.:\[\],-]*/[\w.-]*)(?:\?.*)?")
_SECRET = re.compile(r"[!-~]{32,}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NO_USER = frozenset(("accept", "authorization", "connection", "cookie", "host", "user-agent"))
"""Headers that any request may have, logged in or not."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(BaseSettings):
    """The service's settings. Each has a default that makes one command work on a laptop."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Open mode needs a loopback address, or CDS_ALLOW_OPEN."
    )
    port: int = Field(8080, ge=1, le=65535, description="Port to listen on.")
    public_url: str = Field("", description="URL under which clients reach the service; default: http://{host}:{port}.")
    cards_dir: Path = Field(
        default_factory=lambda: _PACKAGED_CARDS if _PACKAGED_CARDS.is_dir() else _HERE / "cards",
        description="Folder of the knowledge; default: the built-in one.",
    )
    max_cards: int = Field(
        4, ge=0, description="Recommendations shown as cards of their own; the rest is folded into one. 0: no folding."
    )
    database_url: str = Field(
        "sqlite:///foot-drop-cds.sqlite3",
        description="Where calls and feedback are kept: sqlite:///relative/path, sqlite:////absolute/path, "
        "postgresql://user:password@host/database, or sqlite:// for nothing that stays.",
    )
    journal_file: Path | None = Field(
        None,
        description="Where calls and feedback wait for the database, on a disk of this machine; default: beside a "
        "SQLite database, else foot-drop-cds.journal.sqlite3.",
    )
    journal_limit: int = Field(100_000, ge=1, description="Most entries that may wait for the database.")
    when_journal_is_full: Literal["advise", "refuse"] = Field(
        "advise", description="What a call gets that cannot be kept: advise all the same, or refuse it with 503."
    )
    ledger_keep_days: int = Field(
        0, ge=0, description="Days after which calls and feedback are purged from the ledger; 0: never."
    )
    ledger_key_file: Path | None = Field(
        None,
        description="Keys of the hashes that stand for patients and users in the ledger, one a line, the current "
        "first; made if missing. Default: beside a SQLite database. PostgreSQL needs it: the same on every replica.",
    )
    clients_file: Path | None = Field(
        None,
        description="YAML file of the clients and what was agreed with each: see docs/clients.md. Read again when it "
        "changes, and on SIGHUP.",
    )
    comment_keep_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="Days for which users' comments on cards are kept, encrypted, from the arrival of the report; "
        "0: they are not kept.",
    )
    comment_key_file: Path | None = Field(
        None,
        description="Keys that encrypt these comments (Fernet), one a line, the current first. Made if missing, by "
        "default beside a SQLite database. PostgreSQL needs it, and does not make it: the same on every replica.",
    )
    allow_open: bool = Field(
        False, description="Allow open mode (no client is authenticated) on an address that is not loopback."
    )
    development: bool = Field(
        False,
        description="Development mode: a changed file of cards/ counts from the next call on. For open mode on this "
        "machine only; `make run` sets it.",
    )
    admin_token_file: Path | None = Field(
        None,
        description="File with one secret of at least 32 characters: the bearer token that opens people's pages and "
        "`/metrics` from anywhere.",
    )
    trusted_proxy: str = Field(
        "",
        description="Addresses or networks, separated by commas, of the proxy that logs people in for the pages; needs "
        "CDS_PROXY_USER_HEADER.",
    )
    proxy_user_header: str = Field(
        "",
        description="Header in which the trusted proxy names the user who is logged in, such as X-Remote-User. The "
        "proxy must remove it from what comes in.",
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may call, separated by commas; default in open mode: the CDS Hooks Sandbox "
        "and loopback.",
    )
    max_body_bytes: int = Field(32 * 1024 * 1024, ge=1024, description="Largest request body.")
    max_resources: int = Field(50_000, ge=1, description="Most FHIR resources in one call.")
    max_depth: int = Field(100, ge=10, le=500, description="Most levels of nesting in a request body.")
    max_elements: int = Field(
        1_000_000, ge=1000, description="Most JSON elements in a request body: members of objects and items of arrays."
    )
    body_seconds: float = Field(10, gt=0, le=600, description="Seconds in which a request body has to arrive.")
    header_seconds: float = Field(
        10, gt=0, le=600, description="Seconds in which the head of a request has to arrive, or the first byte of one."
    )
    max_header_bytes: int = Field(32 * 1024, ge=1024, description="Most bytes of a request's address and headers.")
    max_headers: int = Field(100, ge=10, description="Most headers of a request.")
    max_connections: int = Field(500, ge=1, description="Most connections at the same time, idle ones included.")
    calls_at_once: int = Field(
        64, ge=0, description="Most calls and reports that are answered at the same time, of all clients; 0: no limit."
    )
    calls_a_minute: int = Field(
        0, ge=0, description="Most calls and reports a minute in open mode, a sixth of them at once; 0: no limit."
    )
    deadline_ms: int = Field(
        2000, ge=50, description="Time of a whole call, in milliseconds: what is not fetched by then is unknown."
    )
    ca_file: Path | None = Field(
        None, description="PEM file of further certificate authorities, for FHIR servers with the hospital's own."
    )
    ehr_profile: str = Field(
        "",
        description="How the EHR is asked for each need: the name of a file in cards/ehr_profiles, such as epic; "
        "default: the queries of services.yaml.",
    )
    timezone: str = Field("UTC", description="The site's time zone, in which calendar days are counted.")
    red_flags: bool = Field(
        True, description="Whether red flags speak. A site with its own emergency pathways can switch all of them off."
    )
    orthoses_as: Literal["DeviceRequest", "ServiceRequest"] = Field(
        "DeviceRequest", description="The resource in which this site orders orthoses."
    )
    tls_cert: Path | None = Field(
        None,
        description="PEM file with the certificate of the service and those that vouch for it: it then speaks HTTPS. "
        "Needs CDS_TLS_KEY. Read again on SIGHUP.",
    )
    tls_key: Path | None = Field(None, description="PEM file with the key of CDS_TLS_CERT, without a password.")
    hsts_seconds: int = Field(
        31_536_000,
        ge=0,
        description="Seconds for which browsers shall come by HTTPS only; sent where CDS_PUBLIC_URL or CDS_TLS_CERT "
        "says that it is HTTPS, and never for this machine's own names. 0: never.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")
    log_format: Literal["console", "json"] = Field(
        "console", description="How the log is written: for people, or as lines of JSON."
    )
    audit_file: Path | None = Field(
        None, description="File to which the audit is appended as lines of JSON; default: the log."
    )

    @field_validator("ca_file")
    @classmethod
    def _certificates(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ValueError) as error:
                raise ValueError("is no file with certificates in PEM") from error
        return value

    @field_validator("admin_token_file")
    @classmethod
    def _token(cls, value: Path | None) -> Path | None:
        if value is not None:
            _read_secret(value)
        return value

    @field_validator("trusted_proxy")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            for name in _split(value):
                ipaddress.ip_network(name)
        except ValueError as error:
            raise ValueError(
                "holds something else than addresses and networks such as 10.1.2.3, 10.1.2.0/24"
            ) from error
        return value

    @field_validator("proxy_user_header")
    @classmethod
    def _header(cls, value: str) -> str:
        if value and (not _HEADER.fullmatch(value) or value.lower() in _NO_USER):
            raise ValueError("is not the name of a header that a proxy adds, such as X-Remote-User")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("is not an IANA time zone such as Europe/Berlin") from error
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and not is_absolute_url(value):  # cards link to pages under it, and links are absolute
            raise ValueError("is not an absolute URL such as https://cds.example.org")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for origin in _split(value):
            if not is_absolute_url(origin) or urlsplit(origin).path:
                raise ValueError("holds something else than origins such as https://ehr.example.org")
        return value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Settings:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("CDS_TLS_CERT and CDS_TLS_KEY belong together: a certificate and its key")
        if self.tls_cert and self.tls_key:
            tls_context(self.tls_cert, self.tls_key)
        return self

    @model_validator(mode="after")
    def _open_mode_is_safe(self) -> Settings:
        if self.clients_file is None and not self.is_on_this_machine_only:
            raise ValueError(OPEN_TO_ALL)
        return self

    @model_validator(mode="after")
    def _development_is_at_home(self) -> Settings:
        if self.development and (self.clients_file or self.allow_open or not is_loopback(self.host)):
            raise ValueError(
                "CDS_DEVELOPMENT is for open mode on this machine: elsewhere the knowledge changes with a start only"
            )
        return self

    @property
    def is_on_this_machine_only(self) -> bool:
        """Whether open mode is safe: it listens on loopback, or somebody answers for the network."""
        return self.allow_open or is_loopback(self.host)

    @model_validator(mode="after")
    def _comments_can_be_read(self) -> Settings:
        if self.comment_keep_days and not self.comment_key_file and self.database_url.startswith("postgresql:"):
            raise ValueError(
                "CDS_COMMENT_KEEP_DAYS with PostgreSQL needs CDS_COMMENT_KEY_FILE: a file of Fernet keys, the same on "
                "every replica; or set it to 0, which keeps no comments"
            )
        return self

    @model_validator(mode="after")
    def _proxy_is_whole(self) -> Settings:
        if bool(self.proxy_networks) != bool(self.proxy_user_header):
            raise ValueError(
                "CDS_TRUSTED_PROXY and CDS_PROXY_USER_HEADER belong together: who logs people in, and how it names them"
            )
        return self

    @property
    def admin_token(self) -> SecretStr | None:
        """The token of the file, if there is one."""
        return _read_secret(self.admin_token_file) if self.admin_token_file else None

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """The networks of the trusted proxy; an address is a network of one."""
        return tuple(ipaddress.ip_network(name) for name in _split(self.trusted_proxy))

    @property
    def ledger_period(self) -> dt.timedelta | None:
        """How long calls and feedback stay in the ledger; None for ever."""
        return dt.timedelta(days=self.ledger_keep_days) if self.ledger_keep_days else None

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def base_url(self) -> str:
        """The URL under which clients reach the service, without a slash at its end."""
        host = "localhost" if self.host in _EVERYWHERE else f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.tls_cert else "http"
        return (self.public_url or f"{scheme}://{host}:{self.port}").rstrip("/")

    @property
    def mode(self) -> str:
        """Who may call, in words."""
        where = f"allowed on {self.host}" if self.allow_open else "loopback only"
        edited = "; development: changed cards count from the next call on" if self.development else ""
        return f"open: no client is authenticated; {where}{edited}"

    @property
    def hsts(self) -> int:
        """The seconds of HTTPS only that browsers are told; 0 where there is none, or only on this machine."""
        address = urlsplit(self.base_url)
        is_https = bool(self.tls_cert) or address.scheme == "https"
        return self.hsts_seconds if is_https and not is_loopback(address.hostname or "") else 0

    def shown(self) -> dict[str, object]:
        """Every setting under its name, as the audit may keep it: files by their names, without user or password."""
        shown = self.model_dump(mode="json")
        shown["database_url"] = _without_secrets(self.database_url)
        return {f"{_PREFIX}{name.upper()}": value for name, value in shown.items()}

    @property
    def origins(self) -> list[str]:
        """The CORS origins that are named."""
        return _split(self.cors_origins) or [SANDBOX]

    @property
    def origin_pattern(self) -> str | None:
        """In open mode without named origins, any port of loopback."""
        return None if _split(self.cors_origins) else r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"


def _split(names: str) -> list[str]:
    return [name.strip().rstrip("/") for name in names.split(",") if name.strip()]


def _read_secret(file: Path) -> SecretStr:
    """The one secret in a file; its end of line is not part of it."""
    try:
        secret = file.read_text(encoding="ascii").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("is no file that can be read, with one secret in ASCII") from error
    if not _SECRET.fullmatch(secret):
        raise ValueError("does not hold one secret of at least 32 characters, on one line and without spaces")
    return SecretStr(secret)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS 1.2 and newer. Raises ValueError where the two files cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Take a certificate and its key, for the connections to come. Raises ValueError where they cannot be used."""
    try:
        context.load_cert_chain(certificate, key, password="")  # or OpenSSL would ask for one
    except (OSError, ValueError) as error:
        raise ValueError(
            "CDS_TLS_CERT and CDS_TLS_KEY are not a certificate and its key, in PEM files that can be read, the key "
            "without a password"
        ) from error


def _without_secrets(url: str) -> str:
    """A database's URL without user, password and options; of one that is written in no usual way, the scheme alone."""
    if url.startswith("sqlite:"):
        return url
    found = _POSTGRESQL.fullmatch(url)
    return f"postgresql://{found['where']}" if found else "postgresql://…"


def read_settings() -> Settings:
    """The settings of the environment. Raises SettingsError: a wrong value, or a CDS_ variable that does not exist."""
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    problems = [
        f"{name} is no setting" + (f": did you mean {near[0]}?" if near else "; see docs/configuration.md")
        for name in sorted(os.environ)
        if name.startswith(_PREFIX) and name not in known
        for near in [difflib.get_close_matches(name, known, n=1)]
    ]
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors(include_input=False):
            name = "_".join(str(part).upper() for part in detail["loc"])
            message = str(detail["msg"]).removeprefix("Value error, ")
            problems.append(f"{_PREFIX}{name}: {message}" if name else message)
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings
