"""POST /v1/images/generations: OpenAI's shape, from any image worker."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, g

from app.api.answers import answer_headers, whole
from app.api.auth import check_model
from app.api.edge import read_json, request_id
from app.api.media import link
from app.api.runtime import rollcall
from app.core.conversation import Item
from app.core.dialects.images import parse, pending, reply
from app.core.job_record import Job
from app.core.json_text import json_bytes
from app.services.generation import Generated
from app.services.handing_out import Made, address, encoded

blueprint = Blueprint("rollcall-images", __name__)


@blueprint.post("/v1/images/generations")
@blueprint.post("/api/v1/images/generations")
def generate_images() -> Response:
    g.surface = "openai"
    request = parse(read_json(), request_id())
    check_model(request.chat.model)
    made = rollcall().generation.made(request.chat)
    return _answer(made, base64=request.base64)


@blueprint.get("/v1/images/generations/<job_id>")
@blueprint.get("/api/v1/images/generations/<job_id>")
def show_images(job_id: str) -> Response:
    """Of a job that took longer than its caller could wait."""
    g.surface = "openai"
    made = rollcall().generation.made_since(job_id, "image")
    if isinstance(made, Job):
        return Response(json_bytes(pending(made)), 202, content_type="application/json")
    return _answer(made, base64=False)


def _answer(made: Generated, *, base64: bool) -> Response:
    def told() -> dict[str, Any]:
        return reply([_entry(item, base64=base64) for item in made.items], made.said, created=int(time.time()))

    return whole(made, told, answer_headers(made, made.notices))


def _entry(item: Made, *, base64: bool) -> dict[str, Any]:
    if item.kind == "json" and isinstance(item.value, dict):
        return item.value
    revised = item.revised_prompt if isinstance(item, Item) else None
    beside = {} if revised is None else {"revised_prompt": revised}
    media = rollcall().media
    if base64:
        return {"b64_json": encoded(media, item, "response_format"), **beside}
    return {"url": link(address(media, item, "image")), **beside}
