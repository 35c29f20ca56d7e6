"""A worker's stream → events: its end, its errors, its forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.conversation import Event
from app.core.fault import WorkerFault
from tests.core.readings import (
    ALWAYS,
    gathered,
    stream_fault,
)
from tests.core.registered import OPENAI, PLAIN, SSE, STREAMING, reader, sse, streamed


def test_the_finish_comes_last_and_once() -> None:
    frames = [{"t": "a", "end": "STOP"}, {"t": "b", "end": "STOP"}, {"t": "", "end": "null"}, "[DONE]"]
    assert streamed(STREAMING, *frames) == [Event("a"), Event("b"), Event(finish="STOP")]


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        ({"done": "[DONE]"}, [{"t": "a"}, "[DONE]"]),
        ({"done": "[DONE]"}, [{"t": "a"}, " [DONE] ", "rubbish after it"]),
        ({"done_when": {"end": True}}, [{"t": "a"}, {"end": True}]),
        ({"done_when": {"@event": "", "@data": "bye"}}, [{"t": "a"}, "bye"]),
        ({"done_when": {"@json[1]": 2}}, [{"t": "a"}, [1, 2]]),
        ({"finish_extract": "end"}, [{"t": "a", "end": "stop"}]),
        ({"done": "[DONE]", "finish_extract": "end"}, [{"t": "a", "end": "stop"}]),
        ({}, [{"t": "a"}]),
    ],
)
def test_complete_streams(stream: dict[str, Any], frames: list[Any]) -> None:
    raw = {**PLAIN, "stream": {"framing": "sse", "delta_extract": "t", **stream}}
    assert "".join(event.text for event in streamed(raw, *frames)) == "a"


@pytest.mark.parametrize(
    "stream", [{"done": "[DONE]"}, {"done_when": {"end": True}}, {"finish_extract": "end"}], ids=json.dumps
)
@pytest.mark.parametrize("frames", [[], [{"t": "a"}], [{"t": "a", "end": "none"}], ["not json"]], ids=json.dumps)
def test_the_end_of_the_body_without_an_end_mark_is_broken(stream: dict[str, Any], frames: list[Any]) -> None:
    raw = {**PLAIN, "stream": {"framing": "sse", "delta_extract": "t", **stream}}
    events, caught = stream_fault(raw, *frames)
    assert caught.kind == "broken"
    assert [event.text for event in events] == [frame["t"] for frame in frames if isinstance(frame, dict)]


def test_the_end_mark_ends_the_reading() -> None:
    def chunks() -> Any:
        yield from sse({"t": "a"}, "[DONE]")
        raise AssertionError("read on after the end mark")

    assert list(reader(STREAMING, stream=True).events(chunks(), SSE)) == [Event("a")]


def test_errors_in_a_stream_before_and_after_the_first_event() -> None:
    assert stream_fault(STREAMING, {"error": "overloaded"})[1].message == "overloaded"
    events, caught = stream_fault(STREAMING, {"t": "a"}, {"error": {"message": "out of memory"}}, "[DONE]")
    assert events == [Event("a")]
    assert (caught.kind, caught.message) == ("error", "out of memory")
    assert stream_fault({**STREAMING, "retry_when": {"@event": ""}}, {"t": "a"})[1].retryable
    events, caught = stream_fault(OPENAI, {"choices": [{"delta": {"content": "a"}}]}, {"error": {"message": "x"}})
    assert len(events) == 1
    assert caught.message == "x"


def test_an_error_event_by_its_name() -> None:
    raw = {**STREAMING, "error": {"@event": "error"}}
    with pytest.raises(WorkerFault) as caught:
        list(reader(raw, stream=True).events([b"event: error\ndata: CUDA\n\n"], SSE))
    assert caught.value.message == "CUDA"


@pytest.mark.parametrize(
    "frames", [["[DONE]"], [{"t": ""}, {"t": None}, "[DONE]"], [{"other": 1}, "[DONE]"]], ids=json.dumps
)
def test_a_stream_without_an_answer_is_an_error(frames: list[Any]) -> None:
    assert stream_fault(STREAMING, *frames)[1].kind == "empty"


def test_a_stream_that_only_says_its_finish_is_an_answer() -> None:
    assert streamed(STREAMING, {"end": "content_filter"}, "[DONE]") == [Event(finish="content_filter")]


def test_cumulative_text() -> None:
    raw = {**PLAIN, "stream": {"framing": "sse", "mode": "cumulative", "delta_extract": "t", "done": "[DONE]"}}
    frames = [{"t": "he"}, {"t": "hello"}, {"t": "hello"}, {"t": "hel"}, {"t": "hello you"}, "[DONE]"]
    assert [event.text for event in streamed(raw, *frames)] == ["he", "llo", " you"]


def test_when_filters_deltas_only() -> None:
    stream = {
        "framing": "sse",
        "when": {"kind": "text"},
        "delta_extract": "t",
        "finish_extract": "end",
        "usage": {"prompt": "p", "completion": "c"},
    }
    frames = [
        {"kind": "text", "t": "a"},
        {"kind": "thought", "t": "hm", "p": 2},
        {"kind": "x", "t": "y", "end": "eos", "c": 3},
    ]
    assert gathered(streamed({**PLAIN, "stream": stream}, *frames)) == ["a", "eos", {"prompt": 2, "completion": 3}]


def test_the_data_of_a_frame_may_be_the_text() -> None:
    for path, frames in (("@data", ["a", " 5", '"b"']), ("@json[0]", [["a"], ["b"]]), ("", ["a", '"b"', " 5"])):
        raw = {**PLAIN, "response_extract": "", "stream": {"framing": "sse", "delta_extract": path, "done": "[DONE]"}}
        wanted = {"@data": 'a 5"b"', "@json[0]": "ab", "": "ab 5"}[path]
        assert "".join(event.text for event in streamed(raw, *frames, "[DONE]")) == wanted


def test_one_json_reply_to_a_stream_request_is_read_by_the_rules_for_replies() -> None:
    body = json.dumps({"answer": "hello"}).encode()
    for content_type in ("application/json", "text/event-stream", ""):
        events = list(reader(STREAMING, stream=True).events([b" \r\n", body[:5], body[5:]], content_type))
        assert events == [Event("hello")]
    with pytest.raises(WorkerFault) as caught:
        list(reader(STREAMING, stream=True).events([b'{"error": "Streaming is not supported."}'], "application/json"))
    assert (caught.value.kind, caught.value.message) == ("error", "Streaming is not supported.")
    with pytest.raises(WorkerFault) as caught:
        list(reader(STREAMING, stream=True).events([b"<html>"], "text/html"))
    assert caught.value.kind == "not_json"


def test_an_endless_reply_that_calls_itself_a_stream_is_given_up() -> None:
    def endless() -> Iterator[bytes]:
        yield b"{"
        while True:
            yield b" " * 1_000_000

    with pytest.raises(WorkerFault) as caught:
        list(reader(STREAMING, stream=True).events(endless(), SSE))
    assert caught.value.kind == "too_large"


def test_a_reader_that_was_not_asked_to_stream_reads_one_reply() -> None:
    assert list(reader(PLAIN).events([b'{"answer": "a"}'], "application/json")) == [Event("a")]
    assert list(reader(PLAIN, stream=True).events([b'{"answer": "a"}'], SSE)) == [Event("a")]


def test_the_content_type_decides_the_framing() -> None:
    for stream in (False, True):
        read = reader(ALWAYS, stream=stream)
        assert list(read.events(sse({"t": "a"}, {"t": "b"}), SSE)) == [Event("a"), Event("b")]
        assert list(read.events([b'{"t": "a"}'], "application/json")) == [Event("a")]
    text = reader({**ALWAYS, "response_extract": ""}, stream=True)
    assert list(text.events([b"h\xc3", b"\xa9", b"", b" you"], "text/plain")) == [Event("h"), Event("é"), Event(" you")]
    assert list(text.events([b"a\xc3"], "")) == [Event("a"), Event("\N{REPLACEMENT CHARACTER}")]
    assert list(text.events(sse("a", "b", "[DONE]"), SSE)) == [Event("a"), Event("b")]


def test_text_of_a_worker_that_always_streams_but_has_a_path_is_read_whole() -> None:
    assert list(reader(ALWAYS, stream=True).events([b'{"t": ', b'"a"}'], "text/plain")) == [Event("a")]


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [("text/plain", b"", "empty"), ("text/plain", b" \n", "empty"), ("application/x-ndjson", b"", "empty")],
)
def test_what_such_a_worker_can_do_wrong(content_type: str, body: bytes, kind: str) -> None:
    with pytest.raises(WorkerFault) as caught:
        list(reader({**ALWAYS, "response_extract": ""}, stream=True).events([body], content_type))
    assert caught.value.kind == kind


def test_a_finish_path_promises_an_end() -> None:
    assert stream_fault({**ALWAYS, "finish_extract": "end"}, {"t": "a"})[1].kind == "broken"
    assert streamed({**ALWAYS, "finish_extract": "end"}, {"t": "a", "end": "x"})[-1] == Event(finish="x")
