"""Locks on the bytes of one file, seen by every process of this host that opens it; the kernel frees them on a kill."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
from pathlib import Path

log = logging.getLogger(__name__)

_HELD_BY_ANOTHER = (errno.EACCES, errno.EAGAIN)


class RangeLocks:
    """POSIX locks: they bind other processes only, so whoever uses this counts its own process's by itself.

    Nothing here waits. The file stays open and empty: closing it anywhere in the process would free its locks.
    Where it cannot be used (a read-only folder) nobody else is seen, and the log says so once.
    """

    def __init__(self, path: Path, loss: str = "limits.concurrency counts this process's calls alone") -> None:
        """`loss`: what the log says where the file cannot be used."""
        self._path = path
        self._loss = loss
        self._opening = threading.Lock()
        self._file: int | None = None
        self._lost = False

    def take(self, offset: int) -> bool:
        """Lock one byte; False: another process holds it. Taking what is held already changes nothing."""
        return self._locked(fcntl.LOCK_EX, 1, offset)

    def give_back(self, offset: int) -> None:
        self._unlock(1, offset)

    def are_free(self, start: int, length: int) -> bool:
        """Does no other process hold one of these bytes? This process must hold none of them."""
        if length <= 0:
            return True
        free = self._locked(fcntl.LOCK_SH, length, start)
        if free:
            self._unlock(length, start)
        return free

    def _locked(self, kind: int, length: int, start: int) -> bool:
        try:
            fcntl.lockf(self._opened(), kind | fcntl.LOCK_NB, length, start)
        except OSError as error:
            if error.errno in _HELD_BY_ANOTHER and self._file is not None:
                return False
            self._lose(error)
        return True

    def _unlock(self, length: int, start: int) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, length, start)

    def _opened(self) -> int:
        if self._file is None:
            with self._opening:
                if self._file is None:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    def _lose(self, error: OSError) -> None:
        if not self._lost:
            self._lost = True
            log.error("%s: %s: %s", self._loss, self._path, error.strerror)
