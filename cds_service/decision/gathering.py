"""Asking for more, as long as more could settle something: driven by what is still open, in rounds.

what was sent → judge → is something open?
   no  → answer
   yes → ask for patient, conditions and findings, if these are among it; else for all that is open, side by side
       → judge again
A round that is slow is not waited for to its end while there is more to ask. Every query is asked once at most, so that
there are few rounds, and the deadline ends the last of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cds_service.decision.decide import Decider, Judgement
from cds_service.decision.ports import PatientRecord
from cds_service.decision.rollout import ALL_LIVE, Rollout
from cds_service.domain.times import Now

Run = Callable[[Callable[[], Judgement]], Awaitable[Judgement]]
"""Runs the judging of a record, here or beside the loop."""


async def gather(
    decider: Decider, record: PatientRecord, hook: str, now: Now, run: Run, rollout: Rollout = ALL_LIVE
) -> Judgement:
    """The judgement of a call on all that could be had of its record.

    Raises RequestError where the request itself is at fault: what the record's server does ends as a gap.
    """

    def judge() -> Judgement:
        return decider.judge(decider.situation(hook, record.facts(), now), rollout)

    try:
        if record.is_blank:  # everything hangs, so that there is nothing to judge before the first round
            await record.fetch(decider.first_needs)
        judgement = await run(judge)
        while await _ask(decider, record, judgement):
            judgement = await run(judge)
    finally:
        record.stop()
    return judgement


async def _ask(decider: Decider, record: PatientRecord, judgement: Judgement) -> bool:
    """Get more of what is open; False if there is no more to be had."""
    rounds = [needs for needs in decider.open_needs(judgement) if needs]
    for needs in rounds:
        if await record.fetch(needs):
            return True
    return await record.wait() if rounds else False
