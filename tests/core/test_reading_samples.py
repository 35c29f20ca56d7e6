"""The sample replies and streams of known systems, whole, cut and failing; then any bytes and any JSON at all."""

from __future__ import annotations

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
    WITH_FRAMES,
    message_of_fault,
    name_of,
    written,
)
from tests.core.registered import OPENAI, SSE, STREAMING, reader, replied, sse


@pytest.mark.parametrize("sample", WITH_FRAMES, ids=name_of)
def test_a_cut_stream_is_broken_wherever_it_is_cut(sample: dict[str, Any]) -> None:
    """But for one that said its finish already."""
    raw, frames = sample["registration"], sample["frames"]
    said = re.search(r'reason": ?"(?!null)|Reason": ?"|"message_stop"|"stop_type"|"response.completed"', frames)
    assert said is not None
    reader_of, kind = reader(raw, stream=True), SSE if frames.startswith(("data:", "event:")) else ""
    for end in range(len(frames[: said.start()].encode())):
        with pytest.raises(WorkerFault) as caught:
            list(reader_of.events([frames.encode()[:end]], kind))
        assert caught.value.kind == "broken", end


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
