"""A model service in a process of its own, to be killed and stopped. usage: python -m tests.faults.model JOURNAL PORT

Prints its port (0: one that is free). Answers chats, streamed or whole, and works on videos by jobs, which are known
by their id alone, so that a killed and restarted one goes on with them. What a prompt says comes back. Each call is a
line of JOURNAL, which all model services of a test share: what happened, the prompt, who and when.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

PIECES, GAP_S = 5, 0.02
JOB_S = 1.5


class Model:
    """`journal`: a file descriptor; lines are appended whole, whoever else writes."""

    def __init__(self, journal: int) -> None:
        self._journal = journal
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await read_request(reader):
                async for data in self._answer(*request):
                    writer.write(data)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, body: Any) -> AsyncIterator[bytes]:
        if method == "GET":
            yield self._shown(path)
        elif path == "/jobs":
            self._note("submitted", body["prompt"])
            yield whole({"id": f"{body['prompt']}.{time.monotonic() + JOB_S:.3f}"})
        else:
            said = body["messages"][-1]["content"]
            self._note("asked", said)
            async for data in self._streamed(said) if body.get("stream") else self._plain(said):
                yield data

    def _shown(self, path: str) -> bytes:
        if path.startswith("/files/"):
            return head(b"video/mp4", b"Content-Length: 3") + b"MP4"
        if not path.startswith("/jobs/"):
            return whole({"status": "ok"})
        prompt, _, due = path.removeprefix("/jobs/").partition(".")
        if time.monotonic() < float(due):
            return whole({"status": "running"})
        return whole({"status": "done", "output": [f"http://127.0.0.1:{self.port}/files/{prompt}.mp4"]})

    async def _plain(self, said: str) -> AsyncIterator[bytes]:
        await asyncio.sleep(GAP_S)
        self._note("spoke", said)
        yield whole({"choices": [{"index": 0, "message": {"role": "assistant", "content": said}}]})

    async def _streamed(self, said: str) -> AsyncIterator[bytes]:
        yield head(b"text/event-stream", b"Transfer-Encoding: chunked")
        self._note("spoke", said)
        for number in range(PIECES):
            yield event(f"{said}#{number} ")
            await asyncio.sleep(GAP_S)
        yield event("", "stop") + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"

    def _note(self, what: str, prompt: str) -> None:
        line = {"what": what, "prompt": prompt, "port": self.port, "at": time.monotonic()}
        os.write(self._journal, json.dumps(line).encode() + b"\n")


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, Any] | None:
    first = (await reader.readline()).split()
    if len(first) < 2:
        return None
    length = 0
    while line := (await reader.readline()).strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    body = await reader.readexactly(length)
    return first[0].decode(), first[1].decode(), json.loads(body) if body else None


def head(kind: bytes, length: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n" % (kind, length)


def whole(value: Any) -> bytes:
    body = json.dumps(value).encode()
    return head(b"application/json", b"Content-Length: %d" % len(body)) + body


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return chunked(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def main(journal: str, port: str) -> None:
    model = Model(os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    server = await asyncio.start_server(model.serve, "127.0.0.1", int(port), backlog=1024)
    model.port = server.sockets[0].getsockname()[1]
    print(model.port, flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
