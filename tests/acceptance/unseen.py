"""Registrations that nobody has seen, as data: what is asked, what the worker must get, what it says, what comes out.

`http://W` in a registration or reply is the worker's address. Probes never count as calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SSE, NDJSON, PLAIN, JSON = "text/event-stream", "application/x-ndjson", "text/plain; charset=utf-8", "application/json"
CHAT, EMBED, IMAGE, VIDEO = "/v1/chat/completions", "/v1/embeddings", "/v1/images/generations", "/v1/videos"
ANY: Any = object()
"""Not looked at."""


@dataclass(frozen=True)
class Said:
    """A worker's reply. `cut`: the connection ends with the body unfinished."""

    body: bytes = field(repr=False)
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True)
class Call:
    """What the worker must get: `line` is method and target; a header that must not come is None."""

    line: str
    body: Any
    said: Said
    headers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Want:
    """What the caller must get. `text` of a failed stream: what came before; of `status` 400 and more: in the message.

    `usage`: prompt and completion; None: there is none.
    """

    text: Any = ""
    finish: str = "stop"
    usage: Any = None
    status: int = 200
    code: str = ""
    broken: str = ""
    notice: str = ""


@dataclass(frozen=True)
class Step:
    ask: Mapping[str, Any]
    calls: tuple[Call, ...]
    want: Want
    route: str = CHAT


@dataclass(frozen=True)
class Case:
    name: str
    words: Mapping[str, Any]
    steps: tuple[Step, ...]
    probes: Mapping[str, Said] = field(default_factory=dict)
    """By method and target; other probes get an empty 200."""
    probe_headers: Mapping[str, str] = field(default_factory=dict)
    standbys: tuple[Mapping[str, Any], ...] = ()
    """Other workers of the model, with these words laid over; asked where the first one fails."""


def case(name: str, words: Mapping[str, Any], *steps: Step, **more: Any) -> Case:
    return Case(name, words, steps, **more)


def step(ask: Mapping[str, Any] | str, *calls: Call, want: Want | str, route: str = CHAT) -> Step:
    """`ask` a text: one user message."""
    body = {"messages": [{"role": "user", "content": ask}]} if isinstance(ask, str) else dict(ask)
    return Step(body, calls, Want(want) if isinstance(want, str) else want, route)


def streamed(ask: Mapping[str, Any] | str, *calls: Call, want: Want | str) -> Step:
    asked = step(ask, *calls, want=want)
    return Step({**asked.ask, "stream": True, "stream_options": {"include_usage": True}}, asked.calls, asked.want)


def talk(*turns: str, **fields: Any) -> dict[str, Any]:
    """Turns are user, assistant, user …; one that begins with `system: ` is the system's."""
    messages, spoken = [], 0
    for turn in turns:
        if turn.startswith("system: "):
            messages.append({"role": "system", "content": turn.removeprefix("system: ")})
            continue
        messages.append({"role": ("user", "assistant")[spoken % 2], "content": turn})
        spoken += 1
    return {"messages": messages, **fields}


def call(line: str, body: Any, said: Said | Any, **headers: str | None) -> Call:
    """`said` that is no reply is its JSON. Header names with _ for -."""
    reply = said if isinstance(said, Said) else Said(json.dumps(said).encode())
    return Call(line, body, reply, {name.replace("_", "-").lower(): value for name, value in headers.items()})


def said(value: Any, status: int = 200, content_type: str = JSON, **headers: str) -> Said:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Said(body, status, content_type, {name.replace("_", "-"): text for name, text in headers.items()})


def sse(*frames: Any, end: str = "\n", cut: bool = False) -> Said:
    """JSON or text as data; a pair is the event's name and its data; bytes go out as they are."""
    return Said(b"".join(_frame(frame, end) for frame in frames), content_type=SSE, cut=cut)


def _frame(frame: Any, end: str) -> bytes:
    if isinstance(frame, bytes):
        return frame
    event, data = frame if isinstance(frame, tuple) else (None, frame)
    text = data if isinstance(data, str) else json.dumps(data)
    head = f"event: {event}{end}" if event else ""
    return f"{head}data: {text}{end}{end}".encode()


def lines(*values: Any, mark: str = "\n", content_type: str = NDJSON, cut: bool = False) -> Said:
    return Said(b"".join(json.dumps(value).encode() + mark.encode() for value in values), 200, content_type, {}, cut)
