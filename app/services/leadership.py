"""Who may probe: one process per database holds the lease, the others watch its beat.

A lease is dead when its beat has stood still for `lease_s` of the watcher's own monotonic clock, so that neither a
wall clock that jumps nor a database host with another time can freeze it or steal it.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable

from app.storage.lease import Lease

_RENEWALS_PER_LEASE = 4


class Leadership:
    """What this process knows about the lease. `mine` is the lease it holds, as it last saw the row."""

    def __init__(self, lease_s: float, clock: Callable[[], float]) -> None:
        self.mine: Lease | None = None
        self._lease_s = lease_s
        self._clock = clock
        self._seen: Lease | None = None
        self._seen_at = 0.0
        self._renewed_at = 0.0

    def learn(self, row: Lease) -> bool:
        """Take note of the row as it stands now; True when it is ours."""
        if self.mine and (row.holder, row.epoch) == (self.mine.holder, self.mine.epoch):
            self.mine = row
            return True
        self.mine = None
        if row != self._seen:
            self._seen, self._seen_at = row, self._clock()
        return False

    def is_vacant(self, row: Lease) -> bool:
        """May the row that was just learnt be taken?"""
        return not row.holder or self._clock() - self._seen_at >= self._lease_s

    def won(self, lease: Lease | None) -> None:
        """The row after an attempt to take or renew it; None: somebody else has it."""
        self.mine = lease
        self._renewed_at = self._clock()
        self.look_afresh()

    def should_renew(self) -> bool:
        return self.mine is not None and self._clock() - self._renewed_at >= self._lease_s / _RENEWALS_PER_LEASE

    def look_afresh(self) -> None:
        """The row was out of sight: what stood still meanwhile proves nothing about its holder."""
        self._seen = None


def new_holder() -> str:
    """A name for one term of office; readable in the database, never the same twice."""
    return f"{socket.gethostname()[:40]}/{os.getpid()}/{secrets.token_hex(4)}"
