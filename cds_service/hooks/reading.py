"""From bytes to types: one place that turns what msgspec says into our errors.

The messages of msgspec may quote what was sent; ours name the member and the expected type only, and its
exceptions are not chained to ours, so that no traceback quotes it either.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from cds_service.errors import InvalidRequestError, NotJSONError, TooLargeError

T = TypeVar("T")

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_PATH: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `(?P<name>\w+)`")
_EXPECTED: Final = re.compile(r"Expected `(?P<type>[\w |]+)`")
_JSON_WORDS: Final = {"str": "string", "int": "integer", "datetime": "date-time with offset (RFC 3339)"}
WHITE: Final = r"\s\x1c-\x1f\x85\ufeff"
"""White space, for a class of characters: Python and JSON Schema differ about `\\s`, but not about all of these."""
VISIBLE: Final = rf"[^{WHITE}]"
_VISIBLE: Final = re.compile(VISIBLE)
_ID: Final = r"(?=[^/]*[A-Za-z0-9_-])[A-Za-z0-9_.-]+"
_BASE: Final = rf"(?:https?://[^{WHITE}?#]+/)?"
_VERSION: Final = r"(?:/_history/[A-Za-z0-9_.-]+)?"
_REFERENCE: Final = re.compile(rf"{_BASE}(?P<type>[A-Z][A-Za-z]*)/(?P<id>{_ID}){_VERSION}")


def read_body(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a whole body: UTF-8 throughout, also in the parts nobody decodes (JSN-1).

    A byte order mark is skipped, as RFC 8259 section 8.1 permits. Of duplicate names the last counts here: see
    `hooks.duplicates`.
    """
    try:
        if not body.isascii():
            body.decode()
    except UnicodeDecodeError:
        raise NotJSONError from None
    return read(decoder, body.removeprefix(BYTE_ORDER_MARK))


def read(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, at: str = "") -> T:
    """Decode `data`, the member `at` of the request, or raise an error that names the faulty member."""
    try:
        return decoder.decode(data)
    except RecursionError:
        raise TooLargeError("levels of nesting") from None
    except msgspec.ValidationError as error:
        raise _invalid(error, at) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotJSONError from None


def _invalid(error: msgspec.ValidationError, at: str) -> InvalidRequestError:
    """Name the member and the problem, never the value."""
    message = str(error)
    found = _PATH.search(message)
    path = found["path"] if found else ""
    if isinstance(cause := error.__cause__, InvalidRequestError):
        return InvalidRequestError(_join(at, path, cause.member), cause.problem)
    if missing := _MISSING.search(message):
        return InvalidRequestError(_join(at, path, missing["name"]), "is required")
    member = _join(at, path) or "the body"
    if expected := _EXPECTED.match(message):
        name = expected["type"].removesuffix(" | null")
        return InvalidRequestError(member, f"must be of type {_JSON_WORDS.get(name, name)}")
    return InvalidRequestError(member, "has an invalid value")


def _join(*parts: str) -> str:
    """`context`, `userId` → `context.userId`; an index stays glued to its list."""
    return ".".join(part for part in parts if part)


def is_blank(text: str) -> bool:
    """Whether nothing in this text can be seen."""
    return _VISIBLE.search(text) is None


def require_text(member: str, value: str) -> None:
    """Refuse a REQUIRED string that is empty or only whitespace (JSN-3, JSN-5)."""
    if is_blank(value):
        raise InvalidRequestError(member, "is empty")


def require_object(member: str, raw: msgspec.Raw) -> None:
    """Refuse a member that is kept undecoded but is not a JSON object."""
    if bytes(memoryview(raw)[:1]) != b"{":
        raise InvalidRequestError(member, "must be of type object")


def is_absolute_url(url: str) -> bool:
    """Whether `url` is an absolute http(s) URL with a host and without spaces or credentials."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        # reading the port is what checks it
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def split_reference(reference: str) -> tuple[str, str] | None:
    """`Type/id`, also absolute or with a version, as (type, id); None if it is neither.

    FHIR allows 64 characters for an id and large EHRs send longer ones, so length is not looked at.
    Characters are: an id ends up in query URLs.
    """
    found = _REFERENCE.fullmatch(reference)
    return (found["type"], found["id"]) if found else None


def bare_id(member: str, value: str, resource_type: str) -> str:
    """The id of a `resource_type`, given as the standard has it or, as some clients do, as a reference."""
    found = split_reference(value if "/" in value else f"{resource_type}/{value}")
    if found is None or found[0] != resource_type:
        raise InvalidRequestError(member, f"must be an id of type {resource_type}")
    return found[1]


def reference_pattern(*resource_types: str) -> str:
    """What `split_reference` reads of these types, as a pattern for a schema."""
    return rf"^{_reference(*resource_types)}$"


def id_pattern(resource_type: str) -> str:
    """What `bare_id` reads, as a pattern for a schema."""
    return rf"^(?:{_ID}|{_reference(resource_type)})$"


def _reference(*resource_types: str) -> str:
    return rf"{_BASE}(?:{'|'.join(resource_types)})/{_ID}{_VERSION}"
