"""A model service made of waiting, for measuring. usage: python -m bench.upstream

Prints its port. The path decides: /instant answers at once, /slow after one second, and any request with
`"stream": true` gets 50 pieces in one second. One process, asyncio, OpenAI's shape.
"""

from __future__ import annotations

import asyncio
import json

PIECES, GAP_S = 50, 0.02
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
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


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


async def stream(writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM)
    for number in range(PIECES):
        writer.write(event(f"tok{number} "))
        await writer.drain()
        await asyncio.sleep(GAP_S)
    writer.write(event("", "stop") + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
            body = await reader.readexactly(length) if length else b""
            if b'"stream": true' in body or b'"stream":true' in body:
                await stream(writer)
            else:
                if head.startswith(b"post /slow"):
                    await asyncio.sleep(1)
                writer.write(WHOLE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
