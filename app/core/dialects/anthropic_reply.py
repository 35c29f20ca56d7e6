"""A worker's answer as Anthropic's `message`, and every error in its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.conversation import JsonObject, Reply, Usage
from app.core.dialects.anthropic import MessagesRequest
from app.core.dialects.estimate import completed
from app.core.dialects.finish import finish_reason
from app.core.errors import RollcallError, UpstreamError
from app.core.messages import text_of_content
from app.core.reply_json import parse_reply

_OWN_WORDS = frozenset(
    ("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded")
)
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def reply(request: MessagesRequest, answer: Reply, *, reply_id: str) -> dict[str, Any]:
    """Raises UpstreamError where the finish says that the model failed, or a tool call cannot be read."""
    choice = first_choice(answer.raw)
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    cut_off = finish_reason(answer.finish) == "length"
    calls = [_tool_use(call, reply_id, i, cut_off=cut_off) for i, call in enumerate(tool_calls(message))]
    text, refused = _said(answer.text, message)
    thought = reasoning(message) if request.thinks else ""
    content: list[dict[str, Any]] = [{"type": "thinking", "thinking": thought, "signature": ""}] if thought else []
    if text or not calls:
        content.append({"type": "text", "text": text})
    reason, sequence = stop_of("refusal" if refused else answer.finish, choice, request.stops, called=bool(calls))
    return {
        **head(request, reply_id),
        "content": content + calls,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage_body(request, answer.usage, len(text)),
    }


def head(request: MessagesRequest, reply_id: str) -> dict[str, Any]:
    return {"id": reply_id, "type": "message", "role": "assistant", "model": request.chat.model}


def _said(text: str, message: Mapping[str, Any]) -> tuple[str, bool]:
    """What the model says, and whether that is its refusal."""
    content = message.get("content")
    if isinstance(content, list):
        text = text_of_content(content)
    refusal = message.get("refusal")
    return (refusal, True) if not text and isinstance(refusal, str) and refusal else (text, False)


def first_choice(raw: JsonObject | None) -> Mapping[str, Any]:
    choices = (raw or {}).get("choices")
    found = [each for each in choices if isinstance(each, Mapping)] if isinstance(choices, list) else []
    return next((each for each in found if each.get("index") in (0, None)), {})


def tool_calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    calls = message.get("tool_calls")
    return [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []


def reasoning(message: Mapping[str, Any]) -> str:
    """Under either name that OpenAI-shaped workers use."""
    found = message.get("reasoning_content") or message.get("reasoning")
    return found if isinstance(found, str) else ""


def function_of(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call.get("function")
    return function if isinstance(function, Mapping) else {}


def call_id(call: Mapping[str, Any], reply_id: str, position: int) -> str:
    given = call.get("id")
    return given if isinstance(given, str) and given else f"toolu_{reply_id.removeprefix('msg_')}_{position}"


def _tool_use(call: Mapping[str, Any], reply_id: str, position: int, *, cut_off: bool) -> dict[str, Any]:
    function = function_of(call)
    block = {"type": "tool_use", "id": call_id(call, reply_id, position), "name": str(function.get("name") or "")}
    return {**block, "input": _input(block["name"], function.get("arguments"), cut_off)}


def _input(name: str, arguments: Any, cut_off: bool) -> Any:
    if isinstance(arguments, str) and arguments.strip():
        try:
            arguments = parse_reply(arguments)
        except ValueError:
            arguments = {} if cut_off else arguments
    if isinstance(arguments, Mapping):
        return arguments
    if arguments in (None, ""):
        return {}
    message = f"The worker called the tool {name[:80]!r} with arguments that are no JSON object."
    raise UpstreamError(message, should_retry=False)


def stop_of(finish: str | None, choice: Mapping[str, Any], stops: list[str], *, called: bool) -> tuple[str, str | None]:
    """`stop_reason` and `stop_sequence`. Raises UpstreamError where the word says that the model failed.

    `choice` may name the sequence that was met, as OpenAI-shaped servers do beside their finish.
    """
    reason = _STOP_REASONS[finish_reason(finish)]
    word = finish.lower() if isinstance(finish, str) else ""
    matched = next((each for each in (choice.get("stop_reason"), choice.get("matched_stop")) if each in stops), None)
    if matched is not None or word in ("stop_sequence", "word"):
        return "stop_sequence", matched or (stops[0] if len(stops) == 1 else None)
    if word in _OWN_WORDS:
        reason = word
    return ("tool_use" if called and reason == "end_turn" else reason), None


def usage_body(request: MessagesRequest, usage: Usage | None, answered_characters: int) -> dict[str, Any]:
    """Both counts are required in this shape, so one that the worker did not give is estimated, and marked so."""
    prompt, completion, mark = completed(usage, request.chat.messages, answered_characters)
    return {"input_tokens": prompt, "output_tokens": completion, **mark}


def error_body(error: RollcallError, request_id: str) -> dict[str, Any]:
    """The whole error reply, and the data of an `error` event."""
    kind = _ERROR_TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": request_id}
