"""A process that makes requests with a key under limits, and says how many it was let.

usage: python -m tests.security.key_callers VAR PREFIX RPM REQUESTS
   or: python -m tests.security.key_callers VAR PREFIX at-once CONCURRENCY
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from app.core.api_keys import Key
from app.services.key_limits import KeyLimits
from app.storage.database import Database


def main() -> None:
    var, prefix, first, second = sys.argv[1:]
    limits = KeyLimits(cast(Database, None), Path(var))
    if first == "at-once":
        key, tries = limited(prefix, concurrency=int(second)), int(second)
    else:
        key, tries = limited(prefix, rpm=int(first)), int(second)
    print("ready", flush=True)
    sys.stdin.readline()
    print(sum(limits.enter(key).refusal is None for _ in range(tries)), flush=True)
    sys.stdin.read()


def limited(prefix: str, rpm: int | None = None, concurrency: int | None = None) -> Key:
    return Key(1, prefix, b"", "", frozenset({"infer"}), 0.0, rpm=rpm, concurrency=concurrency)


if __name__ == "__main__":
    main()
