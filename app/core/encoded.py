"""Files inside text: base64 and data: URLs."""

from __future__ import annotations

import re
from base64 import b64decode
from urllib.parse import unquote_to_bytes

_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;[\x20-\x7e]*)?\Z", re.ASCII)
_DATA_URL = re.compile(r"data:(?P<type>[^,;]*)(?P<words>[^,]*),", re.ASCII)
_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def content_type_of(text: str) -> str:
    """The content type if it is one, else ""."""
    return text.strip() if _CONTENT_TYPE.match(text.strip()) else ""


def decode_base64(text: str) -> bytes:
    """The bytes behind base64, with or without line breaks, padding and a data: prefix; of either alphabet.

    Raises ValueError when it is none, or empty.
    """
    found = _DATA_URL.match(text)
    packed = "".join(text[found.end() if found else 0 :].split()).rstrip("=").translate(_STANDARD_ALPHABET)
    try:
        data = b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError:  # also what binascii raises
        data = b""
    if not data:
        raise ValueError("no base64")
    return data


def decode_data_url(url: str) -> tuple[bytes, str] | None:
    """The bytes and the content type ("" when it names none) of a data: URL; None: it is no such URL.

    Raises ValueError when its base64 is none.
    """
    found = _DATA_URL.match(url)
    if found is None:
        return None
    encoded = "base64" in found["words"].lower()
    data = decode_base64(url) if encoded else unquote_to_bytes(url[found.end() :])
    return data, content_type_of(found["type"])
