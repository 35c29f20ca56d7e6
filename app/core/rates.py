"""At most so many requests in any minute: the times of the last ones, in a ring. Pure; where it lies is the caller's.

The ring is a row of numbers: how many there ever were, then the times of the last `size` of them. It is read and
written in place, so that several processes may share one.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60.0
_HEAD: Final = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """After a request: `remaining` more may follow at once, one more in `reset_s` seconds. `allowed`: was this one?"""

    limit: int
    remaining: int
    reset_s: float
    allowed: bool


def length_of(size: int) -> int:
    """Of the row of numbers for a ring of `size` times."""
    return _HEAD + size


def admit(ring: MutableSequence[float], limit: int, share: int, now: float) -> Rate:
    """One more request at `now`, if fewer than `share` were admitted in the last WINDOW_S seconds.

    `limit` is the ring's size and what is told; 1 <= share <= limit. All zeroes is a ring that nobody used.
    """
    count = int(ring[0])
    if count and ring[_HEAD + (count - 1) % limit] > now:
        count = 0  # of a time before this machine was started
    recent = _recent(ring, limit, count, now)
    allowed = recent < share
    if allowed:
        ring[_HEAD + count % limit] = now
        count, recent = count + 1, recent + 1
        ring[0] = float(count)
    # the one whose time has to pass before there is room for one more than there is now
    first = ring[_HEAD + (count - max(recent if allowed else share, 1)) % limit]
    return Rate(limit, max(share - recent, 0), max(first + WINDOW_S - now, 0.0), allowed)


def _recent(ring: MutableSequence[float], limit: int, count: int, now: float) -> int:
    """How many of the last times lie in the window. They are in order: found by halving."""
    low, high = 0, min(count, limit)
    while low < high:
        middle = (low + high + 1) // 2
        if ring[_HEAD + (count - middle) % limit] > now - WINDOW_S:
            low = middle
        else:
            high = middle - 1
    return low


def share_of(limit: int, hosts: int, rank: int) -> int:
    """The part of a limit that the host of this rank (from 0) may let through; all parts make the whole.

    A host has at least 1, so that a small limit on many hosts is not a riddle to its callers.
    """
    return max(1, limit // hosts + (rank < limit % hosts))
