"""A rendered body as the bytes that are sent: JSON, a form, or the parts of a multipart form."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlencode

from app.core.language import text_of

BodyType = Literal["json", "form", "multipart"]
# What was parsed from JSON holds no circle, and looking for one takes a fifth of the time.
_json = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode


def encode_json(body: Any) -> bytes:
    """Raises ValueError or RecursionError for what JSON cannot carry."""
    return _json(body).encode("ascii")


def encode_form(body: Mapping[str, Any]) -> bytes:
    """A list of plain values repeats its name; other lists and objects are JSON text."""
    return urlencode(list(_fields(body)), errors="replace").encode("ascii")


def encode_multipart(body: Mapping[str, Any]) -> tuple[bytes, str]:
    """The parts, all text and in the order of the body, and the Content-Type that names their random boundary."""
    boundary = f"rollcall-{secrets.token_hex(16)}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{text}\r\n'
        for name, text in _fields(body)
    ]
    whole = "".join([*parts, f"--{boundary}--\r\n"])
    return whole.encode("utf-8", "replace"), f"multipart/form-data; boundary={boundary}"


def _fields(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        plain = isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)
        for item in value if plain else [value]:
            yield name, "" if item is None else text_of(item)


def _quoted(name: str) -> str:
    """As browsers write the name of a field."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
