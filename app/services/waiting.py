"""Waiting for something on behalf of a caller: it ends when the caller leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.core.caller import Call, Caller, Silence, current


class _Wait(Call):
    __slots__ = ("_wake",)

    def __init__(self, caller: Caller, wake: Callable[[], None]) -> None:
        super().__init__(caller, float("inf"), caller.watch)
        self._wake = wake

    def end(self) -> None:
        self._wake()


def wait(event: threading.Event, timeout_s: float) -> bool:
    """As event.wait(timeout_s). Raises ClientGone as soon as the caller of this thread leaves.

    `event` is set then: it must be one that nobody else waits for.
    """
    caller = current()
    if caller is None:
        return event.wait(timeout_s)
    with _Wait(caller, event.set):
        happened = event.wait(timeout_s) if caller.silence is None else _heard(event, timeout_s, caller.silence)
    caller.check()
    return happened


def _heard(event: threading.Event, timeout_s: float, silence: Silence) -> bool:
    """Meanwhile the caller of a stream is told, when its time comes, that it is not forgotten."""
    end = time.monotonic() + timeout_s
    while (left := end - time.monotonic()) > 0:
        if event.wait(min(left, max(silence.due - time.monotonic(), 0.0))):
            return True
        if silence.due <= time.monotonic():
            silence.end()
    return event.is_set()


def pause(seconds: float) -> None:
    """As time.sleep(seconds). Raises ClientGone as soon as the caller of this thread leaves."""
    if current() is None:
        time.sleep(seconds)
    else:
        wait(threading.Event(), seconds)
