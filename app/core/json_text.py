"""JSON as it leaves this process: compact UTF-8 that every client can read, whatever a worker put into it."""

from __future__ import annotations

import json
import re
from typing import Any

# What was parsed from JSON holds no circle, and looking for one takes a fifth of the time.
_utf8 = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_ascii = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
_LINE_BREAKS = re.compile("[\x85\u2028\u2029]")


def json_bytes(value: Any) -> bytes:
    """The JSON text of `value`. Text stays readable UTF-8, with two exceptions that are escaped:

    lone surrogates, which UTF-8 cannot hold, and Unicode's extra line breaks, at which some clients cut an SSE line.
    """
    text = _utf8(value)
    if text.isascii():
        return text.encode("ascii")
    if _LINE_BREAKS.search(text) is None:
        try:
            return text.encode()
        except UnicodeEncodeError:
            pass
    return _ascii(value).encode("ascii")
