"""Workers that refused a connection moments ago, as this process saw it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

# Long enough for the prober to reach its verdict. A refused connection costs a request next to nothing, so a
# worker that came back meanwhile is tried again soon.
BENCH_S = 2.0
NOBODY: frozenset[int] = frozenset()


class Bench:
    """A collection of worker ids. Thread-safe, in memory; it asks for probes but never touches the database."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[int, float] = {}
        self._wanted: set[int] = set()

    def refused(self, worker_id: int) -> None:
        """No traffic for this worker for BENCH_S, and a probe soon."""
        with self._lock:
            self._until[worker_id] = self._clock() + BENCH_S
            self._wanted.add(worker_id)

    def drain_requests(self) -> list[int]:
        """The workers to probe soon; each is named once for every time on the bench."""
        with self._lock:
            wanted, self._wanted = self._wanted, set()
        return sorted(wanted)

    def active(self) -> frozenset[int]:
        if not self._until:
            return NOBODY
        now = self._clock()
        with self._lock:
            self._until = {worker_id: until for worker_id, until in self._until.items() if until > now}
            return frozenset(self._until)

    def is_benched(self, worker_id: int) -> bool:
        until = self._until.get(worker_id)
        return until is not None and until > self._clock()

    def __contains__(self, worker_id: object) -> bool:
        return isinstance(worker_id, int) and self.is_benched(worker_id)

    def __iter__(self) -> Iterator[int]:
        return iter(self.active())

    def __len__(self) -> int:
        return len(self.active())
