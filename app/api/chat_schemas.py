"""The chat request and its replies as marshmallow schemas: for the OpenAPI document, off the hot path.

Requests are validated by core/dialects/chat.py; tests/api/test_chat_schemas.py proves that both judge alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from app.api.fields import Flag, Number, Text, Whole
from app.core.conversation import Task
from app.core.dialects.fields import MODEL_NAME_LENGTH
from app.core.dialects.openai_chat import ROLES

ModelName = validate.Length(1, MODEL_NAME_LENGTH)


class Object(fields.Dict):
    """Any JSON object, of a vendor's making."""


class TextOr(fields.Raw):
    """A string, or one value of a second type."""

    def __init__(self, other: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._other = other

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if isinstance(value, str) else self._other.deserialize(value)


class Open(Schema):
    """Takes fields of vendors, which reach OpenAI-shaped workers as they came."""

    class Meta:
        unknown = INCLUDE


class PartSchema(Open):
    """One part of a message: a text, an image, …; its own field is named by `type`."""

    type = Text(required=True, validate=validate.Length(1))
    text = fields.Raw(metadata={"type": "string", "description": "Required where type is text."})

    @validates_schema
    def has_its_text(self, data: Mapping[str, Any], **_: Any) -> None:
        kind = data.get("type")
        if kind in ("text", "refusal") and not isinstance(data.get(kind), str):
            raise ValidationError("is required", kind)


class MessageSchema(Open):
    role = Text(required=True, validate=validate.OneOf(ROLES))
    content = TextOr(
        fields.List(fields.Nested(PartSchema), validate=validate.Length(1)),
        allow_none=True,
        metadata={
            "description": "A string, or a list of parts; null only where an assistant calls tools instead.",
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/ChatPart"}}],
        },
    )
    name = Text(allow_none=True)
    tool_calls = fields.List(Object(), allow_none=True)
    tool_call_id = Text(allow_none=True)

    @validates_schema
    def says_something(self, data: Mapping[str, Any], **_: Any) -> None:
        instead = any(data.get(name) for name in ("tool_calls", "function_call", "refusal", "audio"))
        if data.get("content") is None and not (data.get("role") == "assistant" and instead):
            raise ValidationError("is required", "content")


class StreamOptionsSchema(Open):
    include_usage = Flag(allow_none=True, metadata={"description": "A last chunk with the token counts."})


class OptionsSchema(Open):
    """What may stand in both shapes. null is as good as absent."""

    stream = Flag(allow_none=True, metadata={"description": "Answer in server-sent events, OpenAI's chunks."})
    stream_options = fields.Nested(StreamOptionsSchema, allow_none=True)
    temperature = Number(allow_none=True, validate=validate.Range(0, 2))
    top_p = Number(allow_none=True, validate=validate.Range(0, 1))
    presence_penalty = Number(allow_none=True, validate=validate.Range(-2, 2))
    frequency_penalty = Number(allow_none=True, validate=validate.Range(-2, 2))
    max_tokens = Whole(allow_none=True, validate=validate.Range(1))
    max_completion_tokens = Whole(allow_none=True, validate=validate.Range(1))
    n = Whole(allow_none=True, validate=validate.Range(1, 128))
    seed = Whole(allow_none=True)
    logprobs = Flag(allow_none=True)
    top_logprobs = Whole(allow_none=True, validate=validate.Range(0, 20))
    logit_bias = Object(allow_none=True)
    stop = TextOr(
        fields.List(Text()),
        allow_none=True,
        metadata={"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    )
    user = Text(allow_none=True)
    tools = fields.List(Object(), allow_none=True)
    tool_choice = TextOr(Object(), allow_none=True, metadata={"oneOf": [{"type": "string"}, {"type": "object"}]})
    parallel_tool_calls = Flag(allow_none=True)
    functions = fields.List(Object(), allow_none=True)
    function_call = TextOr(Object(), allow_none=True, metadata={"oneOf": [{"type": "string"}, {"type": "object"}]})
    response_format = Object(allow_none=True)
    metadata = Object(allow_none=True)


class ChatRequestSchema(OptionsSchema):
    model = Text(required=True, validate=ModelName)
    messages = fields.List(fields.Nested(MessageSchema), required=True, validate=validate.Length(1))


class SeedRequestSchema(OptionsSchema):
    model_name = Text(required=True, validate=ModelName)
    input = Text(required=True, metadata={"description": "The prompt."})


class SeedReplySchema(Schema):
    success = Flag(required=True)
    msg = Text(required=True)
    result = Text(required=True, metadata={"description": "The model's text."})


class SeedErrorSchema(Schema):
    success = Flag(required=True)
    msg = Text(required=True, metadata={"description": "One sentence: what is wrong and what to do."})
    error = Object(required=True, metadata={"description": "code, field, request_id"})


class ErrorObjectSchema(Schema):
    message = Text(required=True)
    type = Text(required=True)
    param = Text(required=True, allow_none=True, metadata={"description": "The field at fault."})
    code = Text(required=True)
    request_id = Text(required=True)


class ErrorReplySchema(Schema):
    error = fields.Nested(ErrorObjectSchema, required=True)


class ChoiceSchema(Open):
    index = Whole(required=True)
    message = Object(required=True, metadata={"description": "role, content, and whatever else the worker said."})
    finish_reason = Text(
        required=True,
        validate=validate.OneOf(["stop", "length", "tool_calls", "content_filter", "function_call"]),
    )


class UsageSchema(Open):
    prompt_tokens = Whole(required=True)
    completion_tokens = Whole(required=True)
    total_tokens = Whole(required=True)


class ChatReplySchema(Open):
    id = Text(required=True)
    object = Text(required=True, validate=validate.Equal("chat.completion"))
    created = Whole(required=True, metadata={"description": "UTC seconds."})
    model = Text(required=True, metadata={"description": "The name that was asked for."})
    choices = fields.List(fields.Nested(ChoiceSchema), required=True)
    usage = fields.Nested(UsageSchema)


class ModelSchema(Schema):
    id = Text(required=True)
    object = Text(required=True, validate=validate.Equal("model"))
    created = Whole(required=True)
    owned_by = Text(required=True)
    task = Text(
        required=True,
        validate=validate.OneOf(get_args(Task)),
        metadata={"description": "What its first enabled worker does."},
    )
    tasks = fields.List(
        Text(validate=validate.OneOf(get_args(Task))),
        required=True,
        metadata={"description": "Of all its enabled workers; each gets the requests of its task."},
    )


class ModelListSchema(Schema):
    object = Text(required=True, validate=validate.Equal("list"))
    data = fields.List(fields.Nested(ModelSchema), required=True)
