"""/v1/messages, /v1/completions and /v1/embeddings in the OpenAPI document."""

from __future__ import annotations

from apispec import APISpec
from marshmallow import Schema

from app.api.openapi_parts import add_route, asking
from app.api.surface_schemas import (
    EmbeddingReplySchema,
    EmbeddingRequestSchema,
    MessagesErrorSchema,
    MessagesReplySchema,
    MessagesRequestSchema,
    TextReplySchema,
    TextRequestSchema,
)

_COMPONENTS: dict[str, type[Schema]] = {
    "MessagesRequest": MessagesRequestSchema,
    "MessagesReply": MessagesReplySchema,
    "MessagesError": MessagesErrorSchema,
    "TextRequest": TextRequestSchema,
    "TextReply": TextReplySchema,
    "EmbeddingRequest": EmbeddingRequestSchema,
    "EmbeddingReply": EmbeddingReplySchema,
}
_OPERATIONS = {
    "messages": asking(
        "messages",
        "Ask a model, in Anthropic's shape.",
        "From any text worker. Any anthropic-version is taken. Tokens are not counted ahead.",
        takes=("MessagesRequest",),
        gives=("MessagesReply",),
        error=("MessagesError",),
        streams="Anthropic's events",
    ),
    "completions": asking(
        "completions",
        "Let a model go on from a prompt, in OpenAI's older shape.",
        "From any text worker, which gets the prompt as one user message.",
        takes=("TextRequest",),
        gives=("TextReply",),
        error=("ChatError",),
        streams="chunks of the same shape",
    ),
    "embeddings": asking(
        "embeddings",
        "Texts as vectors, in OpenAI's shape.",
        "From any embedding worker.",
        takes=("EmbeddingRequest",),
        gives=("EmbeddingReply",),
        error=("ChatError",),
    ),
}


def document_surfaces(spec: APISpec) -> None:
    """After chat_openapi.document, whose components it shares."""
    for name, schema in _COMPONENTS.items():
        spec.components.schema(name, schema=schema)
    for prefix in ("/v1", "/api/v1"):
        for route, operation in _OPERATIONS.items():
            add_route(spec, f"{prefix}/{route}", "post", operation)
