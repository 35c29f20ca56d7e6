"""What the answers of models have in common on every surface: their id and their headers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from flask import Response

from app.core.errors import RollcallError
from app.core.json_text import json_bytes

Headers = list[tuple[str, str]]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Told(Protocol):
    """What is known of an answer beside what it says. None: of a job that is not known any more."""

    @property
    def worker_id(self) -> int | None: ...

    @property
    def attempts(self) -> int | None: ...


def new_id(prefix: str) -> str:
    return f"{prefix}{os.urandom(12).hex()}"


def answer_headers(answer: Told, notices: Iterable[str]) -> Headers:
    told = (("X-Rollcall-Worker", answer.worker_id), ("X-Rollcall-Attempts", answer.attempts))
    return [(name, str(value)) for name, value in told if value is not None] + notice_headers(notices)


def notice_headers(notices: Iterable[str]) -> Headers:
    notice = "; ".join(notices)
    if not notice:
        return []
    text = _CONTROL.sub(" ", notice)[:1000].encode("latin-1", "replace").decode("latin-1")
    return [("X-Rollcall-Notice", text)]


def whole(answer: Told, make: Callable[[], dict[str, Any]], headers: Headers) -> Response:
    """`make` gives the reply; an error that it raises tells who answered."""
    try:
        reply = make()
    except RollcallError as error:
        error.worker_id, error.attempts = answer.worker_id, answer.attempts
        raise
    return Response(json_bytes(reply), 200, headers, content_type="application/json")
