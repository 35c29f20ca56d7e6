"""Another process with its Slots: `python -m tests.services.slot_keeper FOLDER LIMIT take|wait`.

Says "got" with the first slot and gives it back at the next line it reads; says "none" when it gets none.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from app.services.slots import Slots
from tests.services.routes import worker

PATIENCE_S = 20.0
WORKER = worker(1, "http://127.0.0.1:9/")


def main(folder: str, limit: str, how: str) -> None:
    slots = Slots(Path(folder))
    if how == "take":
        slot = slots.take(WORKER, int(limit))
    else:
        got = slots.wait([(WORKER, int(limit))], time.monotonic() + PATIENCE_S)
        slot = got[1] if got else None
    print("got" if slot else "none", flush=True)
    sys.stdin.readline()
    if slot:
        slot.release()
        print("released", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
