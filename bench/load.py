"""Load for a chat endpoint: a closed loop of short calls, or many calls or streams open at once.

Written on bare asyncio protocols, so that little of the machine that is shared with the server goes into asking.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from dataclasses import dataclass, field

MESSAGES = [
    {"role": "system", "content": "You are helpful."},
    {"role": "user", "content": "Summarise the following. " * 20},
]
PATIENCE_S = 60.0
OPENING_S = 0.5
"""All calls of `at_once` are begun within this time."""


@dataclass
class Result:
    """`first`: seconds until the first token of a stream, or until the whole of a plain call."""

    answered: int = 0
    failed: int = 0
    first: list[float] = field(default_factory=list)

    def percentile(self, values: list[float], share: float) -> float:
        ordered = sorted(values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def request(port: int, model: str, *, stream: bool, keep: bool) -> bytes:
    body = json.dumps({"model": model, "messages": MESSAGES, "temperature": 0.7, "max_tokens": 128, "stream": stream})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Connection: {'keep-alive' if keep else 'close'}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


class Asking(asyncio.Protocol):
    """A connection that asks again as soon as it was answered, until its time is over."""

    def __init__(self, ask: bytes, until: float, result: Result) -> None:
        self._ask = ask
        self._until = until
        self._result = result
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        self._seen, self._wanted = b"", 0
        self._begun = time.perf_counter()
        self._transport.write(self._ask)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self._wanted and (head := self._seen.find(b"\r\n\r\n")) >= 0:
            length = self._seen[:head].lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._wanted = head + 4 + int(length)
        if self._wanted and len(self._seen) >= self._wanted:
            now = time.perf_counter()
            self._result.first.append(now - self._begun)
            good = self._seen.startswith(b"HTTP/1.1 200")
            self._result.answered += good
            self._result.failed += not good
            if now < self._until:
                self._next()
            else:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._result.failed += time.perf_counter() < self._until
        self.over.set_result(None)


async def closed_loop(port: int, model: str, *, clients: int, seconds: float) -> Result:
    """`clients` connections, each asking again as soon as it was answered."""
    loop, result = asyncio.get_running_loop(), Result()
    ask, until = request(port, model, stream=False, keep=True), time.perf_counter() + seconds
    made = [await loop.create_connection(lambda: Asking(ask, until, result), "127.0.0.1", port) for _ in range(clients)]
    await asyncio.gather(*(asking.over for _, asking in made))
    return result


class Once(asyncio.Protocol):
    """One call, to the end of its connection. `mark` is in the bytes of its first token."""

    def __init__(self, ask: bytes, mark: bytes, ending: bytes, result: Result, begun: float) -> None:
        self._ask, self._mark, self._ending = ask, mark, ending
        self._result = result
        self._begun = begun
        self._first: float | None = None
        self._head = self._tail = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._ask)

    def data_received(self, data: bytes) -> None:
        if self._first is None:
            self._head += data
            if self._mark in self._head:
                self._first = time.perf_counter() - self._begun
        self._tail = self._tail[-200:] + data[-200:]

    def connection_lost(self, error: Exception | None) -> None:
        whole = self._head.startswith(b"HTTP/1.1 200") and self._ending in self._tail
        if whole and self._first is not None:
            self._result.answered += 1
            self._result.first.append(self._first)
        else:
            self._result.failed += 1
        self.over.set_result(None)


async def at_once(port: int, model: str, *, count: int, stream: bool) -> Result:
    """`count` calls, begun within half a second, all open together."""
    loop, result = asyncio.get_running_loop(), Result()
    ask = request(port, model, stream=stream, keep=False)
    mark, ending = (b"tok0", b"[DONE]") if stream else (b'"content"', b"}")

    async def one(number: int) -> None:
        await asyncio.sleep(number * OPENING_S / count)
        begun = time.perf_counter()
        try:
            transport, once = await loop.create_connection(
                lambda: Once(ask, mark, ending, result, begun), "127.0.0.1", port
            )
        except OSError:
            result.failed += 1
            return
        try:
            await asyncio.wait_for(once.over, PATIENCE_S)
        except TimeoutError:
            transport.abort()

    gc.disable()
    await asyncio.gather(*(one(number) for number in range(count)))
    gc.enable()
    return result
