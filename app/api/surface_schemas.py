"""/v1/messages, /v1/completions and /v1/embeddings as marshmallow schemas: for the OpenAPI document, off the hot path.

Requests are validated by core/dialects/.
"""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.api.chat_schemas import ModelName, Object, Open, OptionsSchema, TextOr, UsageSchema
from app.api.fields import Flag, Number, Text, Whole
from app.core.dialects.anthropic_blocks import ROLES
from app.core.dialects.completions import MOST_LOGPROBS

_TEXT_OR_BLOCKS = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}
_TEXT_OR_NUMBERS = {
    "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {}}]
}
Blocks = fields.List(Object())


class TurnSchema(Open):
    role = Text(required=True, validate=validate.OneOf(ROLES))
    content = TextOr(
        Blocks,
        required=True,
        metadata={"description": "A string, or blocks: text, image, tool_use, tool_result.", **_TEXT_OR_BLOCKS},
    )


class ToolSchema(Open):
    name = Text(required=True)
    description = Text(allow_none=True)
    input_schema = Object(required=True)


class MessagesRequestSchema(Open):
    model = Text(required=True, validate=ModelName)
    max_tokens = Whole(required=True, validate=validate.Range(1))
    messages = fields.List(fields.Nested(TurnSchema), required=True, validate=validate.Length(1))
    system = TextOr(Blocks, allow_none=True, metadata=_TEXT_OR_BLOCKS)
    stream = Flag(allow_none=True, metadata={"description": "Answer in server-sent events, Anthropic's."})
    stop_sequences = fields.List(Text(), allow_none=True)
    temperature = Number(allow_none=True, validate=validate.Range(0, 2))
    top_p = Number(allow_none=True, validate=validate.Range(0, 1))
    top_k = fields.Raw(metadata={"type": "integer"})
    tools = fields.List(fields.Nested(ToolSchema), allow_none=True)
    tool_choice = Object(allow_none=True)
    metadata = Object(allow_none=True, metadata={"description": "user_id is told as OpenAI's user."})
    thinking = Object(
        allow_none=True,
        metadata={"description": "Where it is on, a worker's reasoning comes as thinking blocks; no worker is told."},
    )
    output_config = Object(allow_none=True, metadata={"description": "format: a json_schema for the answer."})


class MessagesUsageSchema(Schema):
    input_tokens = Whole(required=True)
    output_tokens = Whole(required=True)
    estimated = Flag(metadata={"description": "true: the worker gave no counts, these are a guess by length."})


class MessagesReplySchema(Schema):
    id = Text(required=True)
    type = Text(required=True, validate=validate.Equal("message"))
    role = Text(required=True, validate=validate.Equal("assistant"))
    model = Text(required=True, metadata={"description": "The name that was asked for."})
    content = fields.List(Object(), required=True, metadata={"description": "text, thinking and tool_use blocks."})
    stop_reason = Text(required=True)
    stop_sequence = Text(required=True, allow_none=True)
    usage = fields.Nested(MessagesUsageSchema, required=True)


class MessagesErrorObjectSchema(Schema):
    type = Text(required=True)
    message = Text(required=True)


class MessagesErrorSchema(Schema):
    type = Text(required=True, validate=validate.Equal("error"))
    error = fields.Nested(MessagesErrorObjectSchema, required=True)
    request_id = Text(required=True)


class TextRequestSchema(OptionsSchema):
    model = Text(required=True, validate=ModelName)
    prompt = TextOr(
        fields.List(Text(), validate=validate.Length(1, 1)),
        required=True,
        metadata={"description": "One text. A list of one is taken, tokens are not.", "type": "string"},
    )
    echo = Flag(allow_none=True, metadata={"description": "Put the prompt in front of the answer."})
    logprobs = Whole(allow_none=True, validate=validate.Range(0, MOST_LOGPROBS))  # type: ignore[assignment]


class TextChoiceSchema(Schema):
    text = Text(required=True)
    index = Whole(required=True)
    logprobs = Object(required=True, allow_none=True)
    finish_reason = Text(required=True, validate=validate.OneOf(["stop", "length", "content_filter"]))


class TextReplySchema(Schema):
    id = Text(required=True)
    object = Text(required=True, validate=validate.Equal("text_completion"))
    created = Whole(required=True, metadata={"description": "UTC seconds."})
    model = Text(required=True, metadata={"description": "The name that was asked for."})
    choices = fields.List(fields.Nested(TextChoiceSchema), required=True)
    usage = fields.Nested(UsageSchema)


class EmbeddingRequestSchema(Open):
    model = Text(required=True, validate=ModelName)
    input = TextOr(
        fields.List(fields.Raw(), validate=validate.Length(1)),
        required=True,
        metadata={"description": "A text, a list of texts, or tokens as lists of whole numbers.", **_TEXT_OR_NUMBERS},
    )
    encoding_format = Text(allow_none=True, validate=validate.OneOf(["float", "base64"]))
    dimensions = Whole(allow_none=True, validate=validate.Range(1))
    user = Text(allow_none=True)


class EmbeddingSchema(Schema):
    object = Text(required=True, validate=validate.Equal("embedding"))
    index = Whole(required=True)
    embedding = TextOr(
        fields.List(Number()),
        required=True,
        metadata={
            "description": "Numbers, or base64 of little-endian 32-bit floats.",
            "oneOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}],
        },
    )


class EmbeddingUsageSchema(Schema):
    prompt_tokens = Whole(required=True)
    total_tokens = Whole(required=True)


class EmbeddingReplySchema(Schema):
    object = Text(required=True, validate=validate.Equal("list"))
    data = fields.List(fields.Nested(EmbeddingSchema), required=True)
    model = Text(required=True)
    usage = fields.Nested(EmbeddingUsageSchema, required=True, metadata={"description": "Zeros when none were told."})
