"""/v1/videos in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from marshmallow import Schema

from app.api.openapi_parts import add_route, asking, json_content
from app.api.video_schemas import VideoDeletedSchema, VideoListSchema, VideoRequestSchema, VideoSchema
from app.api.videos import MOST_LISTED, ORDERS, USUALLY_LISTED, VARIANT

_COMPONENTS: dict[str, type[Schema]] = {
    "VideoRequest": VideoRequestSchema,
    "Video": VideoSchema,
    "VideoList": VideoListSchema,
    "VideoDeleted": VideoDeletedSchema,
}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUALLY_LISTED}
_QUERY = (
    ("after", {"type": "string"}, "The last id of the page before."),
    ("limit", _LIMIT, "How many."),
    ("order", {"type": "string", "enum": list(ORDERS), "default": "desc"}, "By the time they were begun."),
)
_UNKNOWN = {"404": {"description": "There is no such video."}}
_FILE = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_CONTENT: dict[str, dict[str, Any]] = {
    "200": {"description": "Its bytes, our own copy.", "content": _FILE},
    "206": {"description": "The `Range` that was asked for.", "content": _FILE},
    "404": {"description": "There is no such video, or the worker made no file; a sentence says which."},
    "409": {"description": "It is not finished yet."},
    "416": {"description": "There is no such range."},
    "502": {"description": "The job failed, or the worker's link gave no file."},
}


def document_videos(spec: APISpec) -> None:
    """After chat_openapi.document, whose components it shares."""
    for name, schema in _COMPONENTS.items():
        spec.components.schema(name, schema=schema)
    for prefix in ("/v1/videos", "/api/v1/videos"):
        one = f"{prefix}/<video_id>"
        add_route(spec, prefix, "post", _create())
        add_route(spec, prefix, "get", _read("The videos, a page of them.", "VideoList", *_QUERY))
        add_route(spec, one, "get", _read("How a video is coming on.", "Video", responses=_UNKNOWN))
        add_route(spec, one, "delete", _read("Forget a video, finished or not.", "VideoDeleted", responses=_UNKNOWN))
        variant = ("variant", {"type": "string", "enum": [VARIANT]}, "Nothing else is made.")
        add_route(spec, f"{one}/content", "get", _read("The video itself.", "", variant, responses=_CONTENT))


def _create() -> dict[str, Any]:
    operation = asking(
        "videos",
        "Begin a video, in OpenAI's shape.",
        "From any video worker; one that answers at once works in the background. JSON or a form.",
        takes=("VideoRequest",),
        gives=("Video",),
        error=("ChatError",),
    )
    content = operation["requestBody"]["content"]
    content["multipart/form-data"] = content["application/json"]
    return operation


def _read(
    summary: str,
    component: str,
    *query: tuple[str, dict[str, Any], str],
    responses: dict[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    given = {"200": {"description": "OpenAI's object.", "content": json_content(component)}} if component else {}
    return {
        "tags": ["videos"],
        "summary": summary,
        "parameters": [{"in": "query", "name": name, "schema": kind, "description": say} for name, kind, say in query],
        "responses": given | (responses or {}),
    }
