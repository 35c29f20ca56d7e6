"""/v1/images/generations and /v1/media in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from apispec import APISpec

from app.api.image_schemas import ImageReplySchema, ImageRequestSchema, ImagesPendingSchema
from app.api.openapi_parts import add_route, asking, json_content

_GENERATE = asking(
    "images",
    "Make images, in OpenAI's shape.",
    "From any image worker. A worker that works by jobs is waited for; what is not done by then is a 504, and goes on.",
    takes=("ImageRequest",),
    gives=("ImageReply",),
    error=("ChatError",),
)
_LATER: dict[str, Any] = {
    "tags": ["images"],
    "summary": "The images of a job that took longer than its caller could wait.",
    "responses": {
        "200": {"description": "They are done.", "content": json_content("ImageReply")},
        "202": {"description": "They are not done.", "content": json_content("ImagesPending")},
        "404": {"description": "There is no such job, or not any more."},
        "502": {"description": "The job failed."},
    },
}
_FILE = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_FETCH: dict[str, Any] = {
    "tags": ["media"],
    "summary": "An image or a video that is kept here.",
    "description": "Who knows the URL may read it, until it is too old. One range may be asked for.",
    "responses": {
        "200": {"description": "Its bytes.", "content": _FILE},
        "206": {"description": "The `Range` that was asked for.", "content": _FILE},
        "304": {"description": "It is what `If-None-Match` says."},
        "404": {"description": "There is no such file, or not any more."},
        "416": {"description": "There is no such range."},
    },
}


def document_images(spec: APISpec) -> None:
    """After chat_openapi.document, whose components it shares."""
    spec.components.schema("ImageRequest", schema=ImageRequestSchema)
    spec.components.schema("ImageReply", schema=ImageReplySchema)
    spec.components.schema("ImagesPending", schema=ImagesPendingSchema)
    for prefix in ("/v1", "/api/v1"):
        add_route(spec, f"{prefix}/images/generations", "post", _GENERATE)
        add_route(spec, f"{prefix}/images/generations/<job_id>", "get", _LATER)
        add_route(spec, f"{prefix}/media/<media_id>", "get", _FETCH)
