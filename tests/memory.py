"""How much memory a serving process takes for something."""

from __future__ import annotations

import threading

import psutil

from tests.serving import Server

MIB = 1 << 20


class MemoryWatch:
    """The most memory that the serving process had, above what it had when the block began."""

    def __init__(self, server: Server) -> None:
        (pid,) = server.pids
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._before = self._process.memory_info().rss
        self._most = self._before
        self._thread = threading.Thread(target=self._look, daemon=True)

    @property
    def growth(self) -> int:
        return self._most - self._before

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            self._most = max(self._most, self._process.memory_info().rss)
