"""A worker's whole answer → OpenAI's reply and the seed's."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.conversation import ChatRequest, Reply, Usage
from app.core.dialects import seed
from app.core.dialects.finish import finish_reason
from app.core.dialects.openai_chat import reply
from app.core.errors import UpstreamError

REQUEST = ChatRequest("pool", ({"role": "user", "content": "hi"},), {}, False, "r-1")


def openai(answer: Reply) -> dict[str, Any]:
    return reply(REQUEST, answer, reply_id="chatcmpl-own", created=7)


def test_plain_text() -> None:
    assert openai(Reply("hello", "max_tokens", Usage(3, 4))) == {
        "id": "chatcmpl-own",
        "object": "chat.completion",
        "created": 7,
        "model": "pool",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "length",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


def test_no_usage_is_left_out() -> None:
    assert "usage" not in openai(Reply("hello"))
    assert "usage" not in openai(Reply("hello", raw={"choices": [], "usage": {"prompt_tokens": None}}))


def test_a_raw_reply_keeps_what_it_says_but_for_the_names() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "tool_calls",
        "logprobs": {"content": []},
        "stop_reason": 5,
    }
    raw = {
        "id": "worker-1",
        "object": "x",
        "created": 99,
        "model": "vendor/m",
        "choices": [choice],
        "system_fingerprint": "fp",
    }
    body = openai(Reply("", "tool_calls", Usage(3, 4, {"prompt_tokens_details": {"cached_tokens": 2}}), raw))
    assert body["choices"] == [choice]
    assert (body["id"], body["created"], body["system_fingerprint"]) == ("worker-1", 99, "fp")
    assert (body["model"], body["object"]) == ("pool", "chat.completion")
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    assert raw["model"] == "vendor/m"


@pytest.mark.parametrize(
    "raw",
    [
        {"choices": [{"message": {"content": "hello"}}]},
        {"id": "", "created": "now", "choices": [{"message": {"role": "", "content": "hello"}, "finish_reason": None}]},
        {"id": None, "created": None, "choices": [{"index": "0", "message": {"content": "hello"}}]},
        {"id": 5, "created": 0.5, "choices": [{}]},
        {"choices": []},
        {"choices": None},
        {"choices": ["x"]},
    ],
)
def test_missing_fields_of_a_raw_reply_are_filled(raw: dict[str, Any]) -> None:
    body = openai(Reply("hello", "eos", raw=raw))
    assert (body["id"], body["created"], body["object"]) == ("chatcmpl-own", 7, "chat.completion")
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", "hello")


def test_several_choices_keep_their_own_finish() -> None:
    raw = {"choices": [{"message": {"content": "a"}, "finish_reason": "MAX_TOKENS"}, {"message": {"content": "b"}}]}
    choices = openai(Reply("a", "SAFETY", raw=raw))["choices"]
    assert [(choice["index"], choice["finish_reason"]) for choice in choices] == [(0, "length"), (1, "stop")]


FINISHES = {
    "stop": "stop end_turn stop_sequence eos eos_token word COMPLETE STOP_SEQUENCE STOP completed pause_turn abort",
    "length": "length max_tokens MAX_TOKENS limit max_output_tokens model_context_window_exceeded",
    "tool_calls": "tool_calls tool_use TOOL_CALL",
    "function_call": "function_call",
    "content_filter": "content_filter refusal SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY "
    "IMAGE_PROHIBITED_CONTENT content_filtered CONTENT_FILTERED",
}


@pytest.mark.parametrize(
    ("word", "reason"), [(word, reason) for reason, text in FINISHES.items() for word in text.split()]
)
def test_finish_words(word: str, reason: str) -> None:
    assert finish_reason(word) == reason


@pytest.mark.parametrize("word", [None, "", "gibberish", 5, {"type": "length"}])
def test_unknown_finish_words_are_stop(word: Any) -> None:
    assert finish_reason(word) == "stop"


@pytest.mark.parametrize("word", ["ERROR", "TIMEOUT", "error"])
def test_a_finish_that_says_the_model_failed_is_no_success(word: str) -> None:
    for make in (openai, seed.reply):
        with pytest.raises(UpstreamError) as caught:
            make(Reply("half an ans", word))
        assert (caught.value.status, caught.value.should_retry) == (502, False)


def test_seed_reply() -> None:
    assert seed.reply(Reply("hello", "stop", Usage(1, 1))) == {
        "success": True,
        "msg": "execute succeed",
        "result": "hello",
    }


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(None, 4), {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5, "estimated": True}),
        (Usage(3, None), {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "estimated": True}),
        (Usage(3, 0), {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}),
    ],
)
def test_a_count_that_the_worker_did_not_give_is_marked(usage: Usage, told: dict[str, Any]) -> None:
    assert openai(Reply("hello", "stop", usage))["usage"] == told
