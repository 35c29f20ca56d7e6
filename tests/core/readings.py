"""Replies and streams as tests read them: the answer, or the fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from app.core.conversation import Event, Usage
from app.core.fault import WorkerFault
from app.core.json_text import json_bytes
from tests.core.registered import PLAIN, SAMPLES, SSE, reader, replied, sse

WITH_REPLY = [sample for sample in SAMPLES if sample["sample"]]
WITH_FRAMES = [sample for sample in SAMPLES if sample["frames"]]
WITH_ERROR = [sample for sample in SAMPLES if sample["err"]]
WHOLE = {**PLAIN, "response_extract": ""}
ALWAYS = {**PLAIN, "is_stream": True, "response_extract": "t"}


def name_of(sample: dict[str, Any]) -> str:
    return str(sample["id"])


def counts(usage: Usage | None) -> dict[str, int]:
    return {} if usage is None else {"prompt": usage.prompt, "completion": usage.completion}


def gathered(events: list[Event]) -> list[Any]:
    finishes = [event.finish for event in events if event.finish is not None]
    usages = [event.usage for event in events if event.usage is not None]
    assert len(finishes) <= 1
    assert len(usages) <= 1
    assert not finishes or events[-1].finish is not None
    text = "".join(event.text for event in events)
    return [text, finishes[0] if finishes else None, counts(usages[0] if usages else None)]


def fault(raw: dict[str, Any], value: Any, content_type: str = "application/json") -> WorkerFault:
    with pytest.raises(WorkerFault) as caught:
        replied(raw, value, content_type)
    assert caught.value.message.isprintable()
    return caught.value


def stream_fault(raw: dict[str, Any], *frames: Any, content_type: str = SSE) -> tuple[list[Event], WorkerFault]:
    events: list[Event] = []
    with pytest.raises(WorkerFault) as caught:
        events.extend(reader(raw, stream=True).events(sse(*frames), content_type))
    return events, caught.value


def message_of_fault(read: Callable[[], object]) -> str:
    """Empty when there is no fault."""
    try:
        read()
    except WorkerFault as caught:
        return caught.message
    return ""


def written(events: Iterable[Event]) -> list[bytes]:
    return [json_bytes([event.text, event.chunk, event.finish]) for event in events]
