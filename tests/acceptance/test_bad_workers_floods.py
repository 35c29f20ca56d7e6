"""Workers that send without end and never answer: given up early, with flat memory, while others are served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes import Exchange, FakeUpstream
from tests.memory import MIB, MemoryWatch
from tests.served.toys import question
from tests.serving import PATIENCE_S, Server, wait_for

CHAT = "/v1/chat/completions"
CAP = 32_000_000
# What was sent may wait in the buffers of both sockets.
UNDER_WAY = 16_000_000
GIGABYTE = 1_000_000_000


class Flood:
    """Answers every POST with a gigabyte made of one piece. `sent`: the bytes that it got rid of."""

    def __init__(self, piece: bytes, content_type: str = "text/event-stream", first: bytes = b"") -> None:
        self._first = first
        self._piece = piece * max(1, 65_536 // len(piece))
        self._content_type = content_type
        self.sent = 0

    def __call__(self, exchange: Exchange) -> None:
        exchange.head(200, framing="eof", content_type=self._content_type)
        if exchange.request.method != "POST":
            return
        exchange.send(self._first)
        while self.sent < GIGABYTE:
            exchange.send(self._piece)
            self.sent += len(self._piece)


def padded(value: dict[str, Any], before: bytes, behind: bytes) -> bytes:
    return before + json.dumps({**value, "pad": "x" * 1000}).encode() + behind


@contextmanager
def flooding(server: Server, flood: Flood, stream: dict[str, Any], **more: Any) -> Iterator[str]:
    flood.sent = 0
    words = {"body": {"prompt": "{USER_PROMPT}"}, "response_extract": "answer", "stream": stream, **more}
    with FakeUpstream(flood) as upstream:
        worker_id = server.register(model_name="flood", req_url_template=upstream.url, **words)
        yield "flood"
        server.ask("DELETE", f"/api/server/workers/{worker_id}")


FLOODS: dict[str, tuple[Flood, dict[str, Any]]] = {
    "comments": (Flood(b": keep-alive\n\n"), {"framing": "sse", "delta_extract": "delta"}),
    "empty deltas": (Flood(padded({"delta": ""}, b"data: ", b"\n\n")), {"framing": "sse", "delta_extract": "delta"}),
    "other frames": (
        Flood(padded({"a": 1}, b"data: ", b"\n\n")),
        {"framing": "sse", "delta_extract": "delta", "done": "[DONE]"},
    ),
    "large frames": (Flood(b'data: "' + b"x" * 1_000_000 + b'"\n\n'), {"framing": "sse", "delta_extract": "delta"}),
    "filtered frames": (
        Flood(padded({"type": "ping", "delta": "x"}, b"data: ", b"\n\n")),
        {"framing": "sse", "delta_extract": "delta", "when": {"type": "text"}},
    ),
    "one line": (Flood(b"x", first=b"data: "), {"framing": "sse", "delta_extract": "delta"}),
    "one event of many lines": (Flood(b"data: x\n"), {"framing": "sse", "delta_extract": "delta"}),
    "white space": (Flood(b" \r\n\t"), {"framing": "sse", "delta_extract": "delta"}),
    "JSON lines": (
        Flood(padded({"a": 1}, b"", b"\n"), "application/x-ndjson"),
        {"framing": "ndjson", "delta_extract": "delta"},
    ),
    "one JSON line": (
        Flood(b"x", "application/x-ndjson", first=b'{"a": "'),
        {"framing": "ndjson", "delta_extract": "delta"},
    ),
    "empty lines": (
        Flood(b"\n", "application/x-ndjson", first=b'{"a": 1}\n'),
        {"framing": "ndjson", "delta_extract": "delta"},
    ),
    "NULs": (Flood(b"\0", "text/plain", first=b'{"a": 1}'), {"framing": "null", "delta_extract": "delta"}),
    "JSON behind NULs": (
        Flood(padded({"a": 1}, b"", b"\0"), "text/plain"),
        {"framing": "null", "delta_extract": "delta"},
    ),
    "an array": (
        Flood(padded({"a": 1}, b"", b","), "application/json", first=b"["),
        {"framing": "json-array", "delta_extract": "delta"},
    ),
    "an array that only deepens": (
        Flood(b"[", "application/json"),
        {"framing": "json-array", "delta_extract": "delta"},
    ),
    "one element of an array": (
        Flood(b"x", "application/json", first=b'[{"a": "'),
        {"framing": "json-array", "delta_extract": "delta"},
    ),
    "white space as text": (Flood(b"   ", "text/plain"), {"framing": "text"}),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_without_an_answer(server: Server, name: str) -> None:
    flood, stream = FLOODS[name]
    with flooding(server, flood, stream) as model, MemoryWatch(server) as watch:
        answer = server.ask("POST", CHAT, question(model) | {"stream": True})
    assert answer.status == 502, answer
    assert re.search("without an answer in it|larger than|nested deeper", answer.body["error"]["message"]), answer
    assert flood.sent <= CAP + UNDER_WAY
    assert watch.growth < 16 * MIB


@pytest.mark.parametrize("name", ["empty deltas", "JSON lines", "one line", "an array"])
def test_nor_where_the_caller_wants_no_stream(server: Server, name: str) -> None:
    flood, stream = FLOODS[name]
    with flooding(server, flood, stream, is_stream=True) as model, MemoryWatch(server) as watch:
        answer = server.ask("POST", CHAT, question(model))
    assert answer.status == 502, answer
    assert flood.sent <= CAP + UNDER_WAY
    assert watch.growth < 16 * MIB


def test_a_flood_behind_the_first_words_is_an_error_in_the_stream(server: Server) -> None:
    stream = {"framing": "sse", "delta_extract": "delta", "done": "[DONE]"}
    flood = Flood(padded({"a": 1}, b"data: ", b"\n\n"), first=b'data: {"delta": "hel"}\n\n')
    with flooding(server, flood, stream) as model, MemoryWatch(server) as watch:
        answer = server.ask("POST", CHAT, question(model) | {"stream": True})
    assert answer.status == 200
    assert b'"hel"' in answer.body
    assert b"without an answer in it" in answer.body
    assert b"[DONE]" not in answer.body
    assert flood.sent <= CAP + UNDER_WAY
    assert watch.growth < 16 * MIB


def test_others_are_served_meanwhile(server: Server) -> None:
    stream = {"framing": "ndjson", "delta_extract": "delta"}
    flood = Flood(b'{"a": 1}\n', "application/x-ndjson")
    with flooding(server, flood, stream) as model, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(server.ask, "POST", CHAT, question(model) | {"stream": True})
        wait_for("the flood", lambda: flood.sent)
        assert server.ask("GET", "/healthz").status == 200
        assert not asked.done()
        assert asked.result(PATIENCE_S).status == 502
