"""A small scripted HTTP server on real sockets. Use it through tests/fakes.py."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType

from tests.fakeexchange import PATIENCE_S, Exchange, Gone, Request, close, read_request

Behaviour = Callable[[Exchange], None]


class FakeUpstream:
    """Answers with its behaviours in turn, the last one for ever. A context manager.

    `requests`, `connections` (accepted so far) and `left` (exchanges that the caller abandoned) are what it saw.
    """

    def __init__(self, *script: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._changed = threading.Condition()
        self._script = list(script)
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.left = 0
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{self.port}"
        self.url = self.origin + "/generate"
        self.start()

    def __enter__(self) -> FakeUpstream:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop(hold_port=False)

    @property
    def is_idle(self) -> bool:
        """No connection is open."""
        return not self._open

    def answer_with(self, *script: Behaviour) -> None:
        with self._changed:
            self._script = list(script)

    def start(self) -> None:
        """Listen (again, on the same port, after stop())."""
        self._socket.listen(512)
        thread = threading.Thread(target=self._accept, args=(self._socket,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, *, hold_port: bool = True) -> None:
        """As a killed worker: open connections are reset, new ones refused (the port stays ours with `hold_port`)."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._changed:
            doomed, threads, self._threads = list(self._open), self._threads, []
        for connection in doomed:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(PATIENCE_S)
        if hold_port:
            self._socket = _bound(self.port)

    def wait_until(self, true: Callable[[FakeUpstream], bool], timeout: float = PATIENCE_S) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: true(self), timeout):
                raise AssertionError(f"waited in vain: {len(self.requests)} requests, {self.left} left")

    def wait_requests(self, count: int) -> None:
        self.wait_until(lambda server: len(server.requests) >= count)

    def wait_left(self, count: int = 1) -> None:
        """Until `count` callers have closed their connection in the middle of an exchange."""
        self.wait_until(lambda server: server.left >= count)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._changed:
                self.connections += 1
                self._open.add(connection)
                self._threads.append(thread)
                self._changed.notify_all()
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        connection = raw
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls:
                connection = self._tls.wrap_socket(raw, server_side=True)
                with self._changed:
                    self._open.add(connection)
            reader = connection.makefile("rb")
            while (request := read_request(reader)) and self._answer(connection, request):
                pass
        except OSError:
            pass
        finally:
            with self._changed:
                self._open -= {raw, connection}
                self._changed.notify_all()
            close(connection)

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        with self._changed:
            self.requests.append(request)
            behaviour = self._script.pop(0) if len(self._script) > 1 else self._script[0]
            self._changed.notify_all()
        exchange = Exchange(connection, request)
        try:
            behaviour(exchange)
        except Gone:
            with self._changed:
                self.left += 1
                self._changed.notify_all()
            return False
        return exchange.keep


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock
