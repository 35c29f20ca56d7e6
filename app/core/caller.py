"""Who waits for what a thread is doing, so that nothing goes on for a caller who left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, Protocol, TypeVar

from app.core.errors import ClientGone, Stopping

Given = ParamSpec("Given")
Made = TypeVar("Made")


class Watch(Protocol):
    """What looks after open calls: the watchdog of upstream/."""

    def enter(self, call: Call) -> None: ...
    def leave(self, call: Call) -> None: ...


class Silence(Protocol):
    """The caller of a stream hears nothing. `due`: when it is to be sent a sign of life, of time.monotonic()."""

    due: float

    def end(self) -> None:
        """Send one, and be due again later. For the thread that works for the caller. Raises ClientGone."""


class Caller:
    """The client of one request. `connection` is its socket; whoever finds it closed sets `is_gone`, for good.

    `is_sent_away`: this process ends, and so must the request; for good, too.
    `sweeps` counts how often the watch found something open for it. `silence`: what whoever waits for something on
    its behalf has to look after meanwhile.
    """

    __slots__ = ("connection", "is_gone", "is_sent_away", "request_id", "silence", "sweeps", "watch")

    def __init__(self, connection: Any, request_id: str, watch: Watch) -> None:
        self.connection = connection
        self.request_id = request_id
        self.watch = watch
        self.is_gone = False
        self.is_sent_away = False
        self.sweeps = 0
        self.silence: Silence | None = None

    def check(self) -> None:
        """Raises ClientGone, or Stopping."""
        if self.is_gone:
            raise ClientGone
        if self.is_sent_away:
            raise Stopping


class Call:
    """Something that is waited for, open from `watch.enter` to `watch.leave`.

    `caller` None: nobody may leave it. `until`: when it ends at the latest, of time.monotonic(). `ended_at`: when the
    watch first told it to end; 0: it did not.
    """

    __slots__ = ("caller", "ended_at", "until", "watch")

    def __init__(self, caller: Caller | None, until: float, watch: Watch) -> None:
        self.caller = caller
        self.until = until
        self.watch = watch
        self.ended_at = 0.0

    def end(self) -> None:
        """Wakes up who waits. Called by the watch from a thread of its own, again and again until the call is left."""
        raise NotImplementedError

    def check(self) -> None:
        """Was it told to end? Raises ClientGone or Stopping, or TimeoutError where its time was over."""
        if self.caller is not None:
            self.caller.check()
        if self.ended_at:
            raise TimeoutError

    def __enter__(self) -> None:
        self.watch.enter(self)

    def __exit__(self, *_: object) -> None:
        self.watch.leave(self)


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)
current = _current.get
"""The caller that this thread (or greenlet) works for. New threads work for nobody."""
arrived = _current.set
"""From now on this thread works for that caller, or for nobody (None)."""


@contextmanager
def serving(caller: Caller | None) -> Iterator[None]:
    """Inside the block this thread works for another caller, or for nobody (None)."""
    before = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(before)


def carried(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """The function for another thread, which then works for the caller of this one."""
    caller = current()

    def run(*given: Given.args, **named: Given.kwargs) -> Made:
        with serving(caller):
            return function(*given, **named)

    return run
