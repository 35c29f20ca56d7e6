"""A TLS server whose records drip onto the wire byte by byte, which no plain socket option can do."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from types import TracebackType


class DrippingTls:
    """Answers one request a connection with `reply`, in one record. `left`: connections that the caller ended.

    Drips from its first byte, or (`handshake` false) only the record that holds the reply, each byte after `every_s`.
    """

    def __init__(self, context: ssl.SSLContext, reply: bytes, every_s: float = 0.02, *, handshake: bool) -> None:
        self._context = context
        self._reply = reply
        self._every_s = every_s
        self._drips = handshake
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        self.left = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> DrippingTls:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(came, goes, server_side=True)
        drips = self._drips
        with connection, contextlib.suppress(OSError):
            for step in (tls.do_handshake, lambda: tls.read(65_536)):
                while True:
                    try:
                        step()
                        break
                    except ssl.SSLWantReadError:
                        self._send(connection, goes.read(), drips)
                        if not (piece := connection.recv(65_536)):
                            break
                        came.write(piece)
            self._send(connection, goes.read(), drips)
            tls.write(self._reply)
            self._send(connection, goes.read(), True)
        self.left += 1

    def _send(self, connection: socket.socket, data: bytes, drips: bool) -> None:
        for piece in [data[n : n + 1] for n in range(len(data))] if drips else [data]:
            connection.sendall(piece)
            if drips:
                time.sleep(self._every_s)
