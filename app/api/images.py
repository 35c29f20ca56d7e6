"""POST /v1/images/generations: OpenAI's shape, from any image worker."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, g

from app.api.answers import answer_headers, whole
from app.api.edge import read_json, request_id
from app.api.media import link
from app.api.runtime import rollcall
from app.core.dialects.images import ImageRequest, parse, reply
from app.services.handing_out import Made, address, base64

blueprint = Blueprint("rollcall-images", __name__)


@blueprint.post("/v1/images/generations")
@blueprint.post("/api/v1/images/generations")
def generate_images() -> Response:
    g.surface = "openai"
    request = parse(read_json(), request_id())
    made = rollcall().generation.made(request.chat)

    def told() -> dict[str, Any]:
        return reply([_entry(request, item) for item in made.items], created=int(time.time()))

    return whole(made, told, answer_headers(made, made.notices))


def _entry(request: ImageRequest, item: Made) -> dict[str, Any]:
    if item.kind == "json" and isinstance(item.value, dict):
        return item.value
    media = rollcall().media
    if request.base64:
        return {"b64_json": base64(media, item, "response_format")}
    return {"url": link(address(media, item, "image"))}
