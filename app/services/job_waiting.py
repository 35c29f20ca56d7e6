"""Callers who wait until a job is finished, whichever process finishes it."""

from __future__ import annotations

import threading
import time

from app.services.job_store import JobStore
from app.services.waiting import wait

# What this process finishes is told at once; what another one does is seen by looking.
LOOK_S = 0.2
LONGEST_LOOK_S = 1.0
SLOWER = 1.2


class Waiting:
    """Thread-safe."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiters: dict[str, list[threading.Event]] = {}

    def wait(self, job_id: str, timeout_s: float) -> None:
        """Returns when the job is finished or gone, or after `timeout_s`. Raises ClientGone."""
        until = time.monotonic() + timeout_s
        news = threading.Event()
        with self._lock:
            self._waiters.setdefault(job_id, []).append(news)
        try:
            look_s = LOOK_S
            while self._store.state_of(job_id) in ("submitting", "running"):
                left = until - time.monotonic()
                if left <= 0 or wait(news, min(look_s, left)):
                    return
                look_s = min(look_s * SLOWER, LONGEST_LOOK_S)
        finally:
            self._leave(job_id, news)

    def told(self, job_id: str) -> None:
        """The job is finished, or gone."""
        with self._lock:
            for news in self._waiters.get(job_id, ()):
                news.set()

    def _leave(self, job_id: str, news: threading.Event) -> None:
        with self._lock:
            waiters = self._waiters[job_id]
            waiters.remove(news)
            if not waiters:
                del self._waiters[job_id]
