"""Signs of life for callers of streams that have nothing to read yet, or nothing more for a while.

The thread that answers a request stands in a read from the worker then. It wakes up there to write one piece past
Flask, by the `write` that WSGI's start_response gives, and reads on; an undisturbed stream pays for one comparison per
read. With the first piece the status 200 is out: whatever happens afterwards is told inside the stream. WSGI does not
foresee `write` while a body is being iterated over; gunicorn, the only server that shows us who asks, takes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, current_app, request

from app.core.caller import Caller, current

log = logging.getLogger(__name__)

Write = Callable[[bytes], object]
_START = "rollcall.start_response"


def install(app: Flask) -> None:
    """Lets requests of this application begin their answer before their view has returned."""
    serve = app.wsgi_app

    def serve_with_start(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[_START] = start_response
        return serve(environ, start_response)

    app.wsgi_app = serve_with_start  # type: ignore[method-assign]


class KeepAlive:
    """The silence of one caller, from now on. `piece` is sent after each `after_s` seconds of it.

    `has_begun`: the head of the answer is out, with these headers, because the silence came before the answer.
    """

    def __init__(self, caller: Caller, piece: bytes, after_s: float, begin: Callable[[], Write]) -> None:
        self._caller = caller
        self._piece = piece
        self._after_s = after_s
        self._begin = begin
        self.write: Write | None = None
        self.has_begun = False
        self.heard()

    def heard(self) -> None:
        """The caller got something just now."""
        self.due = time.monotonic() + self._after_s

    def end(self) -> None:
        """Raises ClientGone."""
        try:
            if self.write is None:
                self.write = self._begin()
                self.has_begun = True
            self.write(self._piece)
        except OSError:
            self._caller.is_gone = True
        except Exception:  # of what the application does to every answer: no reason to blame the worker
            log.exception("request %s: its answer could not begin", self._caller.request_id)
            self.due = float("inf")
            return
        self._caller.check()
        self.heard()

    def over(self) -> None:
        """The answer is complete."""
        self._caller.silence = None


def keep_alive(
    piece: bytes, after_s: float, headers: Callable[[], list[tuple[str, str]]], content_type: str
) -> KeepAlive | None:
    """Begins to look after the caller of this thread, where the server shows who that is and `after_s` is not 0."""
    caller, start = current(), request.environ.get(_START)
    if caller is None or start is None or not after_s:
        return None

    def begin() -> Write:
        # With what the application adds to every answer, such as the request's id.
        head = current_app.process_response(Response(iter(()), 200, headers(), content_type=content_type))
        write: Write = start(head.status, head.headers.to_wsgi_list())
        return write

    caller.silence = silence = KeepAlive(caller, piece, after_s, begin)
    return silence
