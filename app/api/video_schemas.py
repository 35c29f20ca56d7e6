"""/v1/videos as marshmallow schemas, for the OpenAPI document. Requests are validated by core/dialects/videos.py."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.api.chat_schemas import ModelName, Object, Open, TextOr
from app.api.fields import Number, Text, Whole


class VideoRequestSchema(Open):
    model = Text(required=True, validate=ModelName)
    prompt = Text(required=True, validate=validate.Length(1))
    seconds = TextOr(
        Number(validate=validate.Range(0, min_inclusive=False)),
        allow_none=True,
        metadata={"description": "Its length.", "oneOf": [{"type": "string"}, {"type": "number"}]},
    )
    size = Text(allow_none=True, metadata={"description": "Width x height.", "example": "1280x720"})
    input_reference = TextOr(
        Object(),
        allow_none=True,
        metadata={
            "description": "The picture to begin with: a URL, {image_url}, or the file of a form.",
            "oneOf": [{"type": "string"}, {"type": "object"}],
        },
    )


class VideoErrorSchema(Schema):
    code = Text(required=True)
    message = Text(required=True)


class VideoSchema(Schema):
    id = Text(required=True)
    object = Text(required=True, validate=validate.Equal("video"))
    created_at = Whole(required=True, metadata={"description": "UTC seconds."})
    completed_at = Whole(required=True, allow_none=True, metadata={"description": "When it ended."})
    expires_at = Whole(required=True, allow_none=True, metadata={"description": "When it is deleted."})
    model = Text(required=True, metadata={"description": "The name that was asked for."})
    status = Text(required=True, validate=validate.OneOf(["queued", "in_progress", "completed", "failed"]))
    progress = Whole(required=True, validate=validate.Range(0, 100))
    prompt = Text(required=True)
    seconds = Text(required=True, metadata={"description": "As asked for; 4 where nothing was."})
    size = Text(required=True, metadata={"description": "As asked for; 720x1280 where nothing was."})
    error = fields.Nested(VideoErrorSchema, required=True, allow_none=True)
    remixed_from_video_id = Text(required=True, allow_none=True)
    results = fields.List(
        Object(),
        metadata={"description": "Of a completed one, all that was made: {url, content_type}, {path} or a value."},
    )


class VideoListSchema(Schema):
    object = Text(required=True, validate=validate.Equal("list"))
    data = fields.List(fields.Nested(VideoSchema), required=True)
    first_id = Text(required=True, allow_none=True)
    last_id = Text(required=True, allow_none=True, metadata={"description": "The next page comes `after` it."})
    has_more = fields.Boolean(required=True)


class VideoDeletedSchema(Schema):
    id = Text(required=True)
    object = Text(required=True, validate=validate.Equal("video.deleted"))
    deleted = fields.Constant(True, metadata={"type": "boolean"})
