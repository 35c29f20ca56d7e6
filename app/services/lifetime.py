"""How this process ends: announced first, then with a time by which open requests must be answered."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.core.errors import Stopping
from app.upstream.watchdog import Watchdog


class Lifetime:
    """`is_announced` is asked by readiness: it is replaced by whoever knows of a stop before this process does."""

    def __init__(self, watchdog: Watchdog, grace_s: float) -> None:
        self._watchdog = watchdog
        self._grace_s = grace_s
        self.is_announced: Callable[[], bool] = lambda: False
        self.ends_at: float | None = None

    def end(self) -> None:
        """From now on open requests have the grace time left. Does nothing else: it may be called by a signal."""
        if self.ends_at is None:
            self.ends_at = time.monotonic() + self._grace_s
            self._watchdog.sends_away_at = self.ends_at

    def check(self) -> None:
        """Raises Stopping where this process is about to end."""
        if self.ends_at is not None or self.is_announced():
            raise Stopping("This server is stopping; it takes no new requests for long.")

    def left_s(self) -> float:
        """Of the grace time; 0 where no end was asked for."""
        return 0.0 if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())
