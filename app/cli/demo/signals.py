"""Ctrl-C, SIGTERM and a closed terminal all mean: stop cleanly, then exit 0."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it each of these signals raises KeyboardInterrupt, also in a background job that was born deaf to some."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDING}
    try:
        with _own_terminal():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_endings() -> None:
    """For the moments in which everything is being stopped already."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _own_terminal() -> Iterator[None]:
    """Under make, a Ctrl-C would reach make too, and make would report it as a failure: so the demo takes it alone."""
    group = os.getpgrp()
    if "MAKELEVEL" not in os.environ or not sys.stdin.isatty() or os.tcgetpgrp(0) != group or group == os.getpid():
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a stopped demo would leave make and the shell waiting for it
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(0, group)
