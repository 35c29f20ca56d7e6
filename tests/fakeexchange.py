"""One HTTP exchange on a real socket, as a scripted answer sees it. Used through tests/fakes.py."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal
from urllib.parse import parse_qs, urlsplit

Framing = Literal["length", "chunked", "eof"]
PATIENCE_S = 10.0


class Gone(Exception):
    """The caller closed the connection, or the server was stopped."""


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """One request and the connection to answer it on. What a behaviour gets."""

    def __init__(self, connection: socket.socket, request: Request) -> None:
        self.request = request
        self.connection = connection
        self.keep = True
        self._chunked = False

    def head(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        framing: Framing = "length",
        length: int = 0,
        content_type: str = "application/json",
    ) -> None:
        self._chunked = framing == "chunked"
        self.keep = framing != "eof"
        end = {
            "length": f"Content-Length: {length}",
            "chunked": "Transfer-Encoding: chunked",
            "eof": "Connection: close",
        }[framing]
        named = {**({"Content-Type": content_type} if content_type else {}), **(headers or {})}
        lines = [f"HTTP/1.1 {status} Scripted", end, *(f"{name}: {value}" for name, value in named.items())]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise Gone from error

    def piece(self, data: bytes) -> None:
        """A piece of the body, framed as `head` said."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    def finish(self) -> None:
        if self._chunked:
            self.send(b"0\r\n\r\n")

    def wait(self, gate: threading.Event | None, timeout: float = PATIENCE_S) -> None:
        """Until the gate opens (None: never). Raises Gone as soon as the caller leaves."""
        end = time.monotonic() + timeout
        while gate is None or not gate.is_set():
            if time.monotonic() > end:
                raise AssertionError("a fake upstream waited for its gate in vain")
            self.check_caller(0.01)

    def check_caller(self, wait_s: float = 0.0) -> None:
        try:
            readable, _, _ = select.select([self.connection], [], [], wait_s)
            if readable and not self.connection.recv(65536):
                raise Gone
        except (OSError, ValueError) as error:
            raise Gone from error

    def cut(self, how: Literal["rst", "close"]) -> None:
        """End the connection now: with a reset, or in an orderly way."""
        self.keep = False
        if how == "rst":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        close(self.connection)


def close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_WR)
    connection.close()


def read_request(reader: BinaryIO) -> Request | None:
    line = reader.readline().decode("latin-1").split()
    if len(line) < 2:
        return None
    headers: dict[str, str] = {}
    while (header := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Request(line[0], line[1], headers, body)
