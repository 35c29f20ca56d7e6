"""Connections whose failures to connect are told apart, and whose every read ends in time."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from app.upstream.dialing import Dialer
from app.upstream.failure import SendFailure, connect_failure
from app.upstream.head import HeadResponse, request_head
from app.upstream.watchdog import WireCall

# Where nobody says how long connecting may take.
CONNECT_S = 3.0
# What is read before other requests have their turn: a worker that sends faster than we read must not keep this
# process from them.
TURN_BYTES = 16_384
# Longer than nothing: gevent lets those who sleep for nothing go round many times before it looks at its sockets.
TURN_S = 1e-9
# A timeout of nothing would mean: do not wait at all.
_A_MOMENT_S = 0.001


class Reads(io.RawIOBase):
    """The bytes of one reply. No read lasts longer than `idle_s`, none beyond `until` (of time.monotonic()).

    It stands below the parser, so that headers and chunk sizes which drip in byte by byte cannot outlast it either.
    Reading raises ClientGone and TimeoutError where the watchdog ended `call`.
    """

    def __init__(self, wire: socket.socket, until: float, idle_s: float, call: WireCall | None = None) -> None:
        self.until = until
        self.idle_s = idle_s
        self._call = call
        self._silence = call.caller.silence if call is not None and call.caller is not None else None
        self._run = 0
        self._wire = wire
        self._raw = wire.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        now = time.monotonic()
        left = min(self.until - now, self.idle_s)
        if left <= 0:
            raise TimeoutError
        if self._run >= TURN_BYTES:
            self._run = 0
            time.sleep(TURN_S)
        try:
            count = self._receive(buffer, now, left)
        except Exception:
            if self._call is not None:
                self._call.check()
            raise
        if not count and self._call is not None:
            self._call.check()  # what the watchdog shut down looks like a proper end
        self._run += count
        return count

    def _receive(self, buffer: Any, now: float, left: float) -> int:
        """Meanwhile the caller of a stream is told, when its time comes, that it is not forgotten."""
        silence = self._silence
        if silence is None:
            self._wire.settimeout(left)
            return self._wire.recv_into(buffer)
        end = now + left
        while True:
            self._wire.settimeout(max(min(end, silence.due) - now, _A_MOMENT_S))
            try:
                return self._wire.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() >= end:
                    raise
            if silence.due <= time.monotonic():
                silence.end()
            now = time.monotonic()

    def close(self) -> None:
        self._raw.close()
        super().close()

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client asks a socket for."""
        return io.BufferedReader(self)


class Connection(HTTPConnection):
    """`wire` is its socket, also after http.client let go of it. Times are monotonic seconds.

    `carried_stream`: its last reply came in chunks. `call`: the exchange that is under way, for the watchdog.
    """

    call: WireCall | None = None
    dialer: Dialer
    wire: socket.socket | None = None
    reads: Reads | None = None
    born = 0.0
    idle_since = 0.0
    carried_stream = False

    def connect(self) -> None:
        """Raises SendFailure, which urllib3 lets through: so what was never sent cannot be taken for sent."""
        call = self.call or self._begin(self._call_of_urllib3())
        try:
            super().connect()
        except SendFailure:
            raise
        except Exception as error:
            raise connect_failure(TimeoutError() if call.ended_at else error) from error
        finally:
            self._hand_over(call)
        self.wire = self.sock
        self.born = time.monotonic()

    def _new_conn(self) -> socket.socket:
        """`timeout` is for everything up to the first byte of the request: name, connection, TLS."""
        return self.dialer.connect(float(self.timeout or CONNECT_S))

    def exchange(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        call: WireCall,
        connect_s: float,
        idle_s: float,
    ) -> HeadResponse:
        """Send a request and wait for the head of its reply: what urllib3's pools do, on a shorter way.

        `headers` that name Connection say that it closes, whatever the server thinks of that. From now on the watchdog
        looks after `call`, until the connection is given back or closed. Closes where it fails. Raises SendFailure,
        ClientGone, ValueError for a header that cannot be sent, and what http.client and sockets raise for the reply.
        """
        until = call.until
        try:
            head = request_head(method, target, self._authority, headers, body)
            self._begin(call)
            if self.sock is None:
                self.timeout = connect_s
                call.until = min(until, time.monotonic() + connect_s)
                self.connect()
                call.until = until
            self._send_whole(head + body if body else head, min(until - time.monotonic(), idle_s))
            self.reads = Reads(self.sock, until, idle_s, call)
            reply = HeadResponse(self.reads, method=method)  # type: ignore[arg-type]
            reply.begin()
            self.carried_stream = reply.chunked
            if reply.will_close or any(name.lower() == "connection" for name in headers):
                super().close()
            return reply
        except BaseException as error:
            self.close()
            if not isinstance(error, SendFailure):
                call.check()
            raise

    def _begin(self, call: WireCall) -> WireCall:
        self.call = call
        call.wire = self.sock
        call.watch.enter(call)
        return call

    def _call_of_urllib3(self) -> WireCall:
        """On its way here, which probes take, `timeout` is the time for everything, up to the end of the reply."""
        return WireCall(None, time.monotonic() + float(self.timeout or CONNECT_S), self.dialer.watchdog)

    def over(self) -> None:
        """The exchange is over: the watchdog lets go of this connection, and this of its caller."""
        call, self.call, self.reads = self.call, None, None
        if call is not None:
            call.watch.leave(call)

    def close(self) -> None:
        self.over()
        super().close()

    def _hand_over(self, call: WireCall) -> None:
        """Connected or not: from the duplicate that the watchdog had to the socket itself. Raises ClientGone."""
        call.watch.leave(call)
        duplicate, call.wire = call.wire, self.sock
        if duplicate is not None:
            duplicate.close()
        call.watch.enter(call)

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
        self.reads = Reads(sock, time.monotonic() + wait_s, wait_s, self.call)
        return HTTPResponse(self.reads, **options)  # type: ignore[arg-type]


class TlsConnection(Connection, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        """TLS takes the plain socket apart and gives its own only after the handshake."""
        plain = super()._new_conn()
        if self.call is not None:
            self.call.wire = plain.dup()
        return plain
