"""`make chaos`: the long half of the faults. Prints one table; exits with 1 where a promise was broken.

KILLS=1000 of servers during registration, RESTARTS=100 of PostgreSQL, MINUTES=10 of random faults; ONLY=worker_killed,…
runs some of the parts.
"""

from __future__ import annotations

import os
import sys
import time
import traceback

from tests.faults import parts
from tests.faults.tally import Tally

PARTS = (
    parts.worker_killed,
    parts.worker_hangs,
    parts.black_hole,
    parts.all_full,
    parts.retries,
    parts.clients_leave,
    parts.replies_overrun,
    parts.leader_paused,
    parts.clock_jumps,
    parts.postgres_down,
    parts.postgres_restarts,
    parts.killed_while_registering,
    parts.random_faults,
)


def main() -> int:
    known = {part.__name__: part for part in PARTS}
    names = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(known)
    if unknown := [name for name in names if name not in known]:
        print(f"ONLY names no part: {', '.join(unknown)}. There are {', '.join(known)}.")
        return 2
    tally = Tally()
    for name in names:
        begun, folder = time.monotonic(), parts.new_folder()
        try:
            known[name](tally, folder)
            parts.clean(folder)
        except Exception:
            traceback.print_exc()
            tally.note(f"the part {name} comes to its end", False, why=f"what it left is in {folder}")
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
    print(f"\n{tally.table()}\n{'Every promise was kept.' if tally.is_kept else 'A promise was BROKEN.'}")
    return 0 if tally.is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
