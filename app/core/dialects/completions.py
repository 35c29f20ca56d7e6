"""OpenAI's older dialect of callers: {model, prompt} → `text_completion`. The prompt is one user message.

What belongs to the answer (`echo`, the shape of `logprobs`) is done here, and no worker is told. Its streams:
completion_chunks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.conversation import ChatRequest, JsonObject, Reply
from app.core.dialects import openai_chat
from app.core.dialects.fields import check_flag, check_model, check_options, missing, refused
from app.core.errors import InvalidRequest
from app.core.messages import text_of_content

_OWN = ("echo", "suffix", "best_of", "logprobs")
MOST_LOGPROBS = 20


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """`chat` is what a worker is asked. `lead` stands in front of every answer: the prompt where `echo` asks for it."""

    chat: ChatRequest
    lead: str


def parse(body: Any, request_id: str) -> CompletionRequest:
    """Raises InvalidRequest naming the field. `body` is never changed."""
    if not isinstance(body, dict):
        raise InvalidRequest('The body must be an object such as {"model": "NAME", "prompt": "…"}.')
    check_model("model", body.get("model"))
    prompt = _prompt(body.get("prompt"))
    words = {name: value for name, value in body.items() if name not in _OWN} | _logprobs(body.get("logprobs"))
    check_options(words)
    _check_own(body)
    messages = ({"role": "user", "content": prompt},)
    chat = ChatRequest(body["model"], messages, words, body.get("stream") is True, request_id)
    return CompletionRequest(chat, prompt if body.get("echo") else "")


def _prompt(given: Any) -> str:
    if given is None:
        raise missing("prompt", "a string")
    prompt = given[0] if isinstance(given, list) and len(given) == 1 else given
    if isinstance(prompt, str):
        return prompt
    if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
        message = f"prompt must be one prompt, not {len(given)}; send a request for each."
        raise InvalidRequest(message, field="prompt")
    if isinstance(given, list) and given:
        message = "prompt must be text: the numbers of tokens mean something else to every model."
        raise InvalidRequest(message, field="prompt")
    raise refused("prompt", "a string", given)


def _logprobs(wanted: Any) -> dict[str, Any]:
    """As the chat dialect asks for them."""
    if wanted is None:
        return {}
    if type(wanted) is not int or not 0 <= wanted <= MOST_LOGPROBS:
        raise refused("logprobs", f"a whole number from 0 to {MOST_LOGPROBS}", wanted)
    return {"logprobs": True} | ({"top_logprobs": wanted} if wanted else {})


def _check_own(body: JsonObject) -> None:
    echo, best_of = body.get("echo"), body.get("best_of")
    if echo is not None:
        check_flag("echo", echo)
    if echo and body.get("logprobs") is not None:
        message = (
            "echo with logprobs asks for the log probabilities of the prompt, which no worker tells; leave out one."
        )
        raise InvalidRequest(message, field="echo")
    if body.get("suffix") not in (None, ""):
        raise InvalidRequest("suffix cannot be carried to a model; leave it out.", field="suffix")
    if best_of not in (None, body.get("n") or 1):
        raise InvalidRequest("best_of must be left out, or be the same as n.", field="best_of")


def reply(request: CompletionRequest, answer: Reply, *, reply_id: str, created: int) -> dict[str, Any]:
    """`created`: UTC seconds. Raises UpstreamError where the finish says that the model failed."""
    chat = openai_chat.reply(request.chat, answer, reply_id=reply_id, created=created)
    choices = [_choice(choice, request.lead) for choice in chat["choices"]]
    kept = {name: value for name, value in chat.items() if name in ("usage", "system_fingerprint")}
    named = {"id": reply_id, "object": "text_completion", "created": chat["created"], "model": chat["model"]}
    return {**named, "choices": choices, **kept}


def _choice(choice: Mapping[str, Any], lead: str) -> dict[str, Any]:
    logprobs, _ = older_logprobs(choice.get("logprobs"), len(lead))
    return {
        "text": lead + text_of_content(choice["message"].get("content")),
        "index": choice["index"],
        "logprobs": logprobs,
        "finish_reason": older_reason(choice["finish_reason"]),
    }


def older_reason(reason: str) -> str:
    """This dialect knows no tools."""
    return reason if reason in ("length", "content_filter") else "stop"


def older_logprobs(logprobs: Any, offset: int) -> tuple[dict[str, Any] | None, int]:
    """The chat dialect's `logprobs` in the older shape, and the offset in the text behind its last token."""
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list):
        return None, offset
    told = [each for each in content if isinstance(each, Mapping) and isinstance(each.get("token"), str)]
    offsets = []
    for each in told:
        offsets.append(offset)
        offset += len(each["token"])
    older = {
        "tokens": [each["token"] for each in told],
        "token_logprobs": [each.get("logprob") for each in told],
        "top_logprobs": [_by_token(each.get("top_logprobs")) for each in told],
        "text_offset": offsets,
    }
    return older, offset


def _by_token(tops: Any) -> dict[str, Any]:
    found = tops if isinstance(tops, list) else []
    return {top["token"]: top.get("logprob") for top in found if isinstance(top, Mapping) and "token" in top}
