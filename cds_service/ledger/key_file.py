"""The files of keys: one key a line, the current one first, readable by their owner alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def make_key_file(path: Path, key: str) -> None:
    """Whole or not at all: another process may start at the same moment, and the first one's key is the key."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=path.parent) as file:  # readable by its owner alone
        file.write(key + "\n")
        file.flush()
        with contextlib.suppress(FileExistsError):  # the other was faster
            os.link(file.name, path)
