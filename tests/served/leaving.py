"""Clients that leave a real serving process, in front of workers that are caught in the middle of something."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from tests.fakes import PATIENCE_S, Behaviour, Exchange, FakeUpstream, drip, hang, openai_chunk, sse, tls_context
from tests.served.toys import openai_worker, question
from tests.serving import Server, serving

CHAT = "/v1/chat/completions"
STREAM = {"body": {"stream": True}}
NEVER = threading.Event()


def silent_in(begun: bytes) -> Behaviour:
    """So far and no further."""

    def behave(exchange: Exchange) -> None:
        exchange.send(begun)
        exchange.wait(None, timeout=60)

    return behave


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN_WAYS: dict[str, Behaviour] = {
    "before the first byte": hang(),
    "inside the status line": silent_in(b"HTTP/1.1 2"),
    "inside a header": silent_in(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "a header that drips": drip(head_first=False),
    "before the body": silent_in(CHUNKED),
    "inside a chunk's size": silent_in(CHUNKED + b"1"),
    "a body that drips": drip(),
    "a body that ends with its connection": silent_in(b"HTTP/1.1 200 OK\r\n\r\n{"),
}
STREAM_WAYS: dict[str, Behaviour] = {
    "before the first event": sse(NEVER),
    "between two events": sse(openai_chunk("hello"), NEVER),
    "inside an event": sse(openai_chunk("hello"), b"data: {", NEVER),
}


class Client:
    """One request on a socket of its own. `leave` closes it; `half_close` only promises to say nothing more."""

    def __init__(self, server: Server, body: dict[str, Any], path: str = CHAT) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
        raw = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self.socket.sendall(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)

    def leave(self) -> None:
        self.socket.close()

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def read_until(self, mark: bytes) -> bytes:
        seen = b""
        while mark not in seen and (piece := self.socket.recv(65_536)):
            seen += piece
        return seen


@contextmanager
def leaving(template: Path, folder: Path, kind: str, authority: trustme.CA, **more: str) -> Iterator[Server]:
    """One serving process of this kind that trusts `authority`, checks no health and says what it notices."""
    folder.mkdir(exist_ok=True)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    shutil.copyfile(template, folder / "rollcall.db")
    settings = {
        "ROLLCALL_WORKER_CLASS": kind,
        "ROLLCALL_HEALTH_CHECKS": "0",
        "ROLLCALL_LOG_LEVEL": "debug",
        "SSL_CERT_FILE": str(folder / "authority.pem"),
        **more,
    }
    with serving(f"sqlite:///{folder / 'rollcall.db'}", folder, processes=1, **settings) as server:
        yield server


class Rig:
    """A server, and one upstream for each way to be caught."""

    def __init__(self, server: Server, authority: trustme.CA) -> None:
        self.server = server
        self._authority = authority
        self._names = iter(f"model-{number}" for number in range(10_000))

    @contextmanager
    def model(self, behaviour: Behaviour, *, tls: bool = False, **words: Any) -> Iterator[tuple[str, FakeUpstream]]:
        name = next(self._names)
        with FakeUpstream(behaviour, tls=tls_context(self._authority) if tls else None) as upstream:
            worker_id = self.server.register(**{**openai_worker(name, upstream.url, stream=STREAM), **words})
            try:
                yield name, upstream
            finally:
                self.server.ask("DELETE", f"/api/server/workers/{worker_id}")

    def ask(self, model: str, *, stream: bool = False) -> Client:
        return Client(self.server, {**question(model), "stream": stream})

    def serves(self) -> None:
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.server.port), PATIENCE_S)):
            assert self.server.ask("GET", "/healthz").status == 200
