"""Events → OpenAI's SSE: canonical for workers that give text, passed through for OpenAI-shaped ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from app.core.conversation import ChatRequest, Event, Usage
from app.core.dialects.openai_chunks import chunks
from app.core.errors import UpstreamError

HI = (
    {"role": "user", "content": "hello you"},
    {"role": "user", "content": [{"type": "text", "text": "abcd"}, {"type": "x"}]},
)
ASKS_USAGE = {"stream_options": {"include_usage": True}}


def frames(events: Iterable[Event], body: dict[str, Any] | None = None) -> list[Any]:
    """The stream's frames, parsed; "[DONE]" as text."""
    request = ChatRequest("pool", HI, body or {}, True, "r-1")
    text = b"".join(chunks(request, events, reply_id="chatcmpl-own", created=7)).decode()
    assert text.endswith("\n\n")
    lines = text.removesuffix("\n\n").split("\n\n")
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    values = [line.removeprefix("data: ") for line in lines]
    return [value if value == "[DONE]" else json.loads(value) for value in values]


def deltas(found: list[Any]) -> list[tuple[Any, Any]]:
    return [(c["delta"], c["finish_reason"]) for frame in found if frame != "[DONE]" for c in frame["choices"]]


def chunk(delta: Any, finish: Any = None, index: int = 0, **fields: Any) -> Event:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    body = {
        "id": "w-1",
        "object": "chat.completion.chunk",
        "created": 99,
        "model": "vendor",
        "choices": [choice],
        **fields,
    }
    return Event(text=(delta or {}).get("content") or "", chunk=body)


def test_plain_text() -> None:
    found = frames([Event("Hel"), Event("lo"), Event(finish="end_turn"), Event(usage=Usage(3, 2))])
    assert deltas(found) == [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "Hel"}, None),
        ({"content": "lo"}, None),
        ({}, "stop"),
    ]
    assert found.pop() == "[DONE]"
    for frame in found:
        assert {name: frame[name] for name in ("id", "object", "created", "model")} == {
            "id": "chatcmpl-own",
            "object": "chat.completion.chunk",
            "created": 7,
            "model": "pool",
        }
        assert frame["choices"][0]["index"] == 0


def test_one_event_may_say_everything() -> None:
    assert deltas(frames([Event("Hello", "max_tokens", Usage(1, 1))])) == [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "Hello"}, None),
        ({}, "length"),
    ]


def test_each_event_is_one_piece_of_bytes() -> None:
    events = [Event("a"), Event("b"), Event("c"), Event(finish="stop")]
    request = ChatRequest("pool", HI, {}, True, "r-1")
    pieces = list(chunks(request, events, reply_id="x", created=7))
    assert len(pieces) == 4
    assert pieces[-1].endswith(b"data: [DONE]\n\n")


def test_nothing_said_still_has_a_role_and_a_finish() -> None:
    assert deltas(frames([Event(finish="length")])) == [({"role": "assistant", "content": ""}, None), ({}, "length")]


def test_usage_is_the_last_chunk_and_only_when_asked_for() -> None:
    events = [Event("a"), Event(usage=Usage(3, 2, {"prompt_tokens_details": {"cached_tokens": 1}}))]
    *_, last, done = frames(events, ASKS_USAGE)
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens_details": {"cached_tokens": 1},
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
    }
    assert not any("usage" in frame for frame in frames(events) if frame != "[DONE]")


def test_usage_nobody_gave_is_estimated_and_says_so() -> None:
    usage = frames([Event("12345")], ASKS_USAGE)[-2]["usage"]
    assert usage == {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6, "estimated": True}


def test_chunks_pass_with_the_names_of_the_pool() -> None:
    events = [
        chunk({"role": "assistant", "content": ""}, system_fingerprint="fp"),
        chunk({"content": "Hi", "reasoning_content": "hm"}, id="w-2", created=100),
        chunk({}, "stop"),
        Event(finish="stop"),
    ]
    found = frames(events)
    assert deltas(found) == [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "Hi", "reasoning_content": "hm"}, None),
        ({}, "stop"),
    ]
    assert found.pop() == "[DONE]"
    assert {(frame["id"], frame["created"], frame["model"]) for frame in found} == {("w-1", 99, "pool")}
    assert found[0]["system_fingerprint"] == "fp"


def test_tool_calls_pass() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    found = frames([chunk({"tool_calls": [call]}), chunk({}, "tool_use"), Event(finish="tool_use")])
    assert deltas(found) == [({"tool_calls": [call], "role": "assistant"}, None), ({}, "tool_calls")]


@pytest.mark.parametrize("null", [None, "null", ""])
def test_words_for_not_finished_yet(null: Any) -> None:
    found = frames([chunk({"content": "a"}, null), Event(finish="MAX_TOKENS")])
    assert [finish for _, finish in deltas(found)] == [None, "length"]


def test_chunks_without_choices_that_say_something_else_pass() -> None:
    filters = Event(chunk={"id": "", "choices": [], "prompt_filter_results": [1]})
    found = frames([filters, chunk({"content": "a"}), Event(finish="stop")])
    assert found[0]["prompt_filter_results"] == [1]
    assert {frame["id"] for frame in found if frame != "[DONE]"} == {"chatcmpl-own"}


def test_several_choices_each_get_their_finish() -> None:
    both = [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "x"}}]
    others = {"choices": [{"index": 1, "delta": {}, "finish_reason": "MAX_TOKENS"}]}
    found = frames([Event("a", chunk={"choices": both}), Event(finish="end_turn", chunk=others)])
    assert [(c["index"], c["delta"].get("role")) for c in found[0]["choices"]] == [(0, "assistant"), (1, "assistant")]
    ends = [(c["index"], c["finish_reason"]) for f in found[:-1] for c in f["choices"] if c["finish_reason"]]
    assert sorted(ends) == [(0, "stop"), (1, "length")]


def test_a_choice_that_never_finished_gets_a_finish() -> None:
    both = [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "x"}}]
    found = frames([Event("a", chunk={"choices": both}), Event(finish="length")])
    ends = [(c["index"], c["finish_reason"]) for f in found[:-1] for c in f["choices"] if c["finish_reason"]]
    assert ends == [(0, "length"), (1, "length")]


@pytest.mark.parametrize(
    "broken",
    [
        {"choices": None},
        {"choices": "x"},
        {"choices": ["x"]},
        {"choices": [{}]},
        {"choices": [{"index": None, "delta": None, "finish_reason": 5}]},
        {},
    ],
)
def test_odd_chunks_never_break_the_stream(broken: Any) -> None:
    found = frames([Event(chunk=broken), Event("text"), Event(finish="stop")])
    assert found[-1] == "[DONE]"
    assert all(isinstance(delta, dict) for delta, _ in deltas(found))


def broken_after(*events: Event) -> Iterator[Event]:
    yield from events
    raise UpstreamError("The worker stopped in mid-stream.", code="stream_broken")


def test_an_error_on_the_way_is_in_band_and_has_no_done() -> None:
    found = frames(broken_after(Event("a")))
    assert found[-1] == {
        "error": {
            "message": "The worker stopped in mid-stream.",
            "type": "upstream_error",
            "param": None,
            "code": "stream_broken",
            "request_id": "r-1",
        }
    }
    assert "[DONE]" not in found


@pytest.mark.parametrize("events", [[Event("a"), Event(finish="ERROR")], [chunk({"content": "a"}), chunk({}, "error")]])
def test_a_finish_that_says_the_model_failed_is_an_error(events: list[Event]) -> None:
    found = frames(events)
    assert "error" in found[-1]
    assert "[DONE]" not in found


@pytest.mark.parametrize("text", ['"\\\n\r\t', "你好 😀", "a\u2028b\u2029c\x85d", "half \ud83d", "\x00"])
def test_any_text_survives(text: str) -> None:
    found = frames([Event("x"), Event(text), chunk({"content": text}), Event(finish="stop")])
    assert [delta.get("content") for delta, _ in deltas(found)] == ["", "x", text, text, None]


def test_text_stays_readable() -> None:
    request = ChatRequest("模型", HI, {}, True, "r-1")
    assert "你好".encode() in b"".join(chunks(request, [Event("你好")], reply_id="x", created=7))
