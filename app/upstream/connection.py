"""Connections whose failures to connect are told apart, and whose every read ends in time."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from http.client import HTTPConnection as StdlibConnection
from http.client import HTTPResponse
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from app.upstream.failure import SendFailure, connect_failure


class Reads(io.RawIOBase):
    """The bytes of one reply. No read lasts longer than `idle_s`, none beyond `until` (of time.monotonic()).

    It stands below the parser, so that headers and chunk sizes which drip in byte by byte cannot outlast it either.
    """

    def __init__(self, wire: socket.socket, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.idle_s = seconds
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
    """`wire` is its socket, also after http.client let go of it. Times are monotonic seconds."""

    wire: socket.socket | None = None
    reads: Reads | None = None
    born = 0.0
    idle_since = 0.0
    _held: list[bytes] | None = None

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
        wait_s: float,
    ) -> HTTPResponse:
        """Send a request and wait for the head of its reply: what urllib3's pools do, on a shorter way.

        Closes where it fails. Raises SendFailure before anything was sent, else what http.client raises.
        """
        try:
            self.timeout = connect_s
            if self.sock is None:
                self.connect()
            self._send_whole(method, target, body, headers)
            self.timeout = wait_s
            return StdlibConnection.getresponse(self)
        except BaseException:
            self.close()
            raise

    def _send_whole(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> None:
        try:
            self.request(method, target, body, headers)
        except TimeoutError as error:
            raise SendFailure("timeout", "it did not take the whole request in time", sent=True) from error
        except (BrokenPipeError, ConnectionResetError):
            pass  # it stopped listening, perhaps because it answered already

    def request(self, *args: Any, **options: Any) -> None:
        """Head and body leave in one piece: half the system calls, and one packet where they fit."""
        self._held = []
        try:
            super().request(*args, **options)
        finally:
            held, self._held = self._held, None
        super().send(b"".join(held))

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)

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
        self.reads = Reads(sock, float(self.timeout or 0))
        return HTTPResponse(self.reads, **options)  # type: ignore[arg-type]


class TlsConnection(Connection, HTTPSConnection):
    pass
