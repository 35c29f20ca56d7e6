"""One view of all API keys, made whole and never changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from app.core.api_keys import Key


@dataclass(frozen=True, slots=True)
class Entry:
    """A key that counts until `until`, of time.monotonic(): a wall clock that jumps ends none."""

    key: Key
    until: float


@dataclass(frozen=True, slots=True)
class Known:
    """All keys that are not revoked, by prefix. `any_ever`: there was a key once, if only one that is over.

    `newest` is the revision of the last change; -1: of a view that is not the database's own word.
    """

    entries: Mapping[str, Entry]
    newest: int
    any_ever: bool

    @property
    def keys(self) -> list[Key]:
        return [entry.key for entry in self.entries.values()]

    @property
    def limited(self) -> frozenset[str]:
        """The prefixes of those with limits."""
        return frozenset(key.prefix for key in self.keys if key.rpm is not None or key.concurrency is not None)


NOBODY: Final = Entry(Key(0, "", os.urandom(32), "", frozenset(), 0.0), -inf)
"""Stands in for the key that is not there, so that a stranger's text costs the same work as a friend's."""


def view(keys: Iterable[Key], now: float, newest: int, *, any_ever: bool) -> Known:
    """`now`: the time by the clock that the keys' times are of."""
    here = time.monotonic()
    entries = {
        key.prefix: Entry(key, inf if key.expires_at is None else here + key.expires_at - now)
        for key in keys
        if key.revoked_at is None
    }
    return Known(entries, newest, any_ever)
