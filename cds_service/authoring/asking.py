"""Firing a hook at a live FHIR server: what ``cds-service try --fhir-server`` does.

The call has no prefetch, so that everything is asked of the server, by the way a call over HTTP takes.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from cds_service.agreements import make_decider
from cds_service.authoring.trying import Attempt, Tried
from cds_service.decision.gathering import gather
from cds_service.domain.times import Now
from cds_service.fhir.client.fhir_client import FHIRClient
from cds_service.fhir.client.network import LOOPBACK, AddressRules
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.request import parse_request
from cds_service.knowledge.hook_call import USER, bare_call, resources_of
from cds_service.settings import Settings

if TYPE_CHECKING:
    from cds_service.decision.decide import Judgement
    from cds_service.decision.records import Asked

_PRIVATE: Final = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
_ANY_SERVER: Final = AddressRules((*LOOPBACK, *_PRIVATE))
"""Who sits at the command line says which server is asked; metadata and link-local addresses stay refused."""


class LiveServer:
    """A patient on a FHIR server. ``asked`` has what was asked of it, once a hook was fired."""

    def __init__(self, url: str, patient_id: str, token: str = "") -> None:
        """``token`` is sent as a bearer token; without one the server is asked without."""
        self.url = url
        self.patient_id = patient_id
        self._token = token
        self.asked: tuple[Asked, ...] = ()

    def fire(self, settings: Settings, attempt: Attempt, hook: str, draft: dict[str, Any] | None) -> Tried:
        """One hook call about this patient. Raises RequestError as the service would answer it."""
        return asyncio.run(self._fire(settings, attempt, hook, draft))

    async def _fire(self, settings: Settings, attempt: Attempt, hook: str, draft: dict[str, Any] | None) -> Tried:
        context = {"userId": USER, "patientId": self.patient_id}
        made = bare_call(attempt.knowledge, hook, context, resources_of(draft) if draft else [], [])
        call = parse_request(json.dumps(made | {"fhirServer": self.url} | self._authorization()).encode())
        now = Now.of(attempt.at, settings.zone)
        until = asyncio.get_running_loop().time() + settings.deadline_ms / 1000
        with ThreadPoolExecutor(1) as large:
            client = FHIRClient(lambda _: _ANY_SERVER, large, ca_file=settings.ca_file)
            decider, reader = make_decider(settings, attempt.knowledge, client)
            parsed = parse_context(call.hook, call.context)
            record = reader.open(call, parsed, now, until)
            try:
                judgement = await gather(decider, record, call.hook, now, _here)
            finally:
                self.asked = tuple(record.asked)
                await client.close()
        return Tried(decider.answer(parsed, judgement), judgement.situation, attempt.knowledge.at_hook(call.hook))

    def _authorization(self) -> dict[str, Any]:
        if not self._token:
            return {}
        granted = {"access_token": self._token, "token_type": "Bearer", "expires_in": 300, "scope": "unknown"}
        return {"fhirAuthorization": granted | {"subject": "cds-service"}}


async def _here(judge: Callable[[], Judgement]) -> Judgement:
    return judge()


def _shortened(template: str) -> str:
    start, mark, codes = template.partition("&code=")
    return f"{start}{mark}… ({codes.count(',') + 1} codes)" if mark else template


def show_asked(asked: Iterable[Asked]) -> str:
    """What was asked, how long it took and what came back, a line each."""
    lines = [
        f"  {one.seconds * 1000:5.0f} ms {one.resources:5d} found  {one.reason or 'read':15} {_shortened(one.template)}"
        for one in asked
    ]
    return "\n".join([f"Asked of the FHIR server: {len(lines)} queries", *lines])
