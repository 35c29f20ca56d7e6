"""Anthropic's dialect of callers: the request of /v1/messages. Inside it is OpenAI-shaped, as every ChatRequest.

Its turns: anthropic_blocks.py. Its answers: anthropic_reply.py, anthropic_stream.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.conversation import ChatRequest, JsonObject
from app.core.dialects.anthropic_blocks import Conversation
from app.core.dialects.anthropic_tools import tool_options
from app.core.dialects.fields import check_model, check_object, check_options, check_text, check_texts, missing, refused
from app.core.errors import InvalidRequest, UnsupportedByWorker

_SHAPE = '{"model": "NAME", "max_tokens": 1024, "messages": [{"role": "user", "content": "…"}]}'
_TRANSLATED = ("system", "messages", "stop_sequences", "tools", "tool_choice", "metadata", "output_config", "thinking")
# What only the service of that name could mean by them. Any other field goes on as it came.
_LEFT_OUT = (
    *("cache_control", "container", "context_management", "diagnostics", "inference_geo"),
    *("service_tier", "speed", "user_profile_id", "workspace_id"),
)
_CALLED = {
    "stop": "stop_sequences",
    "user": "metadata.user_id",
    "response_format": "output_config.format",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
}
_NOT_CARRIED = "not carried: "


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """`chat` is what a worker is asked, `left_out` what none is told.

    `thinks`: the caller reads reasoning, as thinking blocks. `places`: see Conversation.
    """

    chat: ChatRequest
    left_out: tuple[str, ...]
    thinks: bool
    places: Mapping[str, str]

    @property
    def stops(self) -> list[str]:
        stops: list[str] = self.chat.body.get("stop") or []
        return stops

    def notices(self, notices: tuple[str, ...]) -> tuple[str, ...]:
        """Notices about `chat` in the words of this dialect, with what was left out."""
        lost = [name for notice in notices if notice.startswith(_NOT_CARRIED) for name in _names(notice)]
        kept = tuple(notice for notice in notices if not notice.startswith(_NOT_CARRIED))
        named = [*(_CALLED.get(name, name) for name in lost), *self.left_out]
        return (*kept, _NOT_CARRIED + ", ".join(named)) if named else kept

    def restated(self, error: UnsupportedByWorker) -> UnsupportedByWorker:
        """The same refusal, naming the field as the caller calls it."""
        field = error.field or ""
        name = self.places.get(field) or self.places.get(field.partition(".")[0]) or _CALLED.get(field, field)
        return UnsupportedByWorker(error.message.replace(repr(field), repr(name)), field=name)


def _names(notice: str) -> list[str]:
    return notice.removeprefix(_NOT_CARRIED).split(", ")


def parse(body: Any, request_id: str) -> MessagesRequest:
    """Raises InvalidRequest naming the field. `body` is never changed."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body must be an object such as {_SHAPE}.")
    check_model("model", body.get("model"))
    if body.get("max_tokens") is None:
        raise missing("max_tokens", "a whole number of at least 1")
    if body.get("mcp_servers"):
        raise InvalidRequest("mcp_servers cannot be reached from here; give the tools themselves.", field="mcp_servers")
    conversation = _conversation(body)
    kept = {name: value for name, value in body.items() if name not in _TRANSLATED and name not in _LEFT_OUT}
    format_, lost = _output(body.get("output_config"))
    words = {**kept, **_stops(body), **_user(body), **tool_options(body), **format_}
    check_options(words)
    words["messages"] = conversation.messages
    thinks = _thinks(body.get("thinking"))
    left_out = [name for name in _LEFT_OUT if body.get(name) is not None] + lost + (["thinking"] if thinks else [])
    stream = body.get("stream") is True
    chat = ChatRequest(body["model"], tuple(conversation.messages), words, stream, request_id)
    return MessagesRequest(chat, tuple(left_out), thinks, conversation.places)


def _conversation(body: JsonObject) -> Conversation:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        wanted = "a list of at least one message"
        raise missing("messages", wanted) if messages is None else refused("messages", wanted, messages)
    conversation = Conversation()
    conversation.add_system(body.get("system"))
    for index, message in enumerate(messages):
        conversation.add_turn(f"messages[{index}]", message)
    return conversation


def _stops(body: JsonObject) -> dict[str, Any]:
    stops = body.get("stop_sequences")
    if stops is None:
        return {}
    if not isinstance(stops, list):
        raise refused("stop_sequences", "a list of strings", stops)
    check_texts("stop_sequences", stops)
    return {"stop": stops} if stops else {}


def _user(body: JsonObject) -> dict[str, Any]:
    metadata = body.get("metadata")
    if metadata is None:
        return {}
    check_object("metadata", metadata)
    user = metadata.get("user_id")
    if user is None:
        return {}
    check_text("metadata.user_id", user)
    return {"user": user}


def _thinks(value: Any) -> bool:
    if value is None:
        return False
    check_object("thinking", value)
    return value.get("type") in ("enabled", "adaptive")


def _output(config: Any) -> tuple[dict[str, Any], list[str]]:
    """The `response_format` of OpenAI's dialect, and what has no place there."""
    if config is None:
        return {}, []
    check_object("output_config", config)
    lost = [f"output_config.{name}" for name, value in config.items() if name != "format" and value is not None]
    wanted = config.get("format")
    if wanted is None:
        return {}, lost
    check_object("output_config.format", wanted)
    if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
        message = "output_config.format must be of type json_schema, with a schema."
        raise InvalidRequest(message, field="output_config.format")
    schema = {"name": "answer", "schema": wanted["schema"], "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}, lost
