"""The small shape, {input, model_name}, for image and video models: the result is where the first of them is."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.api.answers import answer_headers, whole
from app.api.media import link
from app.api.runtime import rollcall
from app.core.conversation import ChatRequest
from app.core.dialects import seed
from app.core.errors import InvalidRequest
from app.services.handing_out import address


def media_reply(request: ChatRequest) -> Response:
    """Waits until it is made. Raises RollcallError."""
    if request.stream:
        raise InvalidRequest(f"stream must be false or left out: {request.task}s come whole.", field="stream")
    made = rollcall().generation.made(request)

    def told() -> dict[str, Any]:
        return seed.media_reply(link(address(rollcall().media, made.items[0], request.task)))

    return whole(made, told, answer_headers(made, made.notices))
