"""What users wrote about cards: encrypted before it is kept, and read again by those who have the key.

A comment may name a patient. It is kept only where a site asks for it, for a time, and never in plain text. The key
file has one Fernet key a line; the first encrypts, all of them read. To rotate, put a new line on top. A line that is
taken away makes the comments of its time unreadable, wherever copies of them are.

A module of its own, imported where comments are kept or read: nobody else waits for the library to load.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from cds_service.decision.records import SealedComment
from cds_service.errors import LedgerError
from cds_service.ledger.database import Database
from cds_service.ledger.database_url import is_sqlite, sqlite_path
from cds_service.ledger.key_file import make_key_file
from cds_service.ledger.tables import OF_AN_ENTRY, card, comment, feedback

LONGEST: Final = 10_000
CUT: Final = " … [cut]"
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}=")  # 32 bytes; the library itself overlooks characters that do not belong
_AT_ONCE: Final = 1000


class Comments:
    """Encrypts comments, each for the card and the time it belongs to, and reads those that it has a key for."""

    def __init__(self, keys: Sequence[str], keep_days: int = 0) -> None:
        """``keys``: the current one, then older ones. ``keep_days``: how long what is sealed may be kept."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._keep_days = keep_days

    def seal(self, client: str, card: str, at: datetime, comment: str) -> SealedComment:
        """A comment as it may be kept; of one that is too long, the beginning with a mark."""
        if len(comment) > LONGEST:
            comment = comment[:LONGEST] + CUT
        content = json.dumps([*_place(client, card, at), comment], ensure_ascii=False, separators=(",", ":"))
        secret = self._fernet.encrypt(content.encode("utf-8", "surrogatepass"))
        return SealedComment(secret.decode("ascii"), self._keep_days)

    def read(self, client: str, card: str, at: datetime, secret: bytes) -> str | None:
        """What the user wrote; None where there is no key for it, where it was altered or belongs to another card."""
        try:
            content = json.loads(self._fernet.decrypt(secret).decode("utf-8", "surrogatepass"))
        except (InvalidToken, ValueError):
            return None
        is_at_its_place = isinstance(content, list) and content[:-1] == _place(client, card, at)
        return str(content[-1]) if is_at_its_place else None


def _place(client: str, card: str, at: datetime) -> list[str]:
    """Where a comment belongs."""
    return [client, card, at.astimezone(UTC).isoformat()]


def open_comments(database_url: str, key_file: Path | None, keep_days: int = 0) -> Comments:
    """The comments of a ledger, by the keys of a file; for a ledger that nobody keeps by a key that nobody keeps.

    For SQLite the file is made where there is none, if comments are kept. It is not made for PostgreSQL, which replicas
    share: one with a key of its own would write what nobody else can read. Raises LedgerError.
    """
    if not is_sqlite(database_url):
        if key_file is None:
            raise LedgerError(
                "PostgreSQL needs CDS_COMMENT_KEY_FILE: every replica has to read what another encrypted."
            )
        return Comments(_read_keys(key_file), keep_days)
    path = key_file or _beside(database_url)
    if path is not None and keep_days and not path.exists():
        _make(path)
    if path is None or (path != key_file and not path.exists()):
        return Comments([_new_key()], keep_days)
    return Comments(_read_keys(path), keep_days)


def _beside(database_url: str) -> Path | None:
    path = sqlite_path(database_url)
    return path and path.with_suffix(".comments.key")


def _new_key() -> str:
    return Fernet.generate_key().decode("ascii")


def _make(path: Path) -> None:
    try:
        make_key_file(path, _new_key())
    except OSError as error:
        raise LedgerError(f"The key file {path} cannot be made: {type(error).__name__}") from None


def _read_keys(path: Path) -> list[str]:
    try:
        keys = path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise LedgerError(f"The key file {path} cannot be used: {type(error).__name__}") from None
    if not keys or not all(_KEY.fullmatch(key) for key in keys):
        raise LedgerError(f"The key file {path} needs Fernet keys, one a line, and nothing else: see docs/ledger.md.")
    return keys


def read_comments(
    database: Database, comments: Comments, at: datetime, since: datetime | None = None, uuid: str | None = None
) -> Iterator[dict[str, Any] | None]:
    """What users wrote, the oldest outcome first, with what the card recommended; None for each that cannot be read.

    ``since`` is the time of the outcome. A comment whose time is over at ``at`` is not given out, whether it is deleted
    already or not. Raises LedgerError.
    """
    with database.reading() as connection:
        rows = connection.execution_options(yield_per=_AT_ONCE).execute(_query(at, since, uuid))
        for _, some in groupby(rows, key=lambda row: (row.client, row.card_uuid, row.outcome_at, row.said)):
            yield _line(comments, list(some))  # one card may fold several recommendations


def _query(at: datetime, since: datetime | None, uuid: str | None) -> sa.Select[Any]:
    is_of_its_entry = (feedback.c[name] == comment.c[name] for name in OF_AN_ENTRY)
    is_of_its_card = sa.and_(card.c.client == comment.c.client, card.c.uuid == comment.c.card_uuid)
    query = (
        sa.select(
            comment,
            feedback.c.outcome,
            feedback.c.reason_code,
            card.c.recommendation_id,
            card.c.version,
            card.c.position,
        )
        .join(feedback, sa.and_(*is_of_its_entry))
        .outerjoin(card, is_of_its_card)  # the record of the card may be on its way, or purged before its report
        .where(comment.c.expires_at > at)
        .order_by(comment.c.outcome_at, comment.c.client, comment.c.card_uuid, comment.c.said, card.c.position)
    )
    if since is not None:
        query = query.where(comment.c.outcome_at >= since)
    return query if uuid is None else query.where(comment.c.card_uuid == uuid)


def _line(comments: Comments, rows: Sequence[sa.Row[Any]]) -> dict[str, Any] | None:
    first = rows[0]
    words = comments.read(first.client, first.card_uuid, first.outcome_at, first.secret)
    if words is None:
        return None
    shown = [{"id": row.recommendation_id, "version": row.version} for row in rows if row.recommendation_id]
    return {
        "client": first.client,
        "card": first.card_uuid,
        "recommendations": shown,
        "outcome": first.outcome,
        "outcome_at": first.outcome_at.isoformat(),
        "reason_code": first.reason_code,
        "comment": words,
    }
