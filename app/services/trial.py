"""One request to a worker that is not registered yet, and what it answers. Nothing is stored."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.conversation import ChatRequest
from app.core.dialect import build_request, dialect_of
from app.core.errors import InvalidField, RollcallError, UpstreamError
from app.core.extract import compile_path
from app.core.json_input import parse_json
from app.core.language import text_of
from app.core.registration import parse_registration
from app.services.preview import unstored
from app.services.redaction import redacted
from app.services.rollcall import Rollcall
from app.upstream.client import SendFailure

SHOWN_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Trial:
    """`reply` is None when it is no JSON; `answer` what `path` finds, None when that is nothing."""

    status: int
    content_type: str
    reply: Any
    text: str
    path: str
    answer: str | None
    is_job: bool


def try_once(rollcall: Rollcall, raw: Mapping[str, Any], prompt: str) -> Trial:
    """Raises UpstreamError when the worker cannot be reached, InvalidField for a registration that cannot be."""
    settings = rollcall.settings
    wanted = parse_registration(raw, settings.may_read_env, settings.targets)
    worker = unstored(wanted)
    dialect = dialect_of(worker)
    if raw.get("auth"):
        raise InvalidField("A worker with a token exchange cannot be tried; register it, and ask it.", field="auth")
    message = {"role": "user", "content": prompt}
    body = {"model": wanted.model_name, "messages": [message], "prompt": prompt, "input": prompt}
    request = ChatRequest(wanted.model_name, (message,), body, False, "try", task=dialect.task)
    seen: list[str] = []

    def secret(kind: str, name: str) -> str:
        seen.append(settings.secret(kind, name))
        return seen[-1]

    sent = build_request(worker, request, stream=False, secrets=secret)
    try:
        reply = rollcall.client.send(sent, deadline=time.monotonic() + (dialect.timeout_s or settings.timeout_s))
    except SendFailure as failure:
        raise UpstreamError(redacted(f"The worker cannot be asked: {failure.message}.", sent, seen)) from None
    kind = reply.headers.get("content-type", "")
    text = redacted(reply.body[:SHOWN_TEXT].decode("utf-8", "replace"), sent, seen)
    value = _json(redacted(reply.body.decode("utf-8", "replace"), sent, seen))
    path = raw.get("response_extract") or ""
    return Trial(reply.status, kind, value, text, path, _answer(path, value, text), raw.get("job") is not None)


def _json(text: str) -> Any:
    try:
        return parse_json(text.encode())
    except RollcallError:
        return None


def _answer(path: str, value: Any, text: str) -> str | None:
    if value is None:
        return None if path else text or None
    found = compile_path(path).find(value)
    return None if found is None else text_of(found)
