"""What gunicorn refuses before Rollcall sees it, and crashes outside of Rollcall, answered as all else is: in JSON."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http import errors as refused

_Meaning = tuple[int, str, str, str]
# What the exception is → status, reason, code, sentence. The first that fits; what is none of them is a crash.
_REFUSALS: tuple[tuple[tuple[type[Exception], ...], _Meaning], ...] = (
    (
        (refused.LimitRequestLine,),
        (414, "URI Too Long", "uri_too_long", "The request line is longer than {line} bytes; use the body."),
    ),
    (
        (refused.LimitRequestHeaders,),
        (
            *(431, "Request Header Fields Too Large", "headers_too_large"),
            "The request has more than {fields} headers, or one that is longer than {field} bytes.",
        ),
    ),
    (
        (refused.UnsupportedTransferCoding,),
        (501, "Not Implemented", "unsupported_transfer_coding", "The Transfer-Encoding must be chunked."),
    ),
    (
        (refused.ExpectationFailed,),
        (417, "Expectation Failed", "expectation_failed", "The request expects something other than 100-continue."),
    ),
    (
        (refused.InvalidChunkSize, refused.ChunkMissingTerminator, refused.InvalidChunkExtension),
        (400, "Bad Request", "invalid_http", "The chunks of the request's body are no valid HTTP/1.1."),
    ),
    (
        (refused.InvalidRequestLine, refused.InvalidRequestMethod, refused.InvalidHTTPVersion),
        (400, "Bad Request", "invalid_http", "The request line is no valid HTTP/1.1."),
    ),
    (
        (refused.ParseException,),
        (400, "Bad Request", "invalid_http", "A header of the request is no valid HTTP/1.1."),
    ),
)
_CRASH: _Meaning = (
    500,
    "Internal Server Error",
    "internal_error",
    "Something went wrong inside Rollcall; its log says more under the request id {id}.",
)


def refuse_in_json(worker: Any) -> None:
    """Takes the place of Worker.handle_error, whose replies are HTML, in this gunicorn process."""
    worker.handle_error = partial(_refuse, worker)


def _refuse(worker: Any, request: Any, client: Any, address: Any, error: BaseException) -> None:
    request_id = os.urandom(16).hex()
    status, reason, code, sentence = _meaning(error)
    cfg = worker.cfg
    limits = {"line": cfg.limit_request_line, "fields": cfg.limit_request_fields, "field": cfg.limit_request_field_size}
    sentence = sentence.format(id=request_id, **limits)
    if status == 500:
        worker.log.error("request %s failed outside of the application", request_id, exc_info=error)
    else:
        worker.log.warning("request %s from %s was refused: %s", request_id, (address or ("",))[0], sentence)
    try:
        util.write_nonblock(client, _reply(status, reason, code, sentence, request_id))
    except Exception:
        worker.log.debug("request %s: nobody was there for the reply", request_id)


def _meaning(error: BaseException) -> _Meaning:
    # What the application could not say is not the client's fault, although its class says so.
    if not isinstance(error, refused.InvalidResponseHeader | refused.InvalidResponseHeaderName):
        for kinds, meaning in _REFUSALS:
            if isinstance(error, kinds):
                return meaning
    return _CRASH


def _reply(status: int, reason: str, code: str, sentence: str, request_id: str) -> bytes:
    """In both shapes at once: who asked, and where, is not known here."""
    from app.core.dialects import openai_chat, seed
    from app.core.errors import InvalidRequest, RollcallError
    from app.core.json_text import json_bytes

    error = (RollcallError if status == 500 else InvalidRequest)(sentence, status=status, code=code)
    body = json_bytes(seed.error_body(error, request_id) | {"error": openai_chat.error_body(error, request_id)})
    head = (
        *(f"HTTP/1.1 {status} {reason}", "Connection: close", "Content-Type: application/json"),
        *(f"Content-Length: {len(body)}", f"X-Request-Id: {request_id}", "", ""),
    )
    return "\r\n".join(head).encode("latin-1") + body
