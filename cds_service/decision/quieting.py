"""Looking up what was dismissed, where there is a card to keep quiet; and whom a call was about, for the next time."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from dataclasses import dataclass
from typing import Final

from cds_service.decision.decide import Judgement
from cds_service.decision.ports import Hashes, Ledger
from cds_service.decision.records import RECORD_CORRECTION, Pseudonyms
from cds_service.decision.snooze import NOTHING_QUIET, Quiet, Whom, episode_of, quiet
from cds_service.errors import LedgerError
from cds_service.hooks.contexts import HookContext
from cds_service.knowledge.snooze import SnoozeRules

_PATIENCE: Final = 0.1
_LOG = logging.getLogger("cds_service.calls")


@dataclass(frozen=True, slots=True)
class Quieting:
    """Asks the ledger. Where it cannot be asked within a tenth of a second, nothing is quiet: the card shows."""

    rules: SnoozeRules
    ledger: Ledger
    hashes: Hashes

    def whom(self, client: str, context: HookContext, judgement: Judgement) -> Pseudonyms:
        """Whom the call is about, in the hashes under which it is kept."""
        of = self.hashes.of
        return Pseudonyms(
            of(client, "patient", context.patient_id),
            of(client, "user", context.user_id),
            of(client, "encounter", context.encounter_id),
            of(client, "episode", self._episode(context, judgement)),
        )

    def _episode(self, context: HookContext, judgement: Judgement) -> str | None:
        """The patient's episode; None, which is never that of an override, where it cannot be told."""
        episode = episode_of(judgement.situation.facts, self.rules)
        return None if episode is None else f"{context.patient_id} {episode}"

    async def quiet(self, client: str, context: HookContext, judgement: Judgement, at: dt.datetime) -> Quiet:
        """The recommendations, of those that stand, that an override keeps silent now."""
        standing, episode = judgement.standing, self._episode(context, judgement)
        if not standing or episode is None:
            return NOTHING_QUIET
        of = self.hashes.all_of
        patients = of(client, "patient", context.patient_id)
        ids = [RECORD_CORRECTION, *(evaluation.recommendation.id for evaluation in standing)]
        since = at - dt.timedelta(days=self.rules.longest)
        try:
            async with asyncio.timeout(_PATIENCE):
                overrides = await self.ledger.overrides(client, patients, ids, since)
        except (LedgerError, TimeoutError) as error:
            _LOG.warning("nothing is quiet, for the ledger cannot be asked: %s", type(error).__name__)
            return NOTHING_QUIET
        if not overrides:
            return NOTHING_QUIET
        whom = Whom(
            of(client, "user", context.user_id),
            of(client, "encounter", context.encounter_id) if context.encounter_id else (),
            of(client, "episode", episode),
        )
        return quiet(standing, overrides, whom, at, self.rules)
