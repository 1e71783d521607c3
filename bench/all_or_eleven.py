"""What the full set of recommendations costs against the first eleven, interleaved in one run.

Both decide the same calls with the same reader; only the recommendations differ. Times are per call: reading, deciding
and encoding together, without the server.

    python -m bench.all_or_eleven [--rounds N]
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import statistics
import sys
import time

from bench.records import large, small, usual
from cds_service.agreements import make_decider
from cds_service.decision.decide import Decider
from cds_service.domain.times import Now
from cds_service.fhir.reader import RecordReader
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.request import parse_request
from cds_service.hooks.response import encode
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings

ELEVEN = "AFO-01 AFO-03 ETIO-01 EDX-01 EDX-02 PT-01 DM-01 CIDP-01 CPN-01 RF-01 RF-06"


def main() -> int:
    """Measure and print the ratio for each kind of call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    settings = Settings(database_url="sqlite://")
    everything = load_knowledge(settings.cards_dir)
    names = {f"FD-{name}" for name in ELEVEN.split()}
    first = tuple(r for r in everything.recommendations if r.id in names)
    eleven = dataclasses.replace(everything, recommendations=first)
    sides = [make_decider(settings, knowledge) for knowledge in (eleven, everything)]
    for name, body, repeat in (("usual", usual(), 200), ("foot drop", small(), 100), ("large", large(), 5)):
        few: list[float] = []
        many: list[float] = []
        for _ in range(options.rounds):
            few.append(_time(*sides[0], body, repeat))
            many.append(_time(*sides[1], body, repeat))
        ratio = statistics.median(many) / statistics.median(few)
        print(f"{name}: eleven {_ms(few)} ms, all {_ms(many)} ms, ratio {ratio:.2f}")
    return 0


def _time(decider: Decider, reader: RecordReader, body: bytes, repeat: int) -> float:
    started = time.perf_counter()
    for _ in range(repeat):
        call = parse_request(body)
        context = parse_context(call.hook, call.context)
        now = Now.of(dt.datetime.now(dt.UTC), dt.UTC)
        facts = reader.read(call, context, now)
        encode(decider.decide(context, decider.situation(call.hook, facts, now)).response)
    return (time.perf_counter() - started) / repeat


def _ms(times: list[float]) -> str:
    return f"{statistics.median(times) * 1000:.2f}"


if __name__ == "__main__":
    sys.exit(main())
