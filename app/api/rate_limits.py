"""The limits of a request's key: the place that it holds until its answer is over, and the headers that tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask, Response, g

from app.core.api_keys import Key
from app.services.key_limits import Admission, KeyLimits

_ADMISSION = "rollcall.admission"


def install(app: Flask) -> None:
    """Places are given back when the server is done with the answer, be it a stream or one that failed."""
    serve = app.wsgi_app

    def serve_and_release(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            body = serve(environ, start_response)
        except BaseException:
            _release(environ)
            raise
        return _Held(body, environ) if _ADMISSION in environ else body

    app.wsgi_app = serve_and_release  # type: ignore[method-assign]


def enter(limits: KeyLimits, key: Key, environ: dict[str, Any]) -> None:
    """Raises TooManyRequests."""
    if key.rpm is None and key.concurrency is None:
        return
    g.admission = admission = limits.enter(key)
    if admission.refusal is not None:
        raise admission.refusal
    environ[_ADMISSION] = admission


def tell(response: Response) -> None:
    """By the names that OpenAI's clients know."""
    admission: Admission | None = g.get("admission")
    if admission is not None and (rate := admission.rate) is not None:
        response.headers["x-ratelimit-limit-requests"] = str(rate.limit)
        response.headers["x-ratelimit-remaining-requests"] = str(rate.remaining)
        response.headers["x-ratelimit-reset-requests"] = f"{math.ceil(rate.reset_s)}s"


def _release(environ: dict[str, Any]) -> None:
    admission: Admission | None = environ.pop(_ADMISSION, None)
    if admission is not None:
        admission.release()


class _Held:
    """The server reads the body itself, with nothing in between; only its close() is ours."""

    def __init__(self, body: Iterable[bytes], environ: dict[str, Any]) -> None:
        self._body = body
        self._environ = environ

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        close: Callable[[], None] | None = getattr(self._body, "close", None)
        try:
            if close is not None:
                close()
        finally:
            _release(self._environ)
