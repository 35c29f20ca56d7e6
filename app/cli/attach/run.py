"""The life of an attached model server, from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.cli.attach.child import Child
from app.cli.attach.connections import open_connections
from app.cli.attach.moments import EndNow, Moments
from app.cli.attach.plan import Plan
from app.cli.attach.readiness import Readiness
from app.cli.attach.say import say
from app.settings import Settings

# Until every process of the servers has seen that the registration is over.
SEEN_BY_ALL_S = 1.0
LOOK_S = 0.2


def run(plan: Plan, settings: Settings, *, ready_timeout_s: float, grace_s: float) -> int:
    """The exit code: 0 only for a stop that was asked for. Raises Refused."""
    readiness = Readiness(plan.words, settings)
    plan.lease.check()
    with Moments() as moments:
        child = Child(plan.command, plan.claim.port)
        say(f"started {child.name} as process {child.pid} on port {plan.claim.port}")
        try:
            return _lived(plan, child, readiness, moments, ready_timeout_s, grace_s)
        except EndNow:  # while it was being ended
            return 0
        finally:
            child.kill()


def _lived(
    plan: Plan, child: Child, readiness: Readiness, moments: Moments, ready_timeout_s: float, grace_s: float
) -> int:
    def goes_on() -> bool:
        return child.code is None and not moments.stop_asked

    try:
        if readiness.wait(ready_timeout_s, goes_on, moments.wait):
            _serve(plan, moments, goes_on)
        code = None if moments.stop_asked else child.code
        if code is not None:
            say(f"{child.name} {child.ending}")
        plan.lease.end()
        if plan.lease.was_held:
            _drain(child, plan.claim.port, moments, grace_s)
        return 0 if code is None else max(code, 0) or 1
    except EndNow:
        child.kill()
        return 0
    finally:
        child.end(moments.wait)


def _serve(plan: Plan, moments: Moments, goes_on: Callable[[], bool]) -> None:
    while goes_on():
        plan.lease.renew()
        moments.wait(plan.lease.pause_s)


def _drain(child: Child, port: int, moments: Moments, grace_s: float) -> None:
    """Open requests may finish; where they cannot be counted they have the whole time."""
    begun = time.monotonic()
    told = False
    while child.code is None and (left := begun + grace_s - time.monotonic()) > 0:
        count = open_connections(port)
        is_seen = time.monotonic() - begun >= SEEN_BY_ALL_S
        if count == 0 and is_seen:
            return
        if count and is_seen and not told:
            connections = "1 open connection" if count == 1 else f"{count} open connections"
            say(f"waiting up to {grace_s:g} s for {connections}; Ctrl-C again ends at once")
            told = True
        moments.wait(min(LOOK_S, left))
