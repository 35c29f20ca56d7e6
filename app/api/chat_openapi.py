"""The chat and model routes in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from marshmallow import Schema

from app.api.chat_schemas import (
    ChatReplySchema,
    ChatRequestSchema,
    ErrorReplySchema,
    ModelListSchema,
    ModelSchema,
    PartSchema,
    SeedErrorSchema,
    SeedReplySchema,
    SeedRequestSchema,
)
from app.api.openapi_parts import add_route, asking, error_response, json_content

_COMPONENTS: dict[str, type[Schema]] = {
    "ChatPart": PartSchema,
    "ChatRequest": ChatRequestSchema,
    "ChatReply": ChatReplySchema,
    "ChatError": ErrorReplySchema,
    "SeedRequest": SeedRequestSchema,
    "SeedReply": SeedReplySchema,
    "SeedError": SeedErrorSchema,
    "Model": ModelSchema,
    "ModelList": ModelListSchema,
}


def document(spec: APISpec) -> None:
    """Adds the routes and their schemas."""
    for name, schema in _COMPONENTS.items():
        spec.components.schema(name, schema=schema)
    for prefix in ("/v1", "/api/v1"):
        add_route(spec, f"{prefix}/chat/completions", "post", _complete())
        add_route(spec, f"{prefix}/models", "get", _read("ModelList", "Every model that may be asked.", "503"))
        name = "One model. Its name may contain slashes."
        add_route(spec, f"{prefix}/models/<path:name>", "get", _read("Model", name, "404", "503"))


def _complete() -> dict[str, Any]:
    return asking(
        "chat",
        "Ask a model.",
        "OpenAI's shape, or the seed's {input, model_name}: the body tells which.",
        takes=("ChatRequest", "SeedRequest"),
        gives=("ChatReply", "SeedReply"),
        error=("ChatError", "SeedError"),
        streams="OpenAI's chunks",
    )


def _read(component: str, summary: str, *errors: str) -> dict[str, Any]:
    return {
        "tags": ["models"],
        "summary": summary,
        "responses": {
            "200": {"description": "OpenAI's object.", "content": json_content(component)},
            **{status: error_response(status, "ChatError", "SeedError") for status in errors},
        },
    }
