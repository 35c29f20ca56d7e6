"""Headers that may be sent to a worker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.core.language import LanguageError, place, text_of

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TRANSPORT = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)


def check_headers(header: Mapping[str, Any], where: str) -> None:
    """Raises LanguageError naming the header that cannot be sent as it stands."""
    seen: set[str] = set()
    for name, value in header.items():
        inside = place(where, name)
        lower = name.lower()
        if not _NAME.match(name):
            raise LanguageError("a header's name holds only letters, digits and - _ . and the like", 0, inside)
        if lower in _TRANSPORT and not is_closing(name, value):
            only = "; Connection may only say close" if lower == "connection" else ""
            raise LanguageError(f"{name} belongs to the connection and is set by Rollcall itself{only}", 0, inside)
        if lower in seen:
            raise LanguageError(f"the header {name} is named twice", 0, inside)
        seen.add(lower)
        if control := _CONTROL.search(text_of(value)):
            raise LanguageError("a header's value holds no line break or control character", control.start(), inside)


def is_closing(name: str, value: Any) -> bool:
    """The one header of the connection that a registration may set: its connections are not kept."""
    return name.lower() == "connection" and isinstance(value, str) and value.lower() == "close"


def header_value(value: Any) -> str:
    """A value as it is sent: characters outside ASCII as UTF-8. Raises ValueError for line breaks and the like."""
    text = text_of(value).strip()
    if _CONTROL.search(text):
        raise ValueError("line break or control character")
    # http.client writes headers in Latin-1: give it the bytes of UTF-8 in that disguise.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("latin-1")


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`; names are compared without case."""
    replaced = {name.lower() for name in over}
    return {**{name: value for name, value in under.items() if name.lower() not in replaced}, **over}
