"""A reply as http.client reads it, in the shape of urllib3's own but with fewer layers between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.client import IncompleteRead

from urllib3 import HTTPResponse as DecodingResponse

from app.upstream.connection import Connection
from app.upstream.head import HeadResponse


class Response:
    """`connection` is None once the body is complete; `give_back` then has it.

    The head is there. Reading raises what http.client and, for a compressed body, what urllib3 raises.
    """

    def __init__(self, raw: HeadResponse, connection: Connection, give_back: Callable[[Connection], None]) -> None:
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self.connection: Connection | None = connection
        self._raw = raw
        self._give_back = give_back
        self._decoding: DecodingResponse | None = None
        if "content-encoding" in raw.headers:
            self._decoding = DecodingResponse(raw, raw.headers, raw.status, preload_content=False)
        if raw.length == 0:
            self._complete()

    def read1(self, amount: int, decode_content: bool) -> bytes:
        """What has come, at most `amount` bytes of the wire; empty at the end of the body."""
        raw = self._raw
        if self.connection is None:
            return b""
        if self._decoding is not None:
            piece = self._decoding.read1(amount, decode_content=decode_content)
            over = not piece
        else:
            piece = raw.read1(amount)
            if not piece and raw.length:
                raise IncompleteRead(b"", raw.length)
            over = not piece or raw.length == 0
        if over:
            self._complete()
        return piece

    def close(self) -> None:
        """The connection too, unless the body is complete."""
        connection, self.connection = self.connection, None
        if connection is not None:
            try:
                self._raw.close()
            finally:
                connection.close()

    def _complete(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self._raw.close()
            self._give_back(connection)
