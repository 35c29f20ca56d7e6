"""Requests at a steady rate, whatever becomes of those before: the load under which faults are made."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.faults.model import PIECES
from tests.serving import wait_for

PATIENCE_S = 60.0
LOST = 0
"""The status of a request whose connection broke before the answer had begun."""


@dataclass(frozen=True)
class Sample:
    """One request. Times are monotonic; `worker` is 0 where no answer named one; `body` is what came."""

    prompt: str
    stream: bool
    begun: float
    ended: float
    status: int
    worker: int
    body: bytes = field(repr=False)
    is_cut: bool = False

    @property
    def is_good(self) -> bool:
        """The whole answer of a model came."""
        if self.status != 200:
            return False
        if not self.stream:
            return self.prompt.encode() in self.body
        return self.body.rstrip().endswith(b"data: [DONE]") and b"error" not in self.body and self.pieces_are_whole

    @property
    def pieces_are_whole(self) -> bool:
        """Each piece came once and in its order."""
        places = [self.body.find(f"{self.prompt}#{number} ".encode()) for number in range(PIECES)]
        return places == sorted(places) and self.body.count(f"{self.prompt}#".encode()) == PIECES and places[0] >= 0

    @property
    def is_honest(self) -> bool:
        """A failure is told as one: by a status, in the stream and without its end mark, or as only HTTP can.

        A process that is killed says no more: its reply is cut off before the last chunk, which every client takes ill.
        """
        if self.is_good or self.status != 200 or self.is_cut:
            return True
        return self.stream and b'"error"' in self.body and b"[DONE]" not in self.body

    @property
    def took(self) -> float:
        return self.ended - self.begun


class Load:
    """`rate` requests a second inside the block, each on a connection of its own; `streams`: each so manieth streams.

    The block's end waits for those under way. `samples` are those that are over.
    """

    def __init__(self, port: int, model: str, rate: float = 40.0, *, streams: int = 0) -> None:
        self._port, self._model, self._rate, self._streams = port, model, rate, streams
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.samples: list[Sample] = []
        self.begun = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(2 * PATIENCE_S)

    def failures(self) -> list[Sample]:
        return [sample for sample in list(self.samples) if not sample.is_good]

    def wait_for_more(self, count: int) -> None:
        """Until so many more were answered well."""
        wanted = self._good() + count
        wait_for(f"{count} more answers, failures {self.failures()[:2]}", lambda: self._good() >= wanted)

    def _good(self) -> int:
        return sum(sample.is_good for sample in list(self.samples))

    async def _run(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self._over.is_set():
            self.begun += 1
            task = asyncio.create_task(self._one(self.begun))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due = max(due + 1 / self._rate, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*under_way)

    async def _one(self, number: int) -> None:
        prompt, stream = f"p{number:07d}", bool(self._streams) and number % self._streams == 0
        begun, reply = time.monotonic(), bytearray()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._ask(prompt, stream, reply), PATIENCE_S)
        head, _, body = bytes(reply).partition(b"\r\n\r\n")
        status = int(head.split(None, 2)[1]) if head.startswith(b"HTTP/1.1 ") else LOST
        is_chunked = _header(head, b"transfer-encoding") == b"chunked"
        is_cut = is_chunked and not body.endswith(b"0\r\n\r\n")
        body = _unchunked(body) if is_chunked else body
        worker = int(_header(head, b"x-rollcall-worker") or 0)
        self.samples.append(Sample(prompt, stream, begun, time.monotonic(), status, worker, body, is_cut))

    async def _ask(self, prompt: str, stream: bool, reply: bytearray) -> None:
        question: dict[str, Any] = {"model": self._model, "messages": [{"role": "user", "content": prompt}]}
        body = json.dumps({**question, "stream": stream}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            while piece := await reader.read(65_536):
                reply += piece
        finally:
            writer.close()


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(name + b":"):
            return line.partition(b":")[2].strip()
    return b""


def _unchunked(raw: bytes) -> bytes:
    """What is inside, as far as it came."""
    body = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size or b"0", 16)
        body += raw[:length]
        raw = raw[length + 2 :]
    return body
