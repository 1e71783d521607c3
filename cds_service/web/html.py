"""HTML that is safe by construction: text is escaped unless it is markup already."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

_VOID = frozenset({"meta", "br", "hr", "link", "img", "input", "col"})
_HARMLESS = re.compile(r"(?:https?://|#|/|[A-Za-z0-9])")
_NO_SLUG = re.compile(r"[^a-z0-9]+")


class Markup(str):
    """A piece of HTML, made by ``tag`` or ``join``."""

    __slots__ = ()


Child = str | Markup | None


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Markup:
    """An element. Children that are plain text are escaped, those that are None left out.

    ``class_`` is written ``class``; True stands for an attribute without a value, None and False leave it out.
    """
    shown = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{join(children)}</{name}>")


def _attribute(name: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    if name == "href" and not is_harmless(value):
        return ""
    return f' {name}="{escape(value, quote=True)}"'


def is_harmless(address: str) -> bool:
    """Whether a link goes to a web page or a place of ours, and runs nothing."""
    scheme = address.partition(":")[0] if ":" in address.partition("/")[0] else ""
    return bool(_HARMLESS.match(address)) and scheme in ("", "http", "https")


def join(children: Iterable[Child], between: str = "") -> Markup:
    """Pieces one after the other, plain text escaped."""
    return Markup(escape(between).join(_safe(child) for child in children if child is not None))


def _safe(child: str) -> str:
    return child if isinstance(child, Markup) else escape(child, quote=True)


def slug(name: str) -> str:
    """A name as it stands in an address or an anchor."""
    return _NO_SLUG.sub("-", name.casefold()).strip("-")
