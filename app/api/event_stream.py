"""The body of a streamed reply. It needs no Flask context while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.api.keep_alive import KeepAlive
from app.core.errors import RollcallError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InBand:
    """What a surface says between the events of its streams: that it lives, and error(error, request_id)."""

    keep_alive: bytes
    error: Callable[[RollcallError, str], bytes]


class EventStream:
    """An iterator of bytes whose close() closes the upstream, also when nobody has read a byte yet.

    (A generator's `finally` does not run when it was never started: a client that leaves early would leak.)
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        close: Callable[[], None],
        request_id: str,
        in_band: InBand,
        silence: KeepAlive | None = None,
    ) -> None:
        self._pieces = pieces
        self._close = close
        self._request_id = request_id
        self._in_band = in_band
        self._silence = silence

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._silence is not None:
            self._silence.heard()  # the piece before this one was sent
        try:
            return next(self._pieces)
        except StopIteration:
            raise
        except Exception:
            self._pieces = iter(())
            return broken(self._request_id, self._in_band)

    def close(self) -> None:
        if self._silence is not None:
            self._silence.over()
        self._close()


def broken(request_id: str, in_band: InBand) -> bytes:
    """Logs the exception at hand; what the caller hears of it, inside the stream."""
    log.exception("request %s: the stream failed", request_id)
    message = f"The stream broke inside Rollcall; its log says more under the request id {request_id}."
    return in_band.error(RollcallError(message), request_id)
