"""Registrations that nobody has seen, as data: what is asked, what the worker must get, what it says, what comes out.

The cases are in unseen/*.yaml. `http://W` in them is the worker's address; a `body` that is not named is not looked at,
null is none; a header that must not come is null. Another case is more data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SSE, JSON = "text/event-stream", "application/json"
CHAT, IMAGE, VIDEO = "/v1/chat/completions", "/v1/images/generations", "/v1/videos"
FOLDER = Path(__file__).parent / "unseen"
NOT_NAMED: Any = object()


@dataclass(frozen=True)
class Said:
    """A worker's reply. `cut`: the connection ends with the body unfinished."""

    body: bytes = field(default=b"", repr=False)
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True)
class Call:
    """What the worker must get: `line` is method and target."""

    line: str
    said: Said
    body: Any = NOT_NAMED
    headers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Want:
    """What the caller must get. `text` of `status` 400 and more: in the message; of a broken stream: what came before.

    `usage` is prompt and completion; None: there is none, or it is estimated.
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
    route: str


@dataclass(frozen=True)
class Case:
    """`standbys`: other workers of the model, with these words laid over, asked where the first fails.

    `probes`: what the worker says to them, by method and target; others get an empty 200.
    """

    name: str
    words: Mapping[str, Any]
    steps: tuple[Step, ...]
    standbys: tuple[Mapping[str, Any], ...] = ()
    probes: Mapping[str, Said] = field(default_factory=dict)
    probe_headers: Mapping[str, str] = field(default_factory=dict)


def all_cases() -> list[Case]:
    files = sorted(FOLDER.glob("*.yaml"))
    return [_case(raw) for file in files for raw in yaml.safe_load(file.read_text(encoding="utf-8"))]


def _case(raw: dict[str, Any]) -> Case:
    probes = {line: _said(said) for line, said in raw.pop("probes", {}).items()}
    steps = tuple(_step(step) for step in raw.pop("steps"))
    return Case(**raw, steps=steps, probes=probes)


def _step(raw: dict[str, Any]) -> Step:
    ask = raw.get("ask", {})
    told = {"messages": [{"role": "user", "content": ask}]} if isinstance(ask, str) else dict(ask)
    if "talk" in raw:
        told["messages"] = _turns(raw["talk"])
    if raw.get("stream"):
        told |= {"stream": True, "stream_options": {"include_usage": True}}
    calls = tuple(Call(**{**call, "said": _said(call["said"])}) for call in raw.get("calls", ()))
    return Step(told, calls, Want(**raw["want"]), raw.get("route", CHAT))


def _turns(texts: list[str]) -> list[dict[str, str]]:
    """User, assistant, user …; one that begins with `system: ` is the system's."""
    spoken = [text for text in texts if not text.startswith("system: ")]
    system = [{"role": "system", "content": text[8:]} for text in texts if text.startswith("system: ")]
    return system + [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(spoken)]


def _said(raw: Mapping[str, Any]) -> Said:
    """The body is one of `json`, `text`, `sse`, `lines` (of JSON) or `nulls` (JSON with a NUL behind each)."""
    kind, body = JSON, b""
    if "json" in raw:
        body = json.dumps(raw["json"]).encode()
    elif "text" in raw:
        body = raw["text"].encode()
    elif "sse" in raw:
        kind, body = SSE, "".join(_frame(frame) for frame in raw["sse"]).encode()
    else:
        mark = "\0" if "nulls" in raw else "\n"
        body = "".join(json.dumps(each) + mark for each in raw.get("nulls", raw.get("lines"))).encode()
    return Said(body, raw.get("status", 200), raw.get("type", kind), raw.get("headers", {}), raw.get("cut", False))


def _frame(frame: Any) -> str:
    named = isinstance(frame, dict) and frame.keys() == {"event", "data"}
    data = frame["data"] if named else frame
    head = f"event: {frame['event']}\n" if named else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
