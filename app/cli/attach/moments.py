"""What `attach` waits for: a request to stop, the end of its child, or time."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndNow(BaseException):
    """Asked to stop a second time: whatever is going on is left at once. Raised in the main thread, and only once."""


class Moments:
    """A context manager for the main thread; handlers are as they were when it ends."""

    def __init__(self) -> None:
        self.stop_asked = False
        self._hurry = False

    def __enter__(self) -> Moments:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        # Who ignores a signal from the start (nohup) means it.
        heard = [number for number in _STOPS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before: dict[signal.Signals, Any] = {number: signal.signal(number, self._stop) for number in heard}
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reading)
        os.close(self._writing)

    def wait(self, seconds: float) -> None:
        """Until a signal arrives, a child ends, or so many seconds are over."""
        if select.select([self._reading], [], [], max(seconds, 0.0))[0]:
            os.read(self._reading, 4096)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop_asked and not self._hurry:
            self._hurry = True
            raise EndNow
        self.stop_asked = True
