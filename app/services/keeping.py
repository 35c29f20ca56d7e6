"""Keeps the last-known fleet: of the processes that share a folder one writes, whenever its snapshot has changed."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from pathlib import Path

from app.services.fleet import Fleet
from app.services.last_known import LastKnown
from app.services.snapshot import Snapshot

log = logging.getLogger(__name__)

LOCK_FILE = "fleet.last-known.lock"
PAUSE_S = 1.0
# Writing takes no more than this part of the time, however large the fleet.
PART_OF_TIME = 0.05
STOP_WAIT_S = 5.0


class Keeping:
    """One in every serving process. `look` is a step, `start` repeats it in a thread."""

    def __init__(self, fleet: Fleet, file: LastKnown, folder: Path) -> None:
        self.file = file
        self._fleet = fleet
        self._folder = folder
        self._written: Snapshot | None = None
        self._lock: int | None = None
        self._fails = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="rollcall-keeping", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Another process may write from now on. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_WAIT_S)
            self._thread = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = self._written = None

    def look(self) -> None:
        """Write what changed. A disk that is full or read-only costs the file's freshness, and a line in the log."""
        snapshot = self._fleet.loaded
        if snapshot is None or snapshot is self._written:
            return
        try:
            if self._may_write():
                self.file.save(snapshot)
                self._written = snapshot
                self._fails = False
        except (OSError, ValueError) as error:
            if not self._fails:
                self._fails = True
                log.error("The last-known fleet cannot be written to %s: %s", self._folder, error)

    def _may_write(self) -> bool:
        """The first one that asks, until it ends: the kernel frees the lock on a kill, too."""
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            opened = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(opened)
                if isinstance(error, BlockingIOError):
                    return False
                raise
            self._lock = opened
        return True

    def _run(self) -> None:
        pause_s = PAUSE_S
        while not self._stopping.wait(pause_s):
            began = time.monotonic()
            try:
                self.look()
            except Exception:
                log.exception("Keeping the last-known fleet stumbled")
            pause_s = max(PAUSE_S, (time.monotonic() - began) / PART_OF_TIME)
