"""One watchdog for a process: it ends calls whose caller left, and calls whose time is over.

A thread (under gevent a greenlet) looks around every TICK_S. A call that is over by then costs nothing but its place
in a set. Callers that were waiting at two looks in a row are watched by one epoll, which is never waited for: it says
at once who closed the connection, or only the writing half of it. Ending a call means shutting its socket down,
which wakes up whoever reads from it, writes to it or shakes hands over it, whatever was said on it so far.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import sys
import threading
import time
from typing import Any

from app.core.caller import Call, Caller

log = logging.getLogger(__name__)

TICK_S = 0.05
# After so many looks at nothing it sleeps until something is to be looked after.
QUIET = 20
LONGEST_SLEEP_S = 5.0
SWEEPS = 2
# Reads end by themselves at their deadline; what stands still elsewhere is ended so much later.
LATE_S = 0.1
# Who does not end then is writing to a caller that does not read: the caller's connection is ended, too.
STUBBORN_S = 0.2
STOP_WAIT_S = 2.0


class WireCall(Call):
    """A call over a socket; `wire` None: it is not connected yet. With a duplicate of it while TLS wraps it."""

    __slots__ = ("wire",)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.wire: socket.socket | None = None

    def end(self) -> None:
        if self.wire is not None:
            shut(self.wire)


class Watchdog:
    """Thread-safe. Until `start` it looks after nothing.

    `sends_away_at`: when the calls of every caller end, of time.monotonic(), because this process does.
    """

    def __init__(self) -> None:
        self._calls: set[Call] = set()
        self._callers: dict[int, Caller] = {}
        self._lock = threading.Lock()
        self.sends_away_at = float("inf")
        self._stopping = False
        self._sleeps = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._epoll: Any = None

    def enter(self, call: Call) -> None:
        """Raises ClientGone where the caller is known to have left."""
        if call.caller is not None:
            call.caller.check()
        self._calls.add(call)
        if self._sleeps:
            self._wake.set()

    def leave(self, call: Call) -> None:
        """When this returns, the call's socket may be used for something else. May be called twice."""
        with self._lock:
            self._calls.discard(call)

    def start(self) -> None:
        """Once in each serving process."""
        self._epoll = _new_epoll()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="rollcall-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_WAIT_S)
            self._thread = None

    def sweep(self) -> None:
        """One look around."""
        calls = list(self._calls)
        if not calls:
            return
        self._look_for_departures(calls)
        now = time.monotonic()
        is_over = now >= self.sends_away_at
        for call in calls:
            caller = call.caller
            if is_over and caller is not None:
                caller.is_sent_away = True
            if now > call.until + LATE_S or (caller is not None and (caller.is_gone or is_over)):
                self._end(call, now)

    def _look_for_departures(self, calls: list[Call]) -> None:
        for call in calls:
            caller = call.caller
            if caller is not None and caller.sweeps < SWEEPS:
                caller.sweeps += 1
                if caller.sweeps == SWEEPS and self._epoll is not None:
                    self._watch(caller)
        left = self._epoll.poll(0, len(self._callers)) if self._callers else ()
        waiting = {call.caller for call in calls} if left else set()
        for number, _ in left:
            caller = self._callers.pop(number, None)
            if caller is not None:
                caller.is_gone = True
                if caller in waiting:  # and not one whose request was answered before it left
                    log.debug("request %s: the client left before its answer was there", caller.request_id)

    def _watch(self, caller: Caller) -> None:
        """Until it leaves: the system forgets a closed socket by itself, and one that serves again is watched anew."""
        number = caller.connection.fileno()
        if number < 0:
            return
        events = select.EPOLLRDHUP | select.EPOLLONESHOT
        self._callers[number] = caller
        with contextlib.suppress(OSError):  # closed just now
            try:
                self._epoll.register(number, events)
            except FileExistsError:
                self._epoll.modify(number, events)

    def _end(self, call: Call, now: float) -> None:
        with self._lock:  # so that its socket is not given to another call meanwhile
            if call not in self._calls:
                return
            if not call.ended_at:
                call.ended_at = now
            elif now - call.ended_at > STUBBORN_S and call.caller is not None and _is_full(call.caller.connection):
                shut(call.caller.connection)
            call.end()

    def _run(self) -> None:
        quiet = 0
        while not self._stopping:
            quiet = 0 if self._calls else quiet + 1
            if quiet > QUIET:
                self._sleep()
            time.sleep(TICK_S)
            try:
                self.sweep()
            except Exception:
                log.exception("The watchdog stumbled")

    def _sleep(self) -> None:
        self._wake.clear()
        self._sleeps = True
        if not self._calls and not self._stopping:  # what is entered from now on wakes it
            self._wake.wait(LONGEST_SLEEP_S)
        self._sleeps = False


def shut(wire: socket.socket) -> None:
    # The plain socket's shutdown: TLS's own may wait, and a thread that reads must wake up.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(wire, socket.SHUT_RDWR)


def _new_epoll() -> Any:
    """None: this system has none. gevent takes it out of the module, because waiting for it would stop everybody."""
    if not hasattr(select, "EPOLLRDHUP"):
        return None
    monkey = sys.modules.get("gevent.monkey")
    make = monkey.get_original("select", "epoll") if monkey else select.epoll
    return make()


def _is_full(connection: socket.socket) -> bool:
    """Its peer does not take what was written to it."""
    epoll = _new_epoll()
    if epoll is None:
        return False
    with contextlib.suppress(OSError, ValueError), epoll:
        epoll.register(connection.fileno(), select.EPOLLOUT)
        return not epoll.poll(0)
    return False
