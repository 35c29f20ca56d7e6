"""The seed's dialect of callers: {input, model_name} → {success, msg, result}.

The seed had no streaming for its callers. A request of its shape with `"stream": true` gets OpenAI's chunks
(openai_chunks.py), because there is no second form of a stream that any client would know; its errors before the
first byte keep the seed's shape.
"""

from __future__ import annotations

from typing import Any

from app.core.conversation import ChatRequest, JsonObject, Reply
from app.core.dialects.fields import check_model, check_options, check_text, missing
from app.core.dialects.finish import finish_reason
from app.core.errors import RollcallError


def parse(body: JsonObject, request_id: str) -> ChatRequest:
    """`temperature`, `max_tokens` and OpenAI's other options may stand beside the two. Raises InvalidRequest."""
    check_model("model_name", body.get("model_name"))
    prompt = body.get("input")
    if prompt is None:
        raise missing("input", "the prompt, a string")
    check_text("input", prompt)
    check_options(body)
    messages = ({"role": "user", "content": prompt},)
    return ChatRequest(body["model_name"], messages, body, body.get("stream") is True, request_id)


def reply(answer: Reply) -> dict[str, Any]:
    """Raises UpstreamError where the finish says that the model failed."""
    finish_reason(answer.finish)
    return {"success": True, "msg": "execute succeed", "result": answer.text}


def media_reply(address: str) -> dict[str, Any]:
    """Of an image or video model: where the first of what it made is."""
    return {"success": True, "msg": "execute succeed", "result": address}


def error_body(error: RollcallError, request_id: str) -> dict[str, Any]:
    """The whole error reply, of management routes too."""
    field = "model_name" if error.field == "model" else error.field  # what others call it
    return {
        "success": False,
        "msg": error.message,
        "error": {"code": error.code, "field": field, "request_id": request_id},
    }
