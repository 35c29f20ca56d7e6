"""POST /v1/chat/completions and /api/v1/chat/completions: both request shapes, whole or streamed. The hot path."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable

from flask import Blueprint, Response, g

from app.api.edge import read_json, request_id
from app.api.event_stream import EventStream
from app.api.runtime import rollcall
from app.core.conversation import ChatRequest
from app.core.dialects import openai_chat, seed
from app.core.dialects.chat import Surface, parse_chat, surface_of
from app.core.dialects.openai_chunks import chunks
from app.core.errors import UpstreamError
from app.core.json_text import json_bytes
from app.services.routing import Answer, StreamAnswer

blueprint = Blueprint("rollcall-completions", __name__)

_STREAM_HEADERS = [("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@blueprint.post("/v1/chat/completions")
@blueprint.post("/api/v1/chat/completions")
def complete_chat() -> Response:
    body = read_json()
    g.surface = surface_of(body)
    surface, chat = parse_chat(body, request_id())
    router = rollcall().router
    if chat.stream:
        return _streamed(chat, router.stream(chat))
    return _whole(surface, chat, router.complete(chat))


def _whole(surface: Surface, chat: ChatRequest, answer: Answer) -> Response:
    try:
        if surface == "openai":
            reply = openai_chat.reply(chat, answer.reply, reply_id=_new_id(), created=int(time.time()))
        else:
            reply = seed.reply(answer.reply)
    except UpstreamError as error:
        error.worker_id, error.attempts = answer.worker_id, answer.attempts
        raise
    headers = _headers(answer.worker_id, answer.attempts, answer.notices)
    return Response(json_bytes(reply), 200, headers, content_type="application/json")


def _streamed(chat: ChatRequest, answer: StreamAnswer) -> Response:
    pieces = chunks(chat, answer.events, reply_id=_new_id(), created=int(time.time()))
    body = EventStream(pieces, answer.close, chat.request_id)
    headers = _headers(answer.worker_id, answer.attempts, answer.notices) + _STREAM_HEADERS
    # passed through as it is: no wrapper around each piece, and the server's close() reaches ours
    return Response(body, 200, headers, content_type="text/event-stream; charset=utf-8", direct_passthrough=True)


def _new_id() -> str:
    return f"chatcmpl-{os.urandom(12).hex()}"


def _headers(worker_id: int, attempts: int, notices: Iterable[str]) -> list[tuple[str, str]]:
    headers = [("X-Rollcall-Worker", str(worker_id)), ("X-Rollcall-Attempts", str(attempts))]
    if notice := "; ".join(notices):
        text = _CONTROL.sub(" ", notice)[:1000].encode("latin-1", "replace").decode("latin-1")
        headers.append(("X-Rollcall-Notice", text))
    return headers
