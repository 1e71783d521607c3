"""The call of a CDS service, decoded slimly from its bytes (section C and the FHA rows)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from cds_service.errors import InvalidRequestError
from cds_service.hooks.duplicates import Known, refuse_duplicates
from cds_service.hooks.reading import bare_id, is_absolute_url, read_body, require_object, require_text

_EMPTY: Final = msgspec.Raw(b"{}")
_NOTHING_KNOWN: Final[Known] = {}


class AccessToken:
    """The bearer token for the client's FHIR server, a transient value that never shows itself (FHA-9).

    Neither `repr`, `str`, formatting nor the JSON encoder gives it away; only `reveal` does, for the
    Authorization header of one call.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The token itself: for the header, never for a log or a store."""
        return self._value

    def __repr__(self) -> str:
        return "AccessToken(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("an access token is transient: it is neither copied nor pickled")


def _read_token(_: type, value: object) -> AccessToken:
    """Accept visible ASCII only: what RFC 6750 allows, and nothing that could break a header apart."""
    if not isinstance(value, str):
        raise InvalidRequestError("", "must be of type string")
    require_text("", value)
    if not all("!" <= character <= "~" for character in value):
        raise InvalidRequestError("", "has characters that no bearer token has")
    return AccessToken(value)


class FHIRAuthorization(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the client gives us to read its FHIR server with (FHA-3 to FHA-8)."""

    access_token: AccessToken
    token_type: str
    expires_in: int
    scope: str
    subject: str
    patient: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is empty or no bearer token; reduce `patient` to a bare id."""
        if self.token_type.lower() != "bearer":
            raise InvalidRequestError("token_type", "must be Bearer")
        require_text("scope", self.scope)
        require_text("subject", self.subject)
        patient = bare_id("patient", self.patient, "Patient") if self.patient else None
        msgspec.structs.force_setattr(self, "patient", patient)


class CDSRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """One hook call (REQ-2 to REQ-8); unknown members are ignored.

    `context` waits undecoded for `contexts.parse_context`, since its shape hangs on the hook. A `prefetch`
    value is the undecoded resource, or the bytes `null` for "no such data" (PFD-2); no `prefetch` and
    `"prefetch": null` are the same, as real clients send both. `fhir_server` is as sent. `extension` is
    undecoded and unjudged, `{}` if there is none (EXT-4).
    """

    hook: str
    hook_instance: str
    context: msgspec.Raw
    prefetch: dict[str, msgspec.Raw] | None = None
    fhir_server: str | None = None
    fhir_authorization: FHIRAuthorization | None = None
    extension: msgspec.Raw = _EMPTY

    def __post_init__(self) -> None:
        """Refuse what no hook could work with, naming the member."""
        require_text("hook", self.hook)
        # A UUID in the text, any string in the wild: it names the call in our books and nothing else.
        require_text("hookInstance", self.hook_instance)
        require_object("context", self.context)
        if self.fhir_server is not None and not _is_fhir_base(self.fhir_server):
            raise InvalidRequestError("fhirServer", "must be an absolute http or https URL")
        if self.fhir_authorization is not None and self.fhir_server is None:
            raise InvalidRequestError("fhirServer", "is required with fhirAuthorization")


def _is_fhir_base(url: str) -> bool:
    """Whether paths can be hung on this URL: a query or a fragment would swallow them."""
    return is_absolute_url(url) and not urlsplit(url).query and not urlsplit(url).fragment


_DECODER: Final = msgspec.json.Decoder(CDSRequest, dec_hook=_read_token)


def parse_request(body: bytes) -> CDSRequest:
    """Read the body of a service call (REQ-1).

    Raises NotJSONError, InvalidRequestError naming the member, or TooLargeError for absurd nesting.
    """
    call = read_body(_DECODER, body)
    known: Known = {"context": call.context, "extension": call.extension, "prefetch": call.prefetch}
    refuse_duplicates(body, {**known, "fhirAuthorization": _NOTHING_KNOWN})
    return call
