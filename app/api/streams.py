"""Streamed answers of every surface. Until something was sent the status is honest; then the stream tells it all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Response

from app.api.answers import Headers
from app.api.event_stream import EventStream, InBand, broken
from app.api.keep_alive import KeepAlive, keep_alive
from app.api.runtime import rollcall
from app.core.conversation import ChatRequest
from app.core.dialects.openai_chunks import KEEP_ALIVE, error_frame
from app.core.errors import RollcallError
from app.services.routing import StreamAnswer

_HEADERS = [("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]
_TYPE = "text/event-stream; charset=utf-8"
OPENAI = InBand(KEEP_ALIVE, error_frame)


def streamed(
    request: ChatRequest,
    in_band: InBand,
    answer_of: Callable[[ChatRequest], StreamAnswer],
    headers_of: Callable[[StreamAnswer | None], Headers],
    pieces_of: Callable[[StreamAnswer], Iterator[bytes]],
) -> Response:
    """`headers_of(None)`: those of an answer that begins before anybody knows who gives it.

    Raises RollcallError as long as nothing was sent.
    """
    after_s = rollcall().settings.keep_alive_s
    silence = keep_alive(in_band.keep_alive, after_s, lambda: headers_of(None) + _HEADERS, _TYPE)
    try:
        answer = answer_of(request)
    except Exception as error:
        if silence is None:
            raise
        silence.over()
        if not silence.has_begun:
            raise
        return _response(_told(error, request.request_id, in_band), [], silence)
    body = EventStream(pieces_of(answer), answer.close, request.request_id, in_band, silence)
    return _response(body, headers_of(answer), silence)


def _told(error: Exception, request_id: str, in_band: InBand) -> Iterable[bytes]:
    if isinstance(error, RollcallError):
        return [in_band.error(error, request_id)]
    return [broken(request_id, in_band)]


def _response(body: Iterable[bytes], headers: Headers, silence: KeepAlive | None) -> Response:
    # passed through as it is: no wrapper around each piece, and the server's close() reaches ours
    response = _Streamed(body, 200, headers + _HEADERS, content_type=_TYPE, direct_passthrough=True)
    response.silence = silence
    return response


class _Streamed(Response):
    silence: KeepAlive | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        silence = self.silence
        if silence is None:
            return super().__call__(environ, start_response)
        body, status, headers = self.get_wsgi_response(environ)
        if not silence.has_begun:
            silence.write = start_response(status, headers)
        return body
