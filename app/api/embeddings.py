"""POST /v1/embeddings: OpenAI's shape, from any embedding worker."""

from __future__ import annotations

from flask import Blueprint, Response, g

from app.api.answers import answer_headers, whole
from app.api.auth import check_model
from app.api.edge import read_json, request_id
from app.api.runtime import rollcall
from app.core.dialects.embeddings import parse, reply

blueprint = Blueprint("rollcall-embeddings", __name__)


@blueprint.post("/v1/embeddings")
@blueprint.post("/api/v1/embeddings")
def embed() -> Response:
    g.surface = "openai"
    request = parse(read_json(), request_id())
    check_model(request.chat.model)
    answer = rollcall().router.result(request.chat)
    return whole(answer, lambda: reply(request, answer.result), answer_headers(answer, answer.notices))
