"""/v1/images/generations as marshmallow schemas: for the OpenAPI document. Requests are validated by core/dialects/."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.api.chat_schemas import ModelName, Open
from app.api.fields import Flag, Text, Whole
from app.core.dialects.images import FORMATS, MOST_IMAGES


class ImageRequestSchema(Open):
    model = Text(required=True, validate=ModelName)
    prompt = Text(required=True)
    n = Whole(
        allow_none=True,
        validate=validate.Range(1, MOST_IMAGES),
        metadata={"description": "How many. A worker that makes one image at a time is called that often."},
    )
    size = Text(allow_none=True, metadata={"description": "Such as 1024x1024."})
    quality = Text(allow_none=True)
    style = Text(allow_none=True)
    background = Text(allow_none=True)
    moderation = Text(allow_none=True)
    output_format = Text(allow_none=True)
    seed = Whole(allow_none=True)
    response_format = Text(
        allow_none=True,
        validate=validate.OneOf(FORMATS),
        metadata={"description": "url where nothing is said, whatever the worker gives; it is converted here."},
    )
    stream = Flag(allow_none=True, validate=validate.Equal(False), metadata={"description": "Images come whole."})
    user = Text(allow_none=True)


class ImageSchema(Open):
    url = Text(
        metadata={"description": "The worker's, or of a copy here. A worker's path or text stands here as it came."}
    )
    b64_json = Text()
    revised_prompt = Text(metadata={"description": "What an OpenAI-shaped worker made of the prompt."})


class ImageReplySchema(Schema):
    created = Whole(required=True, metadata={"description": "UTC seconds."})
    data = fields.List(fields.Nested(ImageSchema), required=True)
    usage = fields.Dict(
        keys=fields.String(),
        metadata={"description": "Tokens, where the worker says them: input_tokens, output_tokens, total_tokens, …"},
    )
    background = Text(metadata={"description": "This and the next three as an OpenAI-shaped worker says them."})
    output_format = Text()
    quality = Text()
    size = Text()


class ImagesPendingSchema(Schema):
    id = Text(required=True)
    created = Whole(required=True, metadata={"description": "UTC seconds."})
    status = Text(required=True, validate=validate.Equal("in_progress"))
    progress = Whole(required=True, validate=validate.Range(0, 100))
