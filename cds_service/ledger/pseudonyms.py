"""Keyed hashes that stand for patients, users and encounters: the same for the same person, in this deployment only.

The key file has one key a line, as hexadecimal; the first makes new hashes, the others are old ones by which earlier
entries are still found. To rotate, put a new line on top.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from cds_service.errors import LedgerError
from cds_service.ledger.key_file import make_key_file

_BYTES: Final = 32
_SHORTEST: Final = 16


class Pseudonymizer:
    """Makes keyed hashes. Without the key nobody can tell whose they are, nor make one for a known id."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """``keys``: the current one, then older ones."""
        self._keys = tuple(keys)

    def of(self, client: str, kind: str, name: str | None) -> str:
        """The hash of an id under the current key; empty for nobody."""
        return _hash(self._keys[0], client, kind, name) if name else ""

    def all_of(self, client: str, kind: str, name: str) -> list[str]:
        """The hashes of an id under every key."""
        return [_hash(key, client, kind, name) for key in self._keys]


def _hash(key: bytes, client: str, kind: str, name: str) -> str:
    return hmac.new(key, "\0".join((client, kind, name)).encode(), sha256).hexdigest()[:40]


def random_pseudonyms() -> Pseudonymizer:
    """With a key that nobody keeps."""
    return Pseudonymizer([secrets.token_bytes(_BYTES)])


def read_pseudonyms(path: Path) -> Pseudonymizer:
    """With the keys of a file; makes the file, readable by its owner alone, where there is none. Raises LedgerError."""
    try:
        if not path.exists():
            make_key_file(path, secrets.token_hex(_BYTES))
        keys = [bytes.fromhex(line) for line in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError) as error:
        raise LedgerError(f"The key file {path} cannot be used: {type(error).__name__}") from None
    if not keys or any(len(key) < _SHORTEST for key in keys):
        raise LedgerError(f"The key file {path} needs a line of at least {2 * _SHORTEST} hexadecimal digits.")
    return Pseudonymizer(keys)
