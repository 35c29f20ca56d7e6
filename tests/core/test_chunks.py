"""Chunks of OpenAI-shaped workers → events."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.conversation import Event, Usage
from app.core.fault import WorkerFault
from tests.core.chunked import HEAD, USAGE, call, choice, chunk
from tests.core.registered import OPENAI, streamed


def test_chunks_pass_as_they_came_and_the_finish_comes_last() -> None:
    role = chunk(choice({"role": "assistant", "content": None}))
    text = chunk(choice({"content": "hi"}, logprobs={"content": [{"token": "hi"}]}), system_fingerprint="f")
    reasoning = chunk(choice({"reasoning_content": "hm"}))
    events = streamed(OPENAI, role, reasoning, text, chunk(choice({}, "length")), "[DONE]")
    assert events == [
        Event(chunk=role),
        Event(chunk=reasoning),
        Event("hi", chunk=text),
        Event(finish="length"),
    ]


def test_a_chunk_with_text_and_a_finish_passes_without_the_finish() -> None:
    last = chunk(choice({"content": "!"}, "stop"))
    assert streamed(OPENAI, chunk(choice({"content": "a"}, "stop")), last) == [
        Event("a", chunk=chunk(choice({"content": "a"}))),
        Event("!", chunk=chunk(choice({"content": "!"}))),
        Event(finish="stop"),
    ]


@pytest.mark.parametrize("more", [{"stop_reason": 128009}, {"content_filter_results": {"hate": {}}}])
def test_a_finish_chunk_that_says_more_passes(more: dict[str, Any]) -> None:
    events = streamed(OPENAI, chunk(choice({"content": "a"})), chunk(choice({}, "stop", **more)), "[DONE]")
    assert events[1:] == [Event(chunk=chunk(choice({}, None, **more))), Event(finish="stop")]


def test_usage_is_an_event_of_its_own() -> None:
    frames = [chunk(choice({"content": "a"})), chunk(choice({}, "stop")), chunk(usage=USAGE), "[DONE]"]
    assert streamed(OPENAI, *frames)[1:] == [Event(usage=Usage(3, 2, USAGE)), Event(finish="stop")]


def test_usage_on_every_chunk_is_given_once_with_its_last_value() -> None:
    first = {**USAGE, "completion_tokens": 1}
    frames = [chunk(choice({"content": "a"}), usage=first), chunk(choice({"content": "b"}, "stop"), usage=USAGE)]
    events = streamed(OPENAI, *frames)
    assert [event.usage for event in events] == [None, None, Usage(3, 2, USAGE), None]
    assert all("usage" not in event.chunk for event in events if event.chunk is not None)


@pytest.mark.parametrize("word", ["null", "None", ""])
def test_a_string_for_no_finish_becomes_null(word: str) -> None:
    events = streamed(OPENAI, chunk(choice({"content": "a"}, word)), "[DONE]")
    assert events == [Event("a", chunk=chunk(choice({"content": "a"})))]


def test_tool_calls_are_an_answer() -> None:
    frames = [chunk(choice(call(0, name="f", arguments=""))), chunk(choice(call(0, arguments="{}")))]
    events = streamed(OPENAI, *frames, chunk(choice({}, "tool_calls")), "[DONE]")
    assert [event.chunk for event in events] == [*frames, None]
    assert events[-1].finish == "tool_calls"


def test_the_finishes_of_other_choices_are_in_the_last_chunk() -> None:
    frames = [
        chunk(choice({"content": "a"}), choice({"content": "b"}, index=1)),
        chunk(choice({}, "length", index=1)),
        chunk(choice({}, "stop")),
    ]
    events = streamed(OPENAI, *frames, "[DONE]")
    assert events == [
        Event("a", chunk=frames[0]),
        Event(finish="stop", chunk={**HEAD, "choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]}),
    ]


def test_only_choice_0_is_text() -> None:
    frames = [chunk(choice({"content": "b"}, index=1)), chunk(choice({"content": "a"}, "stop")), "[DONE]"]
    assert [event.text for event in streamed(OPENAI, *frames)] == ["", "a", ""]


def test_a_role_alone_is_no_answer() -> None:
    with pytest.raises(WorkerFault) as caught:
        streamed(OPENAI, chunk(choice({"role": "assistant", "content": ""})), "[DONE]")
    assert caught.value.kind == "empty"


def test_a_chunk_without_choices_and_counts_passes() -> None:
    filters = {**HEAD, "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    assert streamed(OPENAI, filters, chunk(choice({"content": "a"})), "[DONE]")[0] == Event(chunk=filters)
