"""The two ways between a stream and a whole reply."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import Event, Reply, Usage
from app.core.fault import WorkerFault
from app.core.gather import as_events, gather
from tests.core.chunked import HEAD, USAGE, call, choice, chunk
from tests.core.registered import OPENAI, SSE, reader, replied, sse, streamed


def test_plain_events_are_gathered() -> None:
    events = [Event("he"), Event("llo"), Event(usage=Usage(1, 2)), Event(finish="eos")]
    assert gather(events) == Reply("hello", "eos", Usage(1, 2))
    assert gather([]) == Reply("")


def test_chunks_are_gathered_into_an_openai_shaped_reply() -> None:
    frames = [
        chunk(choice({"role": "assistant", "content": None})),
        chunk(choice({"reasoning_content": "h"})),
        chunk(choice({"reasoning_content": "m"})),
        chunk(choice({"content": "he"}, logprobs={"content": [1]}), choice({"content": "b"}, index=1)),
        chunk(choice({"content": "llo"}, logprobs={"content": [2]}), service_tier="flex"),
        chunk(choice({}, "length", index=1)),
        chunk(choice({}, "stop")),
        chunk(usage=USAGE),
        "[DONE]",
    ]
    reply = gather(streamed(OPENAI, *frames))
    assert (reply.text, reply.finish, reply.usage) == ("hello", "stop", Usage(3, 2, USAGE))
    assert reply.raw == {
        "id": "c1",
        "object": "chat.completion",
        "created": 5,
        "model": "vendor",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "reasoning_content": "hm"},
                "logprobs": {"content": [1, 2]},
                "finish_reason": "stop",
            },
            {"index": 1, "message": {"role": "assistant", "content": "b"}, "finish_reason": "length"},
        ],
        "usage": USAGE,
    }


def test_tool_calls_are_put_together() -> None:
    frames = [
        chunk(choice(call(0, name="weather", arguments=""))),
        chunk(choice(call(0, arguments='{"city"'))),
        chunk(choice(call(0, arguments=': "Bern"}', name="weather"))),
        chunk(choice(call(1, name="time", arguments="{}"))),
        chunk(choice({}, "tool_calls")),
        "[DONE]",
    ]
    raw = gather(streamed(OPENAI, *frames)).raw
    assert raw is not None
    assert raw["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}},
            {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{}"}},
        ],
    }


def test_gathering_passes_a_failure_on() -> None:
    broken = reader(OPENAI, stream=True).events(sse(chunk(choice({"content": "a"}))), SSE)
    with pytest.raises(WorkerFault) as caught:
        gather(broken)
    assert caught.value.kind == "broken"


def test_a_plain_reply_as_events() -> None:
    assert as_events(Reply("hi", "eos", Usage(1, 2))) == [Event("hi"), Event(usage=Usage(1, 2)), Event(finish="eos")]
    assert as_events(Reply("", "stop")) == [Event(finish="stop")]


def test_an_openai_shaped_reply_as_events() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    raw = {
        **HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "a", "tool_calls": calls},
                "finish_reason": "stop",
            },
            {"index": 1, "message": {"role": "assistant", "content": "b"}, "logprobs": None, "finish_reason": "length"},
        ],
        "usage": USAGE,
    }
    before = json.dumps(raw)
    reply = replied(OPENAI, raw)
    assert as_events(reply) == [
        Event(
            "a",
            chunk=chunk(
                choice({"role": "assistant", "content": "a", "tool_calls": [{"index": 0, **calls[0]}]}),
                choice({"role": "assistant", "content": "b"}, index=1, logprobs=None),
            ),
        ),
        Event(usage=Usage(3, 2, USAGE)),
        Event(
            finish="stop",
            chunk={
                **HEAD,
                "choices": [{"index": 1, "delta": {}, "finish_reason": "length"}],
            },
        ),
    ]
    assert json.dumps(raw) == before
    back = gather(as_events(reply))
    assert (back.text, back.finish, back.usage) == (reply.text, reply.finish, reply.usage)
    assert back.raw is not None
    assert [one["finish_reason"] for one in back.raw["choices"]] == ["stop", "length"]
    assert back.raw["choices"][0]["message"] == raw["choices"][0]["message"]


@given(st.lists(st.text(max_size=5), max_size=6), st.sampled_from([None, "stop", "length"]))
def test_there_and_back(texts: list[str], finish: str | None) -> None:
    whole = gather([Event(text) for text in texts] + ([Event(finish=finish)] if finish else []))
    assert gather(as_events(whole)) == whole


DELTAS = st.dictionaries(
    st.sampled_from(["role", "content", "tool_calls", "reasoning", "function_call"]),
    st.none()
    | st.text(max_size=3)
    | st.lists(
        st.none()
        | st.dictionaries(
            st.sampled_from(["index", "function"]),
            st.none()
            | st.text()
            | (
                st.integers() | st.dictionaries(st.sampled_from(["name", "arguments"]), st.none() | st.text(max_size=3))
            ),
            max_size=2,
        ),
        max_size=2,
    ),
)


@given(st.lists(st.lists(DELTAS, max_size=2), max_size=4))
def test_no_chunk_breaks_the_gathering(deltas: list[list[dict[str, Any]]]) -> None:
    frames = [chunk(*(choice(delta, index=i) for i, delta in enumerate(several))) for several in deltas]
    frames = [*frames, chunk(choice({}, "stop")), "[DONE]"]
    reply = gather(streamed(OPENAI, *frames))
    as_events(reply)
    json.dumps(reply.raw)


def test_a_long_stream_is_gathered_in_linear_time() -> None:
    pieces = 100_000
    reply = gather(Event("x" * 20, chunk=chunk(choice({"content": "x" * 20}))) for _ in range(pieces))
    assert reply.raw is not None
    assert len(reply.raw["choices"][0]["message"]["content"]) == 20 * pieces
