"""Replies of workers, read with a deadline at every read and never beyond their cap."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO

from urllib3 import BaseHTTPResponse

from app.core.errors import CalledOff
from app.upstream.connection import TURN_BYTES, TURN_S, Reads
from app.upstream.failure import SendFailure, reply_failure
from app.upstream.response import Response

PIECE = TURN_BYTES
# After its end mark a stream's body should end at once; then its connection can be used again.
TAIL_S = 0.05


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """A whole reply; its headers are looked up by lower-case name."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class UpstreamStream:
    """An open reply. Read it by `chunks` or `read_all`, then `finish` or `close` it; both may be called twice.

    Every read may wait for `idle_s`, and no longer than until `deadline` (of time.monotonic()). Reading raises
    SendFailure, and ClientGone, and closes.
    """

    def __init__(self, response: BaseHTTPResponse | Response, deadline: float, idle_s: float, cap: int) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._deadline = deadline
        self._idle_s = idle_s
        self._reads: Reads | None = getattr(response.connection, "reads", None)
        if self._reads is not None:
            self._reads.until, self._reads.idle_s = deadline, idle_s
        self._cap = cap
        self._encoded = "content-encoding" in response.headers
        self._closed = False

    def chunks(self, *, capped: bool = False) -> Iterator[bytes]:
        """The body's pieces as they come, none empty. `capped`: together no more than a reply may have."""
        announced = self.headers.get("content-length", "")
        if capped and announced.isdecimal() and int(announced) > self._cap:
            raise self._too_large()
        total = run = 0
        while piece := self._read():
            total += len(piece)
            if capped and total > self._cap:
                raise self._too_large()
            if self._encoded:  # little that came may become much
                run += len(piece)
                if run >= TURN_BYTES:
                    time.sleep(TURN_S)
                    run = 0
            yield piece

    def read_all(self) -> bytes:
        whole = BytesIO()  # a list of pieces could take many times the memory of what is in them
        for piece in self.chunks(capped=True):
            whole.write(piece)
        return whole.getvalue()

    def finish(self) -> None:
        """The reader saw the end mark: keep the connection if the body ends here, close it otherwise."""
        if self._reads is not None and not self._closed:
            self._reads.idle_s = TAIL_S
            with contextlib.suppress(SendFailure):
                self._read()
        if self._response.connection is not None:
            self.close()

    def close(self) -> None:
        """Close the connection at once, unless the reply is complete. The worker sees its caller leave."""
        if self._closed:
            return
        self._closed = True
        wire = getattr(self._response.connection, "wire", None)
        if wire is not None:
            # The plain socket's shutdown: TLS's own may wait, and a thread that reads must wake up.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(wire, socket.SHUT_RDWR)
        # Under gevent a reader in another greenlet holds the buffer; woken up, it closes by itself.
        with contextlib.suppress(OSError, RuntimeError):
            self._response.close()

    def _read(self) -> bytes:
        try:
            return self._response.read1(PIECE, decode_content=self._encoded) or b""
        except CalledOff:
            self.close()
            raise
        except Exception as error:
            late = time.monotonic() >= self._deadline
            waiting = "the answer took too long" if late else f"silent for {self._idle_s:g} s"
            raise self._failed(reply_failure(error, waiting)) from error

    def _too_large(self) -> SendFailure:
        return self._failed(SendFailure("too_large", f"the reply is larger than {self._cap:,} bytes", sent=True))

    def _failed(self, failure: SendFailure) -> SendFailure:
        self.close()
        return failure
