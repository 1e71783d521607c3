"""What a client token costs: judged, and remembered in the ledger's database, one after the other.

python -m bench.tokens
"""

from __future__ import annotations

import asyncio
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path

from cds_service.fhir.client.documents import Documents
from cds_service.ledger import open_ledger
from cds_service.ledger.seen_tokens import SeenTokens
from cds_service.trust.jwk import read_key_set
from cds_service.trust.keys import KeySets
from cds_service.trust.minting import make_keys, mint
from cds_service.trust.replay import MemoryReplayStore, ReplayStore, SharedOrLocal
from cds_service.trust.strict_json import read_json
from cds_service.trust.tokens import Issuer, TokenAuthenticator

_ENDPOINT, _ISSUER = "https://cds.example.org/cds-services", "https://ehr.example.org"
_TOKENS = 1000


async def judged(folder: Path, algorithm: str, store: ReplayStore) -> float:
    """Milliseconds of a token, at the median."""
    private, public = make_keys(folder, algorithm)
    keys = read_key_set(read_json(public.read_bytes()))
    issuer = Issuer("bench", _ISSUER, frozenset((algorithm,)), keys)
    authenticator = TokenAuthenticator(lambda: {_ISSUER: issuer}, KeySets(Documents(lambda _: None)), store)
    at = dt.datetime.now(dt.UTC)
    tokens = [mint(private, _ISSUER, _ENDPOINT, at, dt.timedelta(minutes=5)).encode() for _ in range(_TOKENS)]
    taken = []
    for token in tokens:
        started = time.perf_counter()
        await authenticator.caller([b"Bearer " + token], _ENDPOINT, at)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


async def main() -> None:
    """Each algorithm, remembered in memory only and in SQLite too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite3'}")
        for algorithm in ("ES384", "RS384", "ES256", "EdDSA"):
            shared = SeenTokens(ledger.database)
            alone = await judged(folder / f"{algorithm}-1", algorithm, MemoryReplayStore())
            both = await judged(folder / f"{algorithm}-2", algorithm, SharedOrLocal(shared, MemoryReplayStore()))
            print(f"{algorithm}: {alone:.2f} ms a token, {both:.2f} ms with the shared memory")
            shared.close()
        ledger.close()


if __name__ == "__main__":
    asyncio.run(main())
