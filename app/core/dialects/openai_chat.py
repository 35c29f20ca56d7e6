"""OpenAI's dialect of callers: the request {model, messages, …}, the whole reply, the error.

Its streams: openai_chunks.py.
"""

from __future__ import annotations

from typing import Any

from app.core.conversation import ChatRequest, JsonObject, Reply, Usage
from app.core.dialects.estimate import completed
from app.core.dialects.fields import check_model, check_objects, check_options, check_text, missing, refused
from app.core.dialects.finish import finish_reason, is_finish
from app.core.errors import RollcallError

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_ROLES = ", ".join(ROLES)
_SPEAKS_WITHOUT_CONTENT = ("tool_calls", "function_call", "refusal", "audio")


def parse(body: JsonObject, request_id: str) -> ChatRequest:
    """Raises InvalidRequest naming the field, e.g. `messages[1].content`. Fields that are not known are let through."""
    check_model("model", body.get("model"))
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        wanted = "a list of at least one message"
        raise missing("messages", wanted) if messages is None else refused("messages", wanted, messages)
    for index, message in enumerate(messages):
        _check_message(f"messages[{index}]", message)
    check_options(body)
    return ChatRequest(body["model"], tuple(messages), body, body.get("stream") is True, request_id)


def _check_message(field: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise refused(field, "an object with role and content", message)
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in ROLES:
        raise refused(f"{field}.role", f"one of {_ROLES}", role)
    if isinstance(content, list):
        _check_parts(f"{field}.content", content)
    elif not isinstance(content, str) and (content is not None or not _may_be_silent(role, message)):
        raise refused(f"{field}.content", "a string or a list of parts", content)
    if len(message) > 2 or content is None:
        _check_extras(field, message)


def _may_be_silent(role: str, message: JsonObject) -> bool:
    return role == "assistant" and any(message.get(name) for name in _SPEAKS_WITHOUT_CONTENT)


def _check_parts(field: str, parts: list[Any]) -> None:
    if not parts:
        raise refused(field, "a string or a list of at least one part", parts)
    for index, part in enumerate(parts):
        where = f"{field}[{index}]"
        if not isinstance(part, dict):
            raise refused(where, "an object with a type", part)
        kind = part.get("type")
        if not isinstance(kind, str) or not kind:
            raise refused(f"{where}.type", "a string such as text or image_url", kind)
        if kind in ("text", "refusal"):
            check_text(f"{where}.{kind}", part.get(kind))


def _check_extras(field: str, message: JsonObject) -> None:
    for name in ("name", "tool_call_id"):
        if message.get(name) is not None:
            check_text(f"{field}.{name}", message[name])
    if message.get("tool_calls") is not None:
        check_objects(f"{field}.tool_calls", message["tool_calls"])


def reply(request: ChatRequest, answer: Reply, *, reply_id: str, created: int) -> dict[str, Any]:
    """OpenAI's `chat.completion`. An OpenAI-shaped worker's own reply keeps all it says beside the names.

    `created`: UTC seconds. Raises UpstreamError where the finish says that the model failed.
    """
    raw = answer.raw or {}
    body: dict[str, Any] = {
        **raw,
        "id": named(raw.get("id"), reply_id),
        "object": "chat.completion",
        "created": dated(raw.get("created"), created),
        "model": request.model,
        "choices": _choices(answer),
    }
    body.pop("usage", None)
    if answer.usage is not None:
        body["usage"] = counted(request, answer.usage, len(answer.text))
    return body


def _choices(answer: Reply) -> list[dict[str, Any]]:
    raw = (answer.raw or {}).get("choices")
    found = [choice for choice in raw if isinstance(choice, dict)] if isinstance(raw, list) else []
    return [_choice(choice, position, answer) for position, choice in enumerate(found or [{}])]


def _choice(raw: JsonObject, position: int, answer: Reply) -> dict[str, Any]:
    message, finish = raw.get("message"), raw.get("finish_reason")
    if not isinstance(message, dict):
        message = {"content": answer.text if position == 0 else "", "refusal": None}
    if not is_finish(finish) and position == 0:
        finish = answer.finish
    index = raw.get("index")
    return {
        "index": index if type(index) is int else position,
        "message": {"role": "assistant", "content": None} | message | {"role": "assistant"},
        "logprobs": None,
        **{name: value for name, value in raw.items() if name not in ("index", "message", "finish_reason")},
        "finish_reason": finish_reason(finish),
    }


def named(worker_id: Any, own_id: str) -> str:
    return worker_id if isinstance(worker_id, str) and worker_id else own_id


def dated(worker_time: Any, own_time: int) -> int:
    return worker_time if type(worker_time) is int and worker_time > 0 else own_time


def counted(request: ChatRequest, usage: Usage | None, answered_characters: int) -> dict[str, Any]:
    """Token counts with the worker's details kept; one that it did not give is estimated, and marked so.

    The total is always the sum.
    """
    prompt, completion, mark = completed(usage, request.messages, answered_characters)
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**((usage and usage.raw) or {}), **counts, **mark}


def error_body(error: RollcallError, request_id: str) -> dict[str, Any]:
    """What stands under `error`, in a reply and inside a stream."""
    return {
        "message": error.message,
        "type": error.type,
        "param": error.field,
        "code": error.code,
        "request_id": request_id,
    }
