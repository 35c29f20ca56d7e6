"""multipart/form-data as the JSON object that it stands for."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder

from app.api.edge import FORM, read_body
from app.core.dialects.form import typed
from app.core.encoded import content_type_of
from app.core.errors import InvalidRequest
from app.core.json_input import parse_json

MOST_PARTS = 200
ANY_TYPE = "application/octet-stream"


def read_fields() -> Any:
    """The request's body, JSON or a form; a file of a form is a data: URL. Raises what read_json raises."""
    raw = read_body()
    if request.mimetype != FORM:
        return parse_json(raw)
    return typed(list(_fields(raw)))


def _fields(raw: bytes) -> Iterator[tuple[str, str]]:
    for part, data in _parts(raw):
        name = part.name or ""
        if not isinstance(part, File):
            yield name, _text(name, data)
        elif part.filename or data:  # what a browser sends of a file that nobody chose is neither
            guessed = content_type_of(part.headers.get("Content-Type", "")) or mimetypes.guess_type(part.filename)[0]
            yield name, f"data:{guessed or ANY_TYPE};base64,{b64encode(data).decode('ascii')}"


def _parts(raw: bytes) -> Iterator[tuple[Field | File, bytes]]:
    part: Field | File | None = None
    pieces: list[bytes] = []
    try:
        decoder = MultipartDecoder(_boundary(), max_parts=MOST_PARTS)
        decoder.receive_data(raw)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, Field | File):
                part, pieces = event, []
            elif isinstance(event, Data) and part is not None:
                pieces.append(event.data)
                if not event.more_data:
                    yield part, b"".join(pieces)
    except RequestEntityTooLarge:
        raise InvalidRequest(f"The form has more than {MOST_PARTS} parts.") from None
    except (ValueError, LookupError):
        raise InvalidRequest("The body is no whole multipart/form-data: its boundary or a part is wrong.") from None


def _boundary() -> bytes:
    """Raises ValueError."""
    boundary = request.mimetype_params.get("boundary", "").encode("ascii")
    if not 0 < len(boundary) <= 200:
        raise ValueError
    return boundary


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name[:80] or 'A part'} must be text in UTF-8.", field=name[:80] or None) from None
