"""Workers that take too long or send too much, in every place of a reply."""

from __future__ import annotations

import zlib

from tests.fakes import Behaviour, Exchange, drip
from tests.served.leaving import CHUNKED


def endlessly(begun: bytes, piece: bytes) -> Behaviour:
    """As fast as it is read."""
    piece *= max(1, 65_536 // len(piece))

    def behave(exchange: Exchange) -> None:
        exchange.send(begun)
        while True:
            exchange.send(piece)

    return behave


def bomb(content_type: bytes) -> Behaviour:
    """600 kB of gzip that hold 600 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(600)) + packer.flush()

    def behave(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        exchange.send(head % (content_type, len(packed)) + packed)

    return behave


OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = CHUNKED.replace(b"application/json", b"text/event-stream")
SPACE = b"2000\r\n%b\r\n" % (b" " * 8192)
LATE: dict[str, Behaviour] = {
    "a header that drips": drip(head_first=False),
    "a body that drips": drip(),
    "two bytes at a time": endlessly(CHUNKED, b"2\r\n  \r\n"),
    "two bytes of an event at a time": endlessly(EVENTS + b"6\r\ndata: \r\n", b"2\r\nxx\r\n"),
}
TOO_MUCH: dict[str, Behaviour] = {
    "a status line without end": endlessly(b"HTTP/1.1 200 ", b"x"),
    "a header without end": endlessly(OK + b"X: ", b"x"),
    "headers without end": endlessly(OK, b"X: " + b"x" * 60_000 + b"\r\n"),
    "a folded header without end": endlessly(OK + b"X: x\r\n", b" x" + b"x" * 60_000 + b"\r\n"),
    "early replies without end": endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers without end": endlessly(CHUNKED + b"0\r\n", b"X: y\r\n"),
    "a body without end": endlessly(CHUNKED, SPACE),
    "a refusal without end": endlessly(CHUNKED.replace(b"200 OK", b"500 No"), SPACE),
    "JSON without end that calls itself a stream": endlessly(EVENTS + b"1\r\n{\r\n", SPACE),
    "a bomb": bomb(b"application/json"),
    "a bomb that calls itself a stream": bomb(b"text/event-stream"),
}
