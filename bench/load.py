"""Load for a chat endpoint: a closed loop of short calls, or many calls or streams open at once."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

MESSAGES = [
    {"role": "system", "content": "You are helpful."},
    {"role": "user", "content": "Summarise the following. " * 20},
]


@dataclass
class Result:
    """Times in seconds. `first` is until the first token, of streams; of plain calls it is the whole call."""

    answered: int = 0
    failed: int = 0
    first: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)

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


async def closed_loop(port: int, model: str, *, clients: int, seconds: float) -> Result:
    """`clients` connections, each asking again as soon as it was answered."""
    result, until = Result(), time.perf_counter() + seconds
    ask = request(port, model, stream=False, keep=True)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            begun = time.perf_counter()
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            result.total.append(time.perf_counter() - begun)
            if head.startswith(b"HTTP/1.1 200"):
                result.answered += 1
            else:
                result.failed += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return result


async def at_once(port: int, model: str, *, count: int, stream: bool) -> Result:
    """`count` calls, begun within half a second, all open together."""
    result = Result()
    ask = request(port, model, stream=stream, keep=False)

    async def one(number: int) -> None:
        await asyncio.sleep(number * 0.5 / count)
        begun, first, seen = time.perf_counter(), None, b""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ask)
            while piece := await asyncio.wait_for(reader.read(65_536), 60):
                seen += piece
                if first is None and (not stream or b"tok0" in seen):
                    first = time.perf_counter() - begun
            writer.close()
        except (OSError, TimeoutError):
            pass
        whole = seen.startswith(b"HTTP/1.1 200") and (b"[DONE]" in seen[-200:] if stream else b'"content"' in seen)
        if whole and first is not None:
            result.answered += 1
            result.first.append(first)
            result.total.append(time.perf_counter() - begun)
        else:
            result.failed += 1

    await asyncio.gather(*(one(number) for number in range(count)))
    return result
