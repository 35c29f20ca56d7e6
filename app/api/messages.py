"""POST /v1/messages: Anthropic's shape, whole or streamed, from any text worker.

Any key and any anthropic-version are taken. Tokens are not counted ahead: /v1/messages/count_tokens is a 404.
"""

from __future__ import annotations

from flask import Blueprint, Response, g

from app.api.answers import Headers, Told, answer_headers, new_id, streamed, whole
from app.api.edge import read_json, request_id
from app.api.runtime import rollcall
from app.core.dialects.anthropic import MessagesRequest, parse
from app.core.dialects.anthropic_reply import reply
from app.core.dialects.anthropic_stream import error_frame, pieces
from app.core.errors import UnsupportedByWorker

blueprint = Blueprint("rollcall-messages", __name__)


@blueprint.post("/v1/messages")
@blueprint.post("/api/v1/messages")
def answer_messages() -> Response:
    g.surface = "anthropic"
    request = parse(read_json(), request_id())
    try:
        return _streamed(request) if request.chat.stream else _whole(request)
    except UnsupportedByWorker as error:
        raise request.restated(error) from None


def _whole(request: MessagesRequest) -> Response:
    answer = rollcall().router.complete(request.chat)
    reply_id = new_id("msg_")
    headers = _headers(request, answer, answer.notices)
    return whole(answer, lambda: reply(request, answer.reply, reply_id=reply_id), headers)


def _streamed(request: MessagesRequest) -> Response:
    answer = rollcall().router.stream(request.chat)
    body = pieces(request, answer.events, reply_id=new_id("msg_"))
    headers = _headers(request, answer, answer.notices)
    return streamed(body, answer.close, request.chat.request_id, headers, error_frame)


def _headers(request: MessagesRequest, answer: Told, notices: tuple[str, ...]) -> Headers:
    """With the name under which this surface's clients look for the request id."""
    return [*answer_headers(answer, request.notices(notices)), ("request-id", request.chat.request_id)]
