"""`limits.concurrency`: slots at a worker, shared by the processes of this host that share one `var` folder.

Each slot is a byte of one file, locked while a call is inside. Who finds all slots taken may stand in line, and who
comes later does not overtake: in a process the line is a list, between processes the first of each line shows when it
came, as another locked byte.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from app.core.worker import Worker
from app.services.range_locks import RangeLocks
from app.services.waiting import wait

# Only the first of a line looks so often: no process is told that another one's slot became free.
LOOK_AGAIN_S = 0.01
MOST_SLOTS = 1 << 14

# 63 bits of file: 0 | 48 bits of the worker | 14 bits of the slot, and 1 | 30 bits of the worker | 32 bits of time.
_WORKER_BITS, _SLOT_BITS, _LINE_BITS, _TIME_BITS = 48, 14, 30, 32
_LINES = 1 << (_WORKER_BITS + _SLOT_BITS)
_TICKS_PER_S = 10_000


@dataclass(slots=True, eq=False)
class _Waiter:
    arrived: int
    woken: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, eq=False)
class Slot:
    """Room for one call. `release` may be called from any thread, and more than once."""

    slots: Slots
    key: int
    number: int
    is_free: bool = False

    def release(self) -> None:
        self.slots.give_back(self)


class Slots:
    """Thread-safe. One for a process and its `var` folder."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._locks = RangeLocks(folder / "slots.lock")
        self._held: dict[int, set[int]] = {}
        self._lines: dict[int, list[_Waiter]] = {}

    def take(self, worker: Worker, limit: int) -> Slot | None:
        """A slot, if one is free and nobody waits for it."""
        key = _key(worker)
        with self._lock:
            if key in self._lines or not self._locks.are_free(_line(key), 1 << _TIME_BITS):
                return None
            return self._grab(key, limit)

    def wait(self, wanted: Sequence[tuple[Worker, int]], until: float) -> tuple[Worker, Slot] | None:
        """The first slot that becomes free at one of these workers (each with its limit), in order of arrival.

        At least one worker. None when `until`, a time of time.monotonic(), comes first. Raises ClientGone.
        """
        workers = {_key(worker): (worker, limit) for worker, limit in wanted}
        waiter = _Waiter(int(time.monotonic() * _TICKS_PER_S) % (1 << _TIME_BITS))
        self._join(workers, waiter)
        try:
            while True:
                waiter.woken.clear()
                with self._lock:
                    leading = [key for key in workers if self._lines[key][0] is waiter]
                    for key in leading:
                        worker, limit = workers[key]
                        if slot := self._grab_in_turn(key, limit, waiter):
                            return worker, slot
                left = until - time.monotonic()
                if left <= 0:
                    return None
                wait(waiter.woken, min(left, LOOK_AGAIN_S) if leading else left)
        finally:
            self._leave(workers, waiter)

    def give_back(self, slot: Slot) -> None:
        """As `slot.release()`."""
        with self._lock:
            if slot.is_free:
                return
            slot.is_free = True
            held = self._held[slot.key]
            held.discard(slot.number)
            if not held:
                del self._held[slot.key]
            self._locks.give_back(_slot(slot.key, slot.number))
            if line := self._lines.get(slot.key):
                line[0].woken.set()

    def _join(self, keys: Iterable[int], waiter: _Waiter) -> None:
        with self._lock:
            for key in keys:
                self._lines.setdefault(key, []).append(waiter)

    def _leave(self, keys: Iterable[int], waiter: _Waiter) -> None:
        with self._lock:
            for key in keys:
                line = self._lines[key]
                line.remove(waiter)
                self._locks.give_back(_line(key) + waiter.arrived)
                if line:
                    self._locks.take(_line(key) + line[0].arrived)
                    line[0].woken.set()
                else:
                    del self._lines[key]

    def _grab_in_turn(self, key: int, limit: int, waiter: _Waiter) -> Slot | None:
        self._locks.take(_line(key) + waiter.arrived)
        is_first = self._locks.are_free(_line(key), waiter.arrived)
        return self._grab(key, limit) if is_first else None

    def _grab(self, key: int, limit: int) -> Slot | None:
        held = self._held.setdefault(key, set())
        if len(held) < limit:
            for number in range(min(limit, MOST_SLOTS)):
                if number not in held and self._locks.take(_slot(key, number)):
                    held.add(number)
                    return Slot(self, key, number)
        if not held:
            del self._held[key]
        return None


def _key(worker: Worker) -> int:
    """By identity, so that a worker which was deleted and registered again has no new slots."""
    identity = "\0".join((worker.model_name, worker.url, worker.instance))
    return int.from_bytes(blake2b(identity.encode(), digest_size=_WORKER_BITS // 8).digest(), "big")


def _slot(key: int, number: int) -> int:
    return key << _SLOT_BITS | number


def _line(key: int) -> int:
    """Where the line of a worker begins. Two workers may share one: then they only wait for each other's turn."""
    return _LINES | (key % (1 << _LINE_BITS)) << _TIME_BITS
