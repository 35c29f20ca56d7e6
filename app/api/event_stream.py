"""The body of a streamed reply. It needs no Flask context while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from app.core.dialects.openai_chunks import error_frame
from app.core.errors import RollcallError

log = logging.getLogger(__name__)


class EventStream:
    """An iterator of bytes whose close() closes the upstream, also when nobody has read a byte yet.

    (A generator's `finally` does not run when it was never started: a client that leaves early would leak.)
    """

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None], request_id: str) -> None:
        self._pieces = pieces
        self._close = close
        self._request_id = request_id

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
            return error_frame(RollcallError(message), self._request_id)

    def close(self) -> None:
        self._close()
