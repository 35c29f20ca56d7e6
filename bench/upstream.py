"""A model service made of waiting, for measuring. usage: python -m bench.upstream

Prints its port. The path decides: /instant answers at once, /slow after one second, and any request with
`"stream": true` gets 50 pieces in one second. One process, OpenAI's shape, all bytes made beforehand.
"""

from __future__ import annotations

import asyncio
import gc
import json

PIECES, GAP_S = 50, 0.02
SLOW_S = 1.0
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello! " * 40}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 80, "total_tokens": 100},
    }
).encode()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(REPLY), REPLY)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(text: str, finish: str | None = None) -> bytes:
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}],
    }
    return chunked(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


EVENTS = [event(f"tok{number} ") for number in range(PIECES)]
END = event("", "stop") + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Model(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head = self._seen.find(b"\r\n\r\n")
        if head < 0:
            return
        length = self._seen[:head].lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(self._seen) < head + 4 + int(length or 0):
            return
        request, self._seen = self._seen, b""
        if b'"stream":true' in request or b'"stream": true' in request:
            self._transport.write(HEAD + EVENTS[0])
            self._due = self._loop.time() + GAP_S
            self._loop.call_at(self._due, self._go_on, 1)
        elif request.startswith(b"POST /slow"):
            self._loop.call_later(SLOW_S, self._transport.write, WHOLE)
        else:
            self._transport.write(WHOLE)

    def _go_on(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == PIECES:
            self._transport.write(END)
            return
        self._transport.write(EVENTS[number])
        self._due += GAP_S
        self._loop.call_at(self._due, self._go_on, number + 1)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Model, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.disable()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
