"""The clients as they are registered now, with the parts that tell them by their tokens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path

from cds_service.agreements import AgreementMaker, Registered
from cds_service.api.door import STRANGER
from cds_service.api.metrics import Metrics
from cds_service.decision.agreement import Agreement
from cds_service.decision.callers import OPEN_CLIENT
from cds_service.errors import SettingsError
from cds_service.fhir.client.documents import Documents
from cds_service.fhir.client.network import AddressRules
from cds_service.ledger import Ledger
from cds_service.ledger.seen_tokens import SeenTokens
from cds_service.settings import OPEN_TO_ALL, Settings
from cds_service.trust.clients_file import ClientsFile
from cds_service.trust.keys import KeySets
from cds_service.trust.replay import MemoryReplayStore, SharedOrLocal
from cds_service.trust.tokens import Issuer, TokenAuthenticator

Reading = Callable[[Path], Registered]
Told = Callable[[Reading], Reading]


class Registry:
    """What the clients file says now, joined. The mode, open or with registered clients, is that of the start."""

    def __init__(self, settings: Settings, maker: AgreementMaker, metrics: Metrics, told: Told) -> None:
        """``told`` makes a reading of the file one that the audit hears of.

        Raises SettingsError where the file cannot be used, or where open mode would answer a whole network.
        """
        self._settings = settings
        self._read_file = told(self._join)
        self._maker = maker
        self._metrics = metrics
        self._was_open: bool | None = None
        self._file = ClientsFile(settings.clients_file, self._read)

    def _read(self, path: Path | None) -> Registered:
        return self._read_file(path) if path else self._join(None)

    def _join(self, path: Path | None) -> Registered:
        made = self._maker.read(path)
        is_open = OPEN_CLIENT in made.agreements
        if is_open and not self._settings.is_on_this_machine_only:
            raise SettingsError(OPEN_TO_ALL)
        if self._was_open not in (None, is_open):
            raise SettingsError("from open mode to registered clients, or back, the service has to be started again")
        self._was_open = is_open
        self._metrics.know(made.agreements if is_open else (*made.agreements, STRANGER))
        return made

    @property
    def is_open(self) -> bool:
        """Whether this is open mode."""
        return bool(self._was_open)

    @property
    def mode(self) -> str:
        """Who may call, in words."""
        return self._settings.mode if self.is_open else f"registered clients: {', '.join(self.current)}"

    @property
    def current(self) -> Mapping[str, Agreement]:
        """The agreements by client."""
        return self._file.current.agreements

    def issuers(self) -> Mapping[str, Issuer]:
        """What was agreed about tokens, by `iss`."""
        return self._file.current.issuers

    def lists(self, origin: str) -> bool:
        """Whether a web page of this origin may call for some client."""
        return any(agreement.lists(origin) for agreement in self.current.values())

    def rules_of_keys(self, url: str) -> AddressRules | None:
        """The addresses under which the keys of a client may be had; None for an address that nobody registered."""
        return self._file.current.keys_at.get(url)

    @property
    def health(self) -> str:
        """Whether what stands is what the file says."""
        return self._file.health

    def look_now(self) -> None:
        """Read the file with the next request."""
        self._file.look_now()


class Tokens:
    """The parts that judge client tokens, where clients are registered."""

    def __init__(
        self, registry: Registry, settings: Settings, ledger: Ledger, clock: Callable[[], dt.datetime]
    ) -> None:
        """Nothing is fetched before the first token comes."""
        self._keys = KeySets(Documents(registry.rules_of_keys, ca_file=settings.ca_file))
        self._seen = SeenTokens(ledger.database, clock)
        self._memory = SharedOrLocal(self._seen, MemoryReplayStore(clock=clock))
        self.authenticator = TokenAuthenticator(registry.issuers, self._keys, self._memory)

    @property
    def health(self) -> dict[str, object]:
        """Whether all processes know which tokens were used, and how many addresses of keys fail."""
        return {
            "used tokens": "known to all processes" if self._memory.is_shared else "known to this process only",
            "addresses of keys that fail": len(self._keys.failing),
        }

    async def close(self) -> None:
        """Give up what is under way."""
        await self._keys.close()
        self._seen.close()
