"""Model services for tests, on real sockets: `with FakeUpstream(json_answer({"a": 1})) as worker: … worker.url`.

A behaviour answers one request. A `threading.Event` where a delay or a frame may stand is a gate:
the answer goes on when the test opens it, and ends (counted in `worker.left`) when the caller leaves first.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import trustme

from tests.fakeexchange import PATIENCE_S, Exchange, Framing, Gone, Request
from tests.fakeserver import Behaviour, FakeUpstream

__all__ = ["PATIENCE_S", "Behaviour", "Exchange", "FakeUpstream", "Framing", "Gone", "Request"]

Frame = str | bytes | dict[str, Any] | threading.Event
Headers = Mapping[str, str] | None


def bytes_answer(
    body: bytes,
    status: int = 200,
    headers: Headers = None,
    content_type: str = "application/octet-stream",
    gate: threading.Event | None = None,
) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        if gate is not None:
            exchange.wait(gate)
        exchange.head(status, headers, length=len(body), content_type=content_type)
        exchange.send(body)

    return behave


def json_answer(
    value: Any, status: int = 200, headers: Headers = None, gate: threading.Event | None = None
) -> Behaviour:
    return bytes_answer(json.dumps(value).encode(), status, headers, "application/json", gate)


def html_answer(status: int = 200) -> Behaviour:
    page = b"<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
    return bytes_answer(page, status, content_type="text/html")


def empty_answer(status: int = 200) -> Behaviour:
    return bytes_answer(b"", status)


def gzip_answer(body: bytes, content_type: str = "application/json") -> Behaviour:
    """Compressed although nobody asked for it."""
    return bytes_answer(gzip.compress(body), headers={"Content-Encoding": "gzip"}, content_type=content_type)


def openai_answer(text: str = "hello", finish: str = "stop", **fields: Any) -> Behaviour:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "vendor", "choices": [choice]}
    return json_answer({**body, "usage": usage, **fields})


def openai_chunk(text: str | None = None, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "vendor"}
    return {**chunk, "choices": [choice]}


def openai_stream(*pieces: str | threading.Event, framing: Framing = "chunked", done: bool = True) -> Behaviour:
    """Deltas, a finish of "stop" and [DONE]."""
    frames: list[Frame] = [piece if isinstance(piece, threading.Event) else openai_chunk(piece) for piece in pieces]
    return sse(*frames, openai_chunk(finish="stop"), *(["[DONE]"] if done else []), framing=framing)


def sse(
    *frames: Frame,
    framing: Framing = "chunked",
    cut: Literal["rst", "close"] | None = None,
    content_type: str = "text/event-stream",
    headers: Headers = None,
) -> Behaviour:
    """Server-sent events: text and JSON become `data:` frames, bytes go out as they are, gates are waited for.

    `cut` ends the connection after the last frame, in the middle of the body (with framing "eof" and
    "close" that is no different from a proper end).
    """

    def behave(exchange: Exchange) -> None:
        exchange.head(200, headers, framing, content_type=content_type)
        for frame in frames:
            if isinstance(frame, threading.Event):
                exchange.wait(frame)
            else:
                exchange.piece(_sse_bytes(frame))
        if cut:
            exchange.cut(cut)
        else:
            exchange.finish()

    return behave


def _sse_bytes(frame: str | bytes | dict[str, Any]) -> bytes:
    if isinstance(frame, bytes):
        return frame
    return f"data: {frame if isinstance(frame, str) else json.dumps(frame)}\n\n".encode()


def hang(gate: threading.Event | None = None) -> Behaviour:
    """Takes the request and says nothing until the caller leaves or the gate opens (then it hangs up)."""

    def behave(exchange: Exchange) -> None:
        exchange.wait(gate, timeout=60.0)
        exchange.cut("close")

    return behave


def drop(how: Literal["rst", "close"] = "close") -> Behaviour:
    """Takes the request and ends the connection without a word."""
    return lambda exchange: exchange.cut(how)


def cut_reply(how: Literal["rst", "close"] = "close") -> Behaviour:
    """Promises 100 bytes of JSON, sends ten, ends the connection."""

    def behave(exchange: Exchange) -> None:
        exchange.head(200, length=100)
        exchange.send(b'{"answer":')
        exchange.cut(how)

    return behave


def drip(every_s: float = 0.02, *, head_first: bool = True, content_length: int | None = None) -> Behaviour:
    """One byte of the body (or of a header that never ends) each `every_s`, until the caller leaves."""

    def behave(exchange: Exchange) -> None:
        if not head_first:
            exchange.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        elif content_length is None:
            exchange.head(200, framing="chunked")
        else:
            exchange.head(200, length=content_length)
        while True:
            exchange.piece(b"x")
            exchange.check_caller(every_s)

    return behave


def endless(content_type: str = "application/json", piece: bytes = b" " * 65536) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.head(200, framing="chunked", content_type=content_type)
        while True:
            exchange.piece(piece)

    return behave


def garbage() -> Behaviour:
    """An answer that is no HTTP."""

    def behave(exchange: Exchange) -> None:
        exchange.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        exchange.cut("close")

    return behave


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that is ours and refuses every connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def tls_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """For FakeUpstream(tls=…): a certificate for localhost and 127.0.0.1, or for `names`, from this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context
