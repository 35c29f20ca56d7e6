"""Every error leaves through here, in the shape its caller speaks. What went wrong inside is logged, never shown."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, g, request
from flask.sansio.scaffold import Scaffold
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from app.api.arguments import refusal
from app.api.edge import request_id
from app.core.dialects import anthropic_reply, openai_chat, seed
from app.core.errors import InvalidRequest, RollcallError
from app.core.json_text import json_bytes

log = logging.getLogger(__name__)

Headers = Iterable[tuple[str, str]]
# Callers name fields as they like, and messages repeat such names.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}


def register_error_handlers(scaffold: Scaffold, *, own: bool = True) -> None:
    """After flask-smorest, which brings a handler of its own. In a foreign application only our errors are ours."""
    scaffold.register_error_handler(RollcallError, error_response)
    if not own:
        return
    scaffold.register_error_handler(ValidationError, _on_validation_error)
    scaffold.register_error_handler(HTTPException, _on_http_error)
    scaffold.register_error_handler(Exception, _on_crash)


def error_response(error: RollcallError, headers: Headers = ()) -> Response:
    error.message = _CONTROL.sub(" ", error.message)
    surface = g.get("surface") or _surface_of_path(request.path)
    response = Response(json_bytes(_body(error, surface)), error.status, headers, content_type="application/json")
    if surface == "anthropic":
        response.headers["request-id"] = request_id()
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(0, math.ceil(error.retry_after_s)))
    if error.should_retry is False:
        response.headers["x-should-retry"] = "false"
    for name, value in (("X-Rollcall-Worker", error.worker_id), ("X-Rollcall-Attempts", error.attempts)):
        if value is not None:
            response.headers[name] = str(value)
    return response


def _body(error: RollcallError, surface: str) -> dict[str, Any]:
    """The shape of the caller's surface; both where nobody can know whether the caller reads OpenAI's or the seed's."""
    if surface == "anthropic":
        return anthropic_reply.error_body(error, request_id())
    if surface == "openai":
        return {"error": openai_chat.error_body(error, request_id())}
    seeds = seed.error_body(error, request_id())
    return seeds | {"error": openai_chat.error_body(error, request_id())} if surface == "either" else seeds


def _surface_of_path(path: str) -> str:
    """For errors that are found before a view has seen the body."""
    if path.startswith(("/v1/messages", "/api/v1/messages")):
        return "anthropic"
    if path.startswith("/v1/"):
        return "openai"
    return "either" if path.startswith("/api/v1/") else "seed"


def _on_validation_error(error: ValidationError) -> Response:
    return error_response(refusal(error.messages))


def _on_http_error(error: HTTPException) -> HTTPException | Response:
    if error.code is None or error.code < 400 or error.response is not None:
        return error
    messages = getattr(error, "data", {}).get("messages")
    if error.code == 422 and isinstance(messages, Mapping):
        return error_response(refusal({"": list(messages.values())}))
    kept = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    kind = InvalidRequest if error.code < 500 else RollcallError
    code = _CODES.get(error.code, error.name.lower().replace(" ", "_"))
    return error_response(kind(_sentence(error), status=error.code, code=code), kept)


def _sentence(error: HTTPException) -> str:
    route = f"{request.method} {request.path[:200]}"
    if request.routing_exception is error and error.code == 404:
        return f"There is no route {route}; /docs lists them all."
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return f"There is no route {route}; allowed here: {allowed or 'nothing'}. /docs lists all routes."
    return error.description or f"{error.name}."


def _on_crash(error: Exception) -> Response:
    log.error("request %s: %s %s failed", request_id(), request.method, request.path, exc_info=error)
    return error_response(
        RollcallError(
            f"Something went wrong inside Rollcall; its log says more under the request id {request_id()}.",
            should_retry=False,
        )
    )
