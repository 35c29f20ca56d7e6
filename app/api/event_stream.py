"""The body of a streamed reply. It needs no Flask context while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from app.core.errors import RollcallError

log = logging.getLogger(__name__)

ErrorFrame = Callable[[RollcallError, str], bytes]
"""How a surface tells an error inside a stream: frame(error, request_id)."""


class EventStream:
    """An iterator of bytes whose close() closes the upstream, also when nobody has read a byte yet.

    (A generator's `finally` does not run when it was never started: a client that leaves early would leak.)
    """

    def __init__(
        self, pieces: Iterator[bytes], close: Callable[[], None], request_id: str, error_frame: ErrorFrame
    ) -> None:
        self._pieces = pieces
        self._close = close
        self._request_id = request_id
        self._error_frame = error_frame

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise
        except Exception:
            log.exception("request %s: the stream failed", self._request_id)
            self._pieces = iter(())
            message = f"The stream broke inside Rollcall; its log says more under the request id {self._request_id}."
            return self._error_frame(RollcallError(message), self._request_id)

    def close(self) -> None:
        self._close()
