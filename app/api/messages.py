"""POST /v1/messages: Anthropic's shape, whole or streamed, from any text worker.

Any anthropic-version is taken. Tokens are not counted ahead: /v1/messages/count_tokens is a 404.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, g

from app.api.answers import Headers, Told, answer_headers, new_id, whole
from app.api.auth import check_model
from app.api.edge import read_json, request_id
from app.api.event_stream import InBand
from app.api.runtime import rollcall
from app.api.streams import streamed
from app.core.conversation import ChatRequest
from app.core.dialects.anthropic import MessagesRequest, parse
from app.core.dialects.anthropic_reply import reply
from app.core.dialects.anthropic_stream import PING, error_frame, pieces
from app.core.errors import UnsupportedByWorker

blueprint = Blueprint("rollcall-messages", __name__)


_IN_BAND = InBand(PING, error_frame)
Asked = TypeVar("Asked")


@blueprint.post("/v1/messages")
@blueprint.post("/api/v1/messages")
def answer_messages() -> Response:
    g.surface = "anthropic"
    request = parse(read_json(), request_id())
    check_model(request.chat.model)
    return _streamed(request) if request.chat.stream else _whole(request)


def _whole(request: MessagesRequest) -> Response:
    answer = _restating(request, rollcall().router.complete)(request.chat)
    reply_id = new_id("msg_")
    headers = _headers(request, answer, answer.notices)
    return whole(answer, lambda: reply(request, answer.reply, reply_id=reply_id), headers)


def _streamed(request: MessagesRequest) -> Response:
    reply_id = new_id("msg_")
    return streamed(
        request.chat,
        _IN_BAND,
        _restating(request, rollcall().router.stream),
        lambda answer: _headers(request, answer, answer.notices if answer else ()),
        lambda answer: pieces(request, answer.events, reply_id=reply_id),
    )


def _restating(request: MessagesRequest, ask: Callable[[ChatRequest], Asked]) -> Callable[[ChatRequest], Asked]:
    """The same, with what a worker cannot carry called by the names of this surface."""

    def asked(chat: ChatRequest) -> Asked:
        try:
            return ask(chat)
        except UnsupportedByWorker as error:
            raise request.restated(error) from None

    return asked


def _headers(request: MessagesRequest, answer: Told | None, notices: tuple[str, ...]) -> Headers:
    """With the name under which this surface's clients look for the request id."""
    told = answer_headers(answer, request.notices(notices)) if answer else []
    return [*told, ("request-id", request.chat.request_id)]
