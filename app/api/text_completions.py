"""POST /v1/completions: OpenAI's older shape, a prompt and its continuation, from any text worker."""

from __future__ import annotations

import time

from flask import Blueprint, Response, g

from app.api.answers import answer_headers, new_id, whole
from app.api.auth import check_model
from app.api.edge import read_json, request_id
from app.api.runtime import rollcall
from app.api.streams import OPENAI, streamed
from app.core.dialects.completion_chunks import chunks
from app.core.dialects.completions import CompletionRequest, parse, reply

blueprint = Blueprint("rollcall-text-completions", __name__)


@blueprint.post("/v1/completions")
@blueprint.post("/api/v1/completions")
def complete_text() -> Response:
    g.surface = "openai"
    request = parse(read_json(), request_id())
    check_model(request.chat.model)
    return _streamed(request) if request.chat.stream else _whole(request)


def _whole(request: CompletionRequest) -> Response:
    answer = rollcall().router.complete(request.chat)
    reply_id, created = new_id("cmpl-"), int(time.time())
    headers = answer_headers(answer, answer.notices)
    return whole(answer, lambda: reply(request, answer.reply, reply_id=reply_id, created=created), headers)


def _streamed(request: CompletionRequest) -> Response:
    reply_id, created = new_id("cmpl-"), int(time.time())
    return streamed(
        request.chat,
        OPENAI,
        rollcall().router.stream,
        lambda answer: answer_headers(answer, answer.notices) if answer else [],
        lambda answer: chunks(request, answer.events, reply_id=reply_id, created=created),
    )
