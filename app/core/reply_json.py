"""JSON from workers: lenient where real ones are sloppy, bounded, and always fit to be written out again."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 200
"""Nesting of lists and objects. More would pass the parser and then end an encoder deeper in the stack."""

_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_-]+)", re.IGNORECASE)
_CHARSETS = frozenset(
    (
        *("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252"),
        *("gbk", "gb2312", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"),
    )
)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


# NaN, Infinity and 1e999 are no JSON for whoever reads us: null. strict=False lets raw control characters in texts be.
# Raw, because `decode` spends as long again on the white space around a short frame.
_decode = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite, strict=False).raw_decode


def parse_reply(text: str) -> Any:
    """The JSON value of `text`. Raises ValueError when it is none, or one that is nested deeper than MAX_DEPTH.

    Lone surrogates stay in the texts: `json_bytes` escapes them.
    """
    text = text.strip(" \t\r\n")
    try:
        value, end = _decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if end != len(text):
        raise ValueError("more follows the JSON")
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise ValueError("nested too deep")
    return value


def text_of_body(body: bytes, content_type: str) -> str:
    """The body as text: its declared charset where that is a usual one, else UTF-8. Never raises."""
    match = _CHARSET.search(content_type)
    charset = match[1].lower() if match else ""
    return body.decode(charset if charset in _CHARSETS else "utf-8", "replace").removeprefix("\ufeff")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inner.extend(node.values())
            elif isinstance(node, list):
                inner.extend(node)
        if not inner:
            return False
        level = inner
    return any(isinstance(node, dict | list) for node in level)
