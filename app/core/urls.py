"""The URLs that a registration may name, and how they are completed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from app.core.language import LanguageError, text_of

MAX_URL = 2000
_ORIGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\\]")
_HOST = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?\Z")
_PLACEHOLDER_WITH_DEFAULT = re.compile(r"\{[A-Z][A-Z0-9_]*:[^{}]*\}")


def check_url(text: str, where: str, *, from_reply: bool = False) -> None:
    """Raises LanguageError when `text` is no http(s) URL that may be called.

    `from_reply`: it may begin with {RESP:…}, whose value is checked when it is there.
    """
    if len(text) > MAX_URL:
        raise LanguageError(f"a URL has at most {MAX_URL} characters; this one has {len(text)}", MAX_URL, where)
    # A default inside a placeholder is encoded when it is used, so it may hold anything.
    bare = _PLACEHOLDER_WITH_DEFAULT.sub(lambda match: "x" * len(match[0]), text)
    if bad := _UNPRINTABLE.search(bare):
        raise LanguageError("a URL holds no space, backslash or control character", bad.start(), where)
    if "#" in bare:
        raise LanguageError("a URL of a worker has no fragment (#…)", bare.index("#"), where)
    if from_reply and text.startswith("{RESP"):
        return
    origin = _ORIGIN.match(text)
    if origin is None:
        fault = (
            "a placeholder may not stand in or before the host of a URL"
            if text[:1] in ("{", "$")
            else ("a URL begins with http:// or https://")
        )
        raise LanguageError(fault, 0, where)
    if origin["scheme"].lower() not in ("http", "https"):
        raise LanguageError(f"a URL begins with http:// or https://, not {origin['scheme']}://", 0, where)
    _check_authority(origin["authority"], origin.start("authority"), where)


def _check_authority(authority: str, position: int, where: str) -> None:
    if brace := re.search(r"[{}$]", authority):
        fault = "a placeholder may not stand in or before the host of a URL"
        raise LanguageError(fault, position + brace.start(), where)
    if "@" in authority:
        fault = "a URL holds no user or password; put credentials into `header`"
        raise LanguageError(fault, position + authority.index("@"), where)
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise LanguageError("the host or port of the URL cannot be read", position, where) from None
    if not host:
        raise LanguageError("the URL names no host", position, where)
    if port == 0 or authority.endswith(":") or not (authority.startswith("[") or _HOST.match(host)):
        fault = "the host or port of the URL cannot be read; a name outside ASCII is written in its xn-- form"
        raise LanguageError(fault, position, where)


def with_query(url: str, params: Mapping[str, Any]) -> str:
    """`url` with parameters added; a list of plain values repeats its name, anything else is one text."""
    pairs = [(name, text_of(item)) for name, value in params.items() for item in _items(value)]
    if not pairs:
        return url
    joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return url + joint + urlencode(pairs, quote_via=quote, safe="", errors="replace")


def _items(value: Any) -> list[Any]:
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return value
    return ["" if value is None else value]


def ascii_url(url: str) -> str:
    """Characters outside ASCII percent-encoded, as they are sent."""
    return url if url.isascii() else re.sub(r"[^\x00-\x7f]+", lambda match: quote(match[0], errors="replace"), url)


def is_template(url: str) -> bool:
    return "{" in url or "$" in url
