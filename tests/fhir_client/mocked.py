"""A query over a connection whose server is mocked below httpcore (respx)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpcore

from cds_service.fhir.client.search import Connection, Limits, Origin
from cds_service.hooks.request import AccessToken
from tests.fhir_client.world import PATIENT, TOKEN

BASE = "http://ehr.test/fhir"
PATIENT_RESOURCE = {"resourceType": "Patient", "id": PATIENT}


def put(ask, *arguments, seconds=2.0, **limits):
    """A query over a connection whose pool is mocked."""

    async def go():
        with ThreadPoolExecutor(1) as large:
            until = asyncio.get_running_loop().time() + seconds
            async with httpcore.AsyncConnectionPool() as pool:
                connection = Connection(Origin(BASE), pool, AccessToken(TOKEN), PATIENT, until, Limits(**limits), large)
                return await ask(connection, *arguments)

    return asyncio.run(go())


def told(answer):
    return answer.failure, answer.reason
