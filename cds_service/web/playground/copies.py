"""One call in forms that run elsewhere: as curl, as Python, and as a link to the CDS Hooks Sandbox."""

from __future__ import annotations

import shlex
from typing import Final
from urllib.parse import urlencode

from cds_service.examples import SERVER

SANDBOX: Final = "https://sandbox.cds-hooks.org/"
LONGEST: Final = 2 * 1024 * 1024
_END: Final = "END_OF_REQUEST"
_SANDBOX_HOOKS: Final = ("patient-view", "order-select", "order-sign")
_PYTHON: Final = '''\
import json
import urllib.error
import urllib.request

ADDRESS = {address!r}
REQUEST = r"""{request}"""

call = urllib.request.Request(ADDRESS, REQUEST.encode(), {{"Content-Type": "application/json"}})
try:
    with urllib.request.urlopen(call) as answer:
        print(json.dumps(json.load(answer), indent=2))
except urllib.error.HTTPError as refusal:
    print(refusal.code, refusal.read().decode())
'''


def as_curl(address: str, request: str) -> str:
    """A command for a shell. ``request`` is JSON on several lines: none of them can be the end of the here-document."""
    return (
        f"curl -sS -H 'Content-Type: application/json' --data-binary @- {shlex.quote(address)} <<'{_END}'\n"
        f"{request}\n{_END}\n"
    )


def as_python(address: str, request: str) -> str:
    """A program that needs Python alone. ``request`` is JSON: it has no three quotes in a row, and ends in a brace."""
    return _PYTHON.format(address=address, request=request)


def as_sandbox_link(discovery: str, hook: str, example: str = "") -> str:
    """The Sandbox with this service in it, at this hook if it knows it, and with an example patient."""
    known = {"serviceDiscoveryURL": discovery} | ({"hook": hook} if hook in _SANDBOX_HOOKS else {})
    return f"{SANDBOX}?{urlencode(known | ({'fhirServiceUrl': SERVER, 'patientId': example} if example else {}))}"
