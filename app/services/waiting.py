"""Waiting for something on behalf of a caller: it ends when the caller leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.core.caller import Call, Caller, current


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
        happened = event.wait(timeout_s)
    caller.check()
    return happened


def pause(seconds: float) -> None:
    """As time.sleep(seconds). Raises ClientGone as soon as the caller of this thread leaves."""
    if current() is None:
        time.sleep(seconds)
    else:
        wait(threading.Event(), seconds)
