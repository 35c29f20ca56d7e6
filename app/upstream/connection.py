"""Connections whose failures to connect are told apart, and whose every read ends in time."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from app.upstream.failure import SendFailure, connect_failure
from app.upstream.head import HeadResponse, request_head


class Reads(io.RawIOBase):
    """The bytes of one reply. No read lasts longer than `idle_s`, none beyond `until` (of time.monotonic()).

    It stands below the parser, so that headers and chunk sizes which drip in byte by byte cannot outlast it either.
    """

    def __init__(self, wire: socket.socket, until: float, idle_s: float) -> None:
        self.until = until
        self.idle_s = idle_s
        self._wire = wire
        self._raw = wire.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = min(self.until - time.monotonic(), self.idle_s)
        if left <= 0:
            raise TimeoutError
        self._wire.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client asks a socket for."""
        return io.BufferedReader(self)


class Connection(HTTPConnection):
    """`wire` is its socket, also after http.client let go of it. Times are monotonic seconds.

    `carried_stream`: its last reply came in chunks.
    """

    wire: socket.socket | None = None
    reads: Reads | None = None
    born = 0.0
    idle_since = 0.0
    carried_stream = False

    def connect(self) -> None:
        """Raises SendFailure, which urllib3 lets through: so what was never sent cannot be taken for sent."""
        try:
            super().connect()
        except Exception as error:
            raise connect_failure(error) from error
        self.wire = self.sock
        self.born = time.monotonic()

    def exchange(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        connect_s: float,
        until: float,
        idle_s: float,
    ) -> HeadResponse:
        """Send a request and wait for the head of its reply: what urllib3's pools do, on a shorter way.

        `headers` that name Connection say that it closes, whatever the server thinks of that. Closes where it fails.
        Raises SendFailure, ValueError for a header that cannot be sent, and what http.client and sockets raise for the
        reply.
        """
        try:
            head = request_head(method, target, self._authority, headers, body)
            self.timeout = connect_s
            if self.sock is None:
                self.connect()
            self._send_whole(head + body if body else head, min(until - time.monotonic(), idle_s))
            self.reads = Reads(self.sock, until, idle_s)
            reply = HeadResponse(self.reads, method=method)  # type: ignore[arg-type]
            reply.begin()
            self.carried_stream = reply.chunked
            if reply.will_close or any(name.lower() == "connection" for name in headers):
                super().close()
            return reply
        except BaseException:
            self.close()
            raise

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == self.default_port else f"{host}:{self.port}"

    def _send_whole(self, message: bytes, wait_s: float) -> None:
        """Head and body in one piece: half the system calls, and one packet where they fit."""
        try:
            self.sock.settimeout(max(wait_s, 0.001))
            self.sock.sendall(message)
        except TimeoutError as error:
            raise SendFailure("timeout", "it did not take the whole request in time", sent=True) from error
        except (BrokenPipeError, ConnectionResetError):
            pass  # it stopped listening, perhaps because it answered already

    @property
    def is_quiet(self) -> bool:
        """Open, and the worker neither closed it nor said anything unasked."""
        if self.wire is None or self.sock is None:
            return False
        try:
            self.wire.settimeout(0)
            # The plain socket's recv: TLS's own takes no flags.
            socket.socket.recv(self.wire, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def response_class(self, sock: Any, **options: Any) -> HTTPResponse:  # type: ignore[override]
        """Called by http.client once the request is sent; `timeout` then is the time for the reply."""
        wait_s = float(self.timeout or 0)
        self.reads = Reads(sock, time.monotonic() + wait_s, wait_s)
        return HTTPResponse(self.reads, **options)  # type: ignore[arg-type]


class TlsConnection(Connection, HTTPSConnection):
    pass
