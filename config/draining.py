"""The time before a stop: readiness says no in every serving process, and all else goes on as before."""

from __future__ import annotations

import mmap
import signal
import threading
from typing import Any

# One byte that this process shares with all that are forked from it. (A module is loaded once; gunicorn's
# configuration again with each SIGHUP.)
_flag = mmap.mmap(-1, 1)


def is_draining() -> bool:
    return _flag[0] != 0


def delay_stops(server: Any, delay_s: float) -> None:
    """SIGTERM takes gunicorn `delay_s` later: at once it would close the port under those who still send requests.

    A second SIGTERM does not wait, and Ctrl-C never does.
    """
    stop = server.handle_term

    def handle_term() -> None:
        waited = is_draining()
        _flag[0] = 1
        if waited or not delay_s:
            stop()
            return
        server.log.info("Not ready any more; this server stops in %g s (ROLLCALL_DRAIN_DELAY)", delay_s)
        again = threading.Timer(delay_s, server.SIG_QUEUE.put_nowait, [signal.SIGTERM])
        again.daemon = True
        again.start()

    server.handle_term = handle_term
