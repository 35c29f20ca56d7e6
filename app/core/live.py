"""Live verdicts: what one process learns about a worker from its own calls to it. Pure; times are monotonic seconds.

Which state follows which is in core/transitions.py. What a call says counts only where the call began in the present
state: what was under way before says nothing new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, cast

from app.core.retry import BACKPRESSURE, CREDENTIALS, DEFAULT_RETRY_AFTER_S, Failure
from app.core.transitions import AFTER, LiveEvent, LiveState

SUCCESSES: Final = 2
"""Trials in a row that close a half-open worker."""
TRIAL_S: Final = 30.0
"""A trial that lasts longer (a long stream) stands in no other's way."""
SLOWEST: Final = 0.1
"""The part of its weight with which a slow start begins."""
ONE_CRASH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """Failures in a row that eject, for how long (times the number of ejections) and at most, and the other times."""

    eject_after: int = 3
    eject_s: float = 30.0
    eject_max_s: float = 300.0
    bench_s: float = 2.0
    slow_start_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Live:
    """`since`: when the state began; `until`: when its time is over, for half-open: no trial before.

    `failures` and `successes` are in a row, `times` is how often it was ejected. `trial_since`: when the trial under
    way began. `recovered_at`: when its slow start began. `asked_for`: the pause is one that the worker named.
    `in_need`: it was asked although it gets no traffic, and is not asked so again before then; 0: it answered.
    """

    state: LiveState = "closed"
    since: float = float("-inf")
    until: float = 0.0
    failures: int = 0
    failed_at: float = float("-inf")
    successes: int = 0
    times: int = 0
    trial_since: float | None = None
    recovered_at: float | None = None
    asked_for: bool = False
    in_need: float | None = None


WELL = Live()


@dataclass(frozen=True, slots=True)
class Call:
    """What came of one call. `wait_s`: the pause that the worker asked for; None: it named none.

    `jitter`: from -JITTER to JITTER.
    """

    event: LiveEvent
    began: float
    ended: float
    wait_s: float | None = None
    jitter: float = 0.0


def event_of(failure: Failure) -> LiveEvent | None:
    """What a failed attempt says about its worker; None: nothing. A 4xx that blames the caller is a success."""
    if failure.blameless:
        return None
    if failure.kind == "refused":
        return "refused"
    if failure.status in BACKPRESSURE:
        return "backpressure"
    blames_caller = failure.status is not None and 400 <= failure.status < 500 and failure.status not in CREDENTIALS
    return "success" if blames_caller and not failure.retry_matched else "failure"


def recovered(now: float) -> Live:
    """The probes had it down and have it up again."""
    return Live(since=now, recovered_at=now)


def settled(live: Live, now: float) -> Live:
    """As it stands now: what only lasts a while may be over."""
    if live.state in ("closed", "half-open") or now < live.until:
        return live
    after = cast(LiveState, AFTER[live.state, "time over"])
    return replace(live, state=after, since=live.until, until=0.0, successes=0, trial_since=None, asked_for=False)


def step(live: Live, call: Call, policy: LivePolicy) -> Live:
    live = settled(live, call.ended)
    if call.event == "backpressure" and live.state in ("closed", "backing off"):
        return _pausing(live, call)  # also for calls that began before: the pause is asked for now
    if call.began < live.since or (call.event == "failure" and _is_one_crash(live, call)):
        return live
    if call.event == "failure" and live.state in ("closed", "backing off"):
        live = replace(live, failures=live.failures + 1, failed_at=call.ended)
    return _ENTER[_after(live, call.event, policy)](live, call, policy)


def begin_trial(live: Live, now: float) -> Live:
    return replace(live, trial_since=now)


def end_trial(live: Live, began: float) -> Live:
    """The trial, or the attempt in need, that began then is over, and said nothing."""
    if live.in_need == began + TRIAL_S:
        live = replace(live, in_need=None)
    return replace(live, trial_since=None) if live.trial_since == began else live


def is_trial_due(live: Live, now: float) -> bool:
    return live.state == "half-open" and now >= live.until and not _is_on_trial(live, now)


def may_be_asked_in_need(live: Live, now: float) -> bool:
    """One at a time until it answers, and after a failure not at once, so that who hangs keeps few callers waiting."""
    return not live.asked_for and (live.in_need is None or now >= live.in_need)


def ask_in_need(live: Live, now: float) -> Live:
    """Who is merely busy (a pause that it did not name) answers, and needs no such care."""
    return live if live.in_need == 0 or live.state == "backing off" else replace(live, in_need=now + TRIAL_S)


def told_in_need(live: Live, event: LiveEvent, now: float, policy: LivePolicy) -> Live:
    if live.in_need is None:
        return live
    return replace(live, in_need=0.0 if event == "success" else now + policy.bench_s)


def is_resting(live: Live, now: float) -> bool:
    """It refused, or wants a pause: it would not take a call now."""
    return now < live.until and live.state != "ejected"


def part_of_weight(live: Live, now: float, policy: LivePolicy) -> float:
    """How much of its weight counts: less than 1 in the slow start."""
    if live.recovered_at is None or live.state != "closed":
        return 1.0
    passed = now - live.recovered_at
    return 1.0 if passed >= policy.slow_start_s else max(SLOWEST, passed / policy.slow_start_s)


def is_forgotten(live: Live, now: float, policy: LivePolicy) -> bool:
    """Is there nothing more to remember? Ejections count for as long as the longest of them lasts."""
    if live.state != "closed" or live.failures or live.in_need is not None or part_of_weight(live, now, policy) < 1:
        return False
    return not live.times or now - live.since >= policy.eject_max_s


def _is_on_trial(live: Live, now: float) -> bool:
    return live.trial_since is not None and now - live.trial_since < TRIAL_S


def _is_one_crash(live: Live, call: Call) -> bool:
    """Calls that were inside a worker when it crashed fail together, and that is one failure."""
    return call.began < live.failed_at and call.ended - live.failed_at < ONE_CRASH_S


def _after(live: Live, event: LiveEvent, policy: LivePolicy) -> LiveState:
    after = None
    if event == "failure" and live.failures >= policy.eject_after:
        after = AFTER.get((live.state, "enough failures"))
    elif event == "success" and live.successes + 1 >= SUCCESSES:
        after = AFTER.get((live.state, "enough successes"))
    return cast(LiveState, after or AFTER[live.state, event])


def _closed(live: Live, call: Call, policy: LivePolicy) -> Live:
    if live.state == "half-open":
        return Live(since=call.ended, times=live.times, recovered_at=call.ended)
    failures = 0 if call.event == "success" else live.failures
    return replace(live, state="closed", failures=failures, until=0.0)


def _benched(live: Live, call: Call, policy: LivePolicy) -> Live:
    if call.event == "failure":
        return live
    return replace(live, state="benched", since=call.ended, until=call.ended + policy.bench_s)


def _ejected(live: Live, call: Call, policy: LivePolicy) -> Live:
    if live.state == "ejected":  # `since` moves, so that another one's turn comes where only half may be out
        return replace(live, since=call.ended)
    times = live.times + 1
    wait = min(policy.eject_s * times * (1 + call.jitter), policy.eject_max_s)
    return Live("ejected", since=call.ended, until=call.ended + wait, times=times)


def _half_open(live: Live, call: Call, policy: LivePolicy) -> Live:
    if call.event == "success":
        since = live.since if live.state == "half-open" else call.ended
        return replace(live, state="half-open", since=since, until=0.0, successes=live.successes + 1, trial_since=None)
    pause = _pause_s(call) if call.event == "backpressure" else policy.bench_s
    return replace(live, until=call.ended + pause, trial_since=None)


def _backing_off(live: Live, call: Call, policy: LivePolicy) -> Live:
    return _pausing(live, call) if call.event == "backpressure" else live


def _pausing(live: Live, call: Call) -> Live:
    pause = _pause_s(call)
    if pause <= 0:
        return live
    after = cast(LiveState, AFTER[live.state, call.event])
    since = live.since if live.state == after else call.ended
    until, asked_for = max(live.until, call.ended + pause), live.asked_for or call.wait_s is not None
    return replace(live, state=after, since=since, until=until, asked_for=asked_for)


def _pause_s(call: Call) -> float:
    return DEFAULT_RETRY_AFTER_S if call.wait_s is None else call.wait_s


_ENTER: Final[dict[LiveState, Callable[[Live, Call, LivePolicy], Live]]] = {
    "closed": _closed,
    "benched": _benched,
    "ejected": _ejected,
    "half-open": _half_open,
    "backing off": _backing_off,
}
