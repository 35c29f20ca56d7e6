"""The sample replies and streams of known systems, whole, cut and failing; then any bytes and any JSON at all."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.fault import WorkerFault
from app.core.json_text import json_bytes
from tests.core.readings import (
    ALWAYS,
    WHOLE,
    WITH_ERROR,
    WITH_FRAMES,
    WITH_REPLY,
    counts,
    fault,
    gathered,
    message_of_fault,
    name_of,
    written,
)
from tests.core.registered import OPENAI, SSE, STREAMING, reader, replied, sse


@pytest.mark.parametrize("sample", WITH_REPLY, ids=name_of)
def test_sample_replies(sample: dict[str, Any]) -> None:
    reply = replied(sample["registration"], sample["sample"].encode())
    assert [reply.text, reply.finish, counts(reply.usage)] == sample["want"]


@pytest.mark.parametrize("sample", WITH_FRAMES, ids=name_of)
def test_sample_streams(sample: dict[str, Any]) -> None:
    events = reader(sample["registration"], stream=True).events([sample["frames"].encode()], SSE)
    assert gathered(list(events)) == sample["want_stream"]


@pytest.mark.parametrize("sample", WITH_FRAMES, ids=name_of)
def test_a_cut_stream_is_broken_wherever_it_is_cut(sample: dict[str, Any]) -> None:
    """But for a stream whose registration names no end, and one that said its finish already."""
    raw, frames = sample["registration"], sample["frames"]
    said = re.search(r'reason": ?"(?!null)|Reason": ?"|"message_stop"', frames)
    end = said.start() if said else frames.rstrip().rindex("data:")
    cut = frames[:end].encode()
    with pytest.raises(WorkerFault) as caught:
        list(reader(raw, stream=True).events([cut], SSE))
    assert caught.value.kind == "broken"


@pytest.mark.parametrize("sample", WITH_ERROR, ids=name_of)
def test_sample_errors_on_http_200(sample: dict[str, Any]) -> None:
    raw, body = sample["registration"], sample["err"].encode()
    said = json.loads(body)["error"]
    assert fault(raw, body).kind == "error"
    assert fault(raw, body).message == (said if isinstance(said, str) else said["message"])
    assert reader(raw).error_message(400, body) == fault(raw, body).message


@given(st.sampled_from(WITH_FRAMES), st.data())
def test_cuts_anywhere_give_the_same_events(sample: dict[str, Any], data: st.DataObject) -> None:
    frames = sample["frames"].replace("hel", "hé🙂").encode()
    if data.draw(st.booleans()):
        frames = frames.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(frames)), max_size=12)))
    pieces = [frames[a:b] for a, b in zip([0, *cuts], [*cuts, len(frames)], strict=True)]
    read = reader(sample["registration"], stream=True)
    assert list(read.events(pieces, SSE)) == list(read.events([frames], SSE))


PIECES = st.sampled_from(
    [
        b"data: ",
        b"\n\n",
        b"\r",
        b"{",
        b"}",
        b'"choices":',
        b"[",
        b"]",
        b'{"delta":{"content":"x"}}',
        b"[DONE]",
        b",",
        b"null",
    ]
)


@given(
    st.lists(PIECES | st.binary(max_size=5), max_size=30), st.sampled_from([SSE, "application/json", "text/html", ""])
)
def test_no_bytes_do_worse_than_a_fault(pieces: list[bytes], content_type: str) -> None:
    for raw in (OPENAI, STREAMING, ALWAYS, WHOLE):
        for stream in (False, True):
            events = reader(raw, stream=stream).events(pieces, content_type)
            assert message_of_fault(partial(written, events)).isprintable()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | (
                st.dictionaries(
                    st.sampled_from(
                        [
                            "choices",
                            "delta",
                            "content",
                            "index",
                            "finish_reason",
                            "usage",
                            "message",
                            "tool_calls",
                            "prompt_tokens",
                            "logprobs",
                            "error",
                        ]
                    ),
                    inner,
                    max_size=4,
                )
            )
        ),
        max_leaves=15,
    )
)
def test_no_json_does_worse_than_a_fault(value: Any) -> None:
    for frame in (value, {"choices": [value]}, {"choices": [{"delta": value}]}):
        events = reader(OPENAI, stream=True).events(sse(frame, "[DONE]"), SSE)
        assert message_of_fault(partial(written, events)).isprintable()
    for reply in (value, {"choices": [value]}, {"choices": [{"message": value}]}):
        assert message_of_fault(lambda reply=reply: json_bytes(replied(OPENAI, reply).raw)).isprintable()
