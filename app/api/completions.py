"""POST /v1/chat/completions and /api/v1/chat/completions: both request shapes, whole or streamed. The hot path."""

from __future__ import annotations

import time
from dataclasses import replace

from flask import Blueprint, Response, g

from app.api.answers import answer_headers, new_id, whole
from app.api.auth import check_model
from app.api.edge import read_json, request_id
from app.api.runtime import rollcall
from app.api.seed_media import media_reply
from app.api.streams import OPENAI, streamed
from app.core.conversation import ChatRequest, Task
from app.core.dialects import openai_chat, seed
from app.core.dialects.chat import Surface, parse_chat, surface_of
from app.core.dialects.openai_chunks import chunks
from app.services.routing import Answer
from app.services.tasks import task_of_prompt

blueprint = Blueprint("rollcall-completions", __name__)


@blueprint.post("/v1/chat/completions")
@blueprint.post("/api/v1/chat/completions")
def complete_chat() -> Response:
    body = read_json()
    g.surface = surface_of(body)
    surface, chat = parse_chat(body, request_id())
    check_model(chat.model)
    if surface == "seed" and (task := _task_of(chat.model)) != "text":
        return media_reply(replace(chat, task=task))
    router = rollcall().router
    if chat.stream:
        return _streamed(chat)
    return _whole(surface, chat, router.complete(chat))


def _task_of(model: str) -> Task:
    pool = rollcall().fleet.pool(model)
    return "text" if pool is None else task_of_prompt(pool.workers)


def _whole(surface: Surface, chat: ChatRequest, answer: Answer) -> Response:
    def reply() -> dict[str, object]:
        if surface == "seed":
            return seed.reply(answer.reply)
        return openai_chat.reply(chat, answer.reply, reply_id=new_id("chatcmpl-"), created=int(time.time()))

    return whole(answer, reply, answer_headers(answer, answer.notices))


def _streamed(chat: ChatRequest) -> Response:
    reply_id, created = new_id("chatcmpl-"), int(time.time())
    return streamed(
        chat,
        OPENAI,
        rollcall().router.stream,
        lambda answer: answer_headers(answer, answer.notices) if answer else [],
        lambda answer: chunks(chat, answer.events, reply_id=reply_id, created=created),
    )
