"""Which hosts share the limits of keys. A host is the processes that share one `var` folder; one of them beats."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from app.core.rates import share_of
from app.services.range_locks import RangeLocks
from app.storage import hosts
from app.storage.database import Database

BEAT_S = 5.0
LIVE_S = 3 * BEAT_S
_TURN = (1 << 63) - 2
"""The byte that the process which beats holds; the kernel hands it on when that process is killed."""


class Hosts:
    """`share` is for the request path. Until a first beat, and without the database, it is as it was last known."""

    def __init__(self, database: Database, folder: Path, locks: RangeLocks) -> None:
        self._database = database
        self._folder = folder
        self._locks = locks
        self._count, self._rank = 1, 0

    def share(self, limit: int) -> int:
        return share_of(limit, self._count, self._rank)

    def beat(self) -> None:
        """Say that this host lives, and see which others do. Raises StorageUnavailable, OSError."""
        me = self._identity()
        if self._locks.take(_TURN):
            with self._database.write() as tx:
                hosts.beat(tx, me, self._database.now(tx))
        with self._database.read() as tx:
            seen = hosts.seen_since(tx, self._database.now(tx) - LIVE_S)
        everyone = sorted({*seen, me})
        self._count, self._rank = len(everyone), everyone.index(me)

    def _identity(self) -> str:
        """The same for all processes that share the folder, made by the first."""
        path = self._folder / "host.id"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text("ascii").strip()
        self._folder.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f"host.id.{os.getpid()}")
        mine.write_text(os.urandom(16).hex(), "ascii")
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)  # whole or not at all, and only where there is none
        mine.unlink()
        return path.read_text("ascii").strip()
