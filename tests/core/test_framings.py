"""Streams of every framing: however the bytes are cut the text is the same; ends, cuts and floods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import Event
from app.core.fault import WorkerFault
from tests.core.readings import message_of_fault
from tests.core.registered import OPENAI, PLAIN, SSE, reader, sse

TEXTS = ["a", "é🙂", 'q"[{\\', "\n\r", " ", "\x00x", "}]", "漢"]


def streaming(framing: str, **words: Any) -> dict[str, Any]:
    return {**PLAIN, "stream": {"framing": framing, "delta_extract": "t", **words}}


def body_of(framing: str, values: list[Any], line_end: str = "\n") -> bytes:
    texts = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values]
    if framing == "sse":
        whole = "".join(f"data: {text}{line_end}{line_end}" for text in texts)
    elif framing == "json-array":
        whole = f"[{f',{line_end}'.join(texts)}]{line_end}"
    elif framing == "text":
        whole = "".join(value["t"] for value in values)
    else:
        whole = "".join(text + ("\0" if framing == "null" else line_end) for text in texts)
    return whole.encode()


def read(raw: dict[str, Any], *chunks: bytes, content_type: str = "") -> list[Event]:
    return list(reader(raw, stream=True).events(chunks, content_type))


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events)


def fault(raw: dict[str, Any], *chunks: bytes, content_type: str = "") -> WorkerFault:
    with pytest.raises(WorkerFault) as caught:
        read(raw, *chunks, content_type=content_type)
    return caught.value


def cuts(data: st.DataObject, body: bytes) -> list[bytes]:
    edges = [0, *sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=20))), len(body)]
    return [body[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@pytest.mark.parametrize("framing", ["sse", "ndjson", "null", "json-array", "text"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=2, max_size=6), data=st.data())
def test_any_cutting_gives_the_same_text(framing: str, line_end: str, texts: list[str], data: st.DataObject) -> None:
    body = body_of(framing, [{"t": text} for text in texts], line_end)
    raw = streaming(framing)
    if not "".join(texts).strip() and framing == "text":
        return
    assert text_of(read(raw, *cuts(data, body))) == "".join(texts)


@pytest.mark.parametrize("framing", ["sse", "ndjson", "null", "json-array"])
@given(data=st.data())
def test_cumulative_text_says_what_is_new(framing: str, data: st.DataObject) -> None:
    body = body_of(framing, [{"t": text} for text in ("h", "hé🙂", "hé🙂", "h", "hé🙂 you")])
    raw = streaming(framing, mode="cumulative")
    assert text_of(read(raw, *cuts(data, body))) == "hé🙂 you"


@pytest.mark.parametrize("framing", ["sse", "ndjson", "null", "json-array"])
def test_a_stream_that_promises_no_end_ends_with_its_last_whole_value(framing: str) -> None:
    body = body_of(framing, [{"t": "a"}, {"t": "b"}])
    raw = streaming(framing)
    assert text_of(read(raw, body)) == "ab"
    first = body_of(framing, [{"t": "a"}])
    for cut in range(len(first), len(body) - (4 if framing == "sse" else 2)):
        said: list[Event] = []
        broke = message_of_fault(partial(said.extend, reader(raw, stream=True).events([body[:cut]], "")))
        assert text_of(said) in ("", "a")
        begun = len(first) + (len("data") if framing == "sse" else 0)
        assert ("middle" in broke) is (cut > begun or framing == "json-array")


@pytest.mark.parametrize("framing", ["sse", "ndjson", "null", "json-array"])
@pytest.mark.parametrize("end", [{"done_when": {"end": True}}, {"finish_extract": "why"}])
def test_an_end_that_is_promised_must_come(framing: str, end: dict[str, Any]) -> None:
    raw = streaming(framing, **end)
    whole = [{"t": "a"}, {"t": "b", "end": True, "why": "stop"}]
    assert text_of(read(raw, body_of(framing, whole))) == "ab"
    assert fault(raw, body_of(framing, [{"t": "a"}, {"t": "b", "why": "null"}])).kind == "broken"


def test_the_last_value_may_do_without_its_mark() -> None:
    assert text_of(read(streaming("ndjson"), b'{"t":"a"}\n{"t":"b"}')) == "ab"
    assert text_of(read(streaming("null"), b'{"t":"a"}\0{"t":"b"}')) == "ab"


def test_sentinels_end_a_stream_of_any_framing() -> None:
    assert text_of(read(streaming("ndjson", done="END"), b'{"t":"a"}\nEND\n{"t":"b"}\n')) == "a"
    assert text_of(read(streaming("sse", done="[DONE]"), b'data: {"t":"a"}\n\ndata: [DONE]')) == "a"
    assert fault(streaming("ndjson", done="END"), b'{"t":"a"}\n').kind == "broken"


@given(st.data())
def test_a_sentinel_in_plain_text_is_never_said(data: st.DataObject) -> None:
    body = "a <é <END".encode() + b"> and more"
    assert text_of(read(streaming("text", done="<END>"), *cuts(data, body))) == "a <é "
    assert fault(streaming("text", done="<END>"), *cuts(data, b"a <END")).kind == "broken"


def test_elements_of_an_array_are_given_as_soon_as_they_are_whole() -> None:
    came: list[int] = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b'[{"t":"a"}', b',\n{"t":"b"}', b"]"):
            yield chunk
            came.append(len(events))

    events: list[Event] = []
    for event in reader(streaming("json-array"), stream=True).events(chunks(), ""):
        events.append(event)
    assert came == [1, 2]


@pytest.mark.parametrize("framing", ["ndjson", "null", "json-array", "text"])
@pytest.mark.parametrize("indent", [None, 2])
def test_one_reply_to_a_stream_request_is_read_by_the_rules_for_replies(framing: str, indent: int | None) -> None:
    raw = {**streaming(framing), "error": {"error": "*"}}
    body = json.dumps({"answer": "whole", "x": [1]}, indent=indent).encode()
    assert text_of(read(raw, body[:4], body[4:], content_type="application/json")) == "whole"
    refused = json.dumps({"error": "no streams here"}, indent=indent).encode()
    assert fault(raw, refused, content_type="application/json").message == "no streams here"


def test_a_web_page_is_no_stream() -> None:
    for framing in ("sse", "ndjson", "null", "json-array"):
        assert fault(streaming(framing), b"<html><title>502</title>", content_type="text/html").kind == "not_json"


def flood(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


@pytest.mark.parametrize(
    ("framing", "piece"),
    [
        ("sse", b"data: {}\n\n" * 10_000),
        ("sse", b": still there\n\n" * 10_000),
        ("sse", b"data: x" * 10_000),
        ("ndjson", b"{}\n" * 30_000),
        ("ndjson", b"x" * 100_000),
        ("null", b"{}\0" * 30_000),
        ("json-array", b"[{}" + b",{}" * 30_000 + b',"'),
        ("text", b" \n" * 50_000),
    ],
)
def test_a_stream_without_an_answer_is_given_up(framing: str, piece: bytes) -> None:
    events = reader(streaming(framing), stream=True).events(flood(piece), SSE if framing == "sse" else "")
    with pytest.raises(WorkerFault) as caught:
        list(events)
    assert caught.value.kind == "too_large"


def test_an_array_that_only_opens_is_given_up_at_once() -> None:
    assert fault(streaming("json-array"), b"[" * 100_000).kind == "not_json"


@given(st.sampled_from(["sse", "ndjson", "null", "json-array", "text"]), st.lists(st.binary(max_size=12), max_size=20))
def test_no_bytes_do_worse_than_a_fault(framing: str, pieces: list[bytes]) -> None:
    assert message_of_fault(partial(read, streaming(framing), *pieces)).isprintable()


def test_cumulative_chunks_of_an_openai_shaped_worker() -> None:
    raw = {**OPENAI, "stream": {"mode": "cumulative", "done": "[DONE]", "when": {"skip": None}}}
    deltas: list[Any] = [
        {"role": "assistant", "content": ""},
        {"content": "he"},
        {"content": "hello"},
        {"content": "he"},
    ]
    frames = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    frames.append({"skip": 1, "choices": [{"index": 0, "delta": {"content": "hello you"}, "finish_reason": "stop"}]})
    events = list(reader(raw, stream=True).events(sse(*frames, "[DONE]"), SSE))
    assert "".join(event.text for event in events) == "hello"
    assert [event.chunk["choices"][0]["delta"]["content"] for event in events if event.chunk] == ["", "he", "llo", ""]
    assert events[-1].finish == "stop"
