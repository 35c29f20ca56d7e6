"""One process that migrates: `python -m tests.storage.migrating URL` says it is ready, waits for a line, upgrades."""

from __future__ import annotations

import sys

from tests.databases import upgrade

if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    upgrade(sys.argv[1])
