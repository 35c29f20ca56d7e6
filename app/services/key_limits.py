"""Requests a minute and at once, for each key, counted over all processes that share one `var` folder.

What was admitted lies in a file for each key, mapped into memory; who is inside are bytes of one file, each locked
while a request is in. So both outlive any process, and the kernel takes out whoever is killed. No SQL.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import threading
import time
from collections.abc import Collection, MutableSequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from app.core.api_keys import Key
from app.core.errors import TooManyRequests
from app.core.rates import Rate, admit, length_of
from app.services.hosts import Hosts
from app.services.range_locks import RangeLocks
from app.storage.database import Database

log = logging.getLogger(__name__)

Ring = MutableSequence[float]

# Another process holds a ring for microseconds; one that was stopped in there must not stop everyone.
_PATIENCE_S = 0.1
_LOOK_AGAIN_S = 0.0002
_FULL_AGAIN_S = 1.0
_BYTES = 8
_SLOT_BITS = 14
_RINGS = 1 << 62


@dataclass(slots=True, eq=False)
class Admission:
    """A request under the limits of its key. `refusal`: why it may not go on. `release` when it is over, once."""

    limits: KeyLimits
    key: Key
    rate: Rate | None = None
    slot: int | None = None
    refusal: TooManyRequests | None = None

    def release(self) -> None:
        self.limits.leave(self)


class KeyLimits:
    """Thread-safe. One for a process and its `var` folder."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._folder = folder / "limits"
        self._locks = RangeLocks(self._folder / "keys.lock", "the limits of API keys count this process's calls alone")
        self._hosts = Hosts(database, folder, self._locks)
        self._lock = threading.Lock()
        self._inside: dict[str, set[int]] = {}
        self._rings: dict[tuple[str, int], Ring] = {}

    def enter(self, key: Key) -> Admission:
        """Never waits. What is refused counts neither as a request of the minute nor as one at once."""
        admission = Admission(self, key)
        with self._lock:
            if key.concurrency is not None and not self._take_slot(admission, self._hosts.share(key.concurrency)):
                admission.refusal = _full(key.concurrency)
            elif key.rpm is not None:
                admission.rate = rate = self._admitted(key, key.rpm)
                if not rate.allowed:
                    self._give_back(admission)
                    admission.refusal = _too_fast(rate)
        return admission

    def leave(self, admission: Admission) -> None:
        with self._lock:
            self._give_back(admission)

    def beat(self, prefixes: Collection[str]) -> None:
        """Share with the hosts that live; drop what is kept of other keys than these. Raises StorageUnavailable."""
        self._hosts.beat()
        for file in self._folder.glob("*.ring"):
            if file.name.partition("-")[0] not in prefixes:
                file.unlink(missing_ok=True)

    def _take_slot(self, admission: Admission, share: int) -> bool:
        inside = self._inside.setdefault(admission.key.prefix, set())
        if len(inside) < share:
            for number in range(share):
                if number not in inside and self._locks.take(_slot(admission.key, number)):
                    inside.add(number)
                    admission.slot = number
                    return True
        return False

    def _give_back(self, admission: Admission) -> None:
        number, admission.slot = admission.slot, None
        if number is not None:
            self._inside[admission.key.prefix].discard(number)
            self._locks.give_back(_slot(admission.key, number))

    def _admitted(self, key: Key, rpm: int) -> Rate:
        ring = self._ring(key.prefix, rpm)
        place = _RINGS | int(key.prefix, 16)
        until = time.monotonic() + _PATIENCE_S
        while not (is_mine := self._locks.take(place)) and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)
        try:
            return admit(ring, rpm, self._hosts.share(rpm), time.monotonic())
        finally:
            if is_mine:
                self._locks.give_back(place)

    def _ring(self, prefix: str, rpm: int) -> Ring:
        found = self._rings.get((prefix, rpm))
        if found is None:
            found = self._rings[prefix, rpm] = self._mapped(f"{prefix}-{rpm}.ring", _BYTES * length_of(rpm))
        return found

    def _mapped(self, name: str, size: int) -> Ring:
        """Zeroes at first. Where there can be no file, this process counts for itself."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(file, size)
                return cast(Ring, memoryview(mmap.mmap(file, size)).cast("d"))
            finally:
                os.close(file)
        log.error("Requests a minute are counted for each process alone: %s cannot be used", self._folder)
        return cast(Ring, memoryview(bytearray(size)).cast("d"))


def _slot(key: Key, number: int) -> int:
    return int(key.prefix, 16) << _SLOT_BITS | number


def _full(limit: int) -> TooManyRequests:
    sentence = f"This API key may have {limit} requests open at once, and has; try again when one is done."
    return TooManyRequests(sentence, code="concurrency_limit_exceeded", retry_after_s=_FULL_AGAIN_S)


def _too_fast(rate: Rate) -> TooManyRequests:
    sentence = f"This API key may make {rate.limit} requests in a minute, and did; see Retry-After."
    return TooManyRequests(sentence, retry_after_s=rate.reset_s)
