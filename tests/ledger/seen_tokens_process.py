"""A process that is sent tokens, many at once and some of them twice; it prints which it found new.

``python -m tests.ledger.seen_tokens_process URL SEED``: it says *ready*, waits for a line, and then begins.
"""

import asyncio
import datetime as dt
import json
import random
import sys

from cds_service.ledger import open_database
from cds_service.ledger.seen_tokens import SeenTokens
from cds_service.trust.replay import MemoryReplayStore, SharedOrLocal

TOKENS = 400
AT_ONCE = 40


async def main(url, seed):
    database = open_database(url)
    database.migrate()
    seen = SeenTokens(database)
    store = SharedOrLocal(seen, MemoryReplayStore(), patience=10)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    names = [f"token {number}" for number in range(TOKENS)] * 2
    names += [f"only {seed}: {number}" for number in range(AT_ONCE)]
    random.Random(seed).shuffle(names)
    slots, new = asyncio.Semaphore(AT_ONCE), []

    async def send(name):
        async with slots:
            if await store.remember("ehr", name, until):
                new.append(name)

    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*map(send, names))
    assert store.is_shared
    seen.close()
    database.close()
    print(json.dumps(new))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
