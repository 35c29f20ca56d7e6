"""What the placeholders of a call stand for: the caller's request in the names that templates use."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from app.core.conversation import ChatRequest
from app.core.messages import MessagePlan, single_input

_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX×*]\s*(\d{1,6})\s*")
_NUMBER = re.compile(r"\s*(\d{1,9})(\.\d{1,9})?\s*")


def named_values(
    model_name: str, request: ChatRequest, plan: MessagePlan, stream: bool, names: Collection[str]
) -> dict[str, Any]:
    """`model_name`: the worker's own name of the model. `names`: the placeholders of the call: dear values are only
    made when they are among them."""
    body = request.body
    tokens = body.get("max_completion_tokens")
    values = {
        "REQUEST": body,
        "MODEL_NAME": model_name,
        "MODEL_TEMPERATURE": body.get("temperature"),
        "TOP_P": body.get("top_p"),
        "SEED": body.get("seed"),
        "N": body.get("n"),
        "MAX_TOKENS": body.get("max_tokens") if tokens is None else tokens,
        "STREAM": stream,
        "REQUEST_ID": request.request_id,
    }
    if "MESSAGES" in names:
        values["MESSAGES"] = plan.messages(request.messages)
    if "SYSTEM_PROMPT" in names:
        values["SYSTEM_PROMPT"] = plan.system_prompt(request.messages)
    if "USER_PROMPT" in names or "INPUT" in names:
        prompt = plan.user_prompt(request.messages)
        values["USER_PROMPT"] = single_input(body.get("input")) if request.task == "embedding" else prompt
        values["INPUT"] = body.get("input", prompt)
    if "SIZE" in names or "WIDTH" in names or "HEIGHT" in names:
        values.update(_sizes(body.get("size"), body.get("width"), body.get("height")))
    if "SECONDS" in names:
        values["SECONDS"] = _seconds(body.get("seconds"))
    return values


def _sizes(size: Any, width: Any, height: Any) -> dict[str, Any]:
    """The halves of the size are numbers; where it has none, the caller's own fields of those names."""
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None:
        return {"SIZE": size, "WIDTH": width, "HEIGHT": height}
    return {"SIZE": size, "WIDTH": int(match[1]), "HEIGHT": int(match[2])}


def _seconds(given: Any) -> Any:
    """A number; form fields and some SDKs write it as text."""
    match = _NUMBER.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        return given
    return float(match[1] + match[2]) if match[2] else int(match[1])
