"""The ladder that turns probe results into a verdict, and the plan for the next probe. Pure.

One signed number, the streak, is all the memory it needs: a success makes it positive, a failure negative, and a
verdict changes when it reaches `rise` or `-fall`. What an operator wants (`Worker.admin`) is none of its business.
Which verdict follows which is in TRANSITIONS, together with the live verdicts of core/live.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from app.core.transitions import AFTER, TRANSITIONS
from app.core.worker import Health, Probe

__all__ = ["JITTER", "TRANSITIONS", "Policy", "held", "step"]

JITTER = 0.1
"""The largest share of an interval by which a probe is moved, so that probes of a fleet spread out."""

_USUAL_S = 2.0
_CHANGING_S = 0.5
_DOWN_STAGES = ((60.0, 1.0), (360.0, 2.0))
_LONG_DOWN_S = 10.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How one worker is judged: seconds between the starts of its probes, results in a row that flip the verdict."""

    interval_s: float = _USUAL_S
    fall: int = 3
    rise: int = 2


def step(health: Health, ok: bool | None, error: str | None, now: float, policy: Policy, jitter: float) -> Health:
    """`health` after one probe that started at `now` (UTC seconds); `jitter` is drawn from -JITTER to JITTER.

    `ok` None is an answer that says nothing (429): the verdict and the streak stay, only the schedule moves on.
    """
    streak = _streak(health.streak, ok)
    probe = _after(health.probe, _event(streak, ok, policy))
    after = replace(
        health,
        probe=probe,
        streak=streak,
        since=health.since if probe == health.probe else now,
        last_probe_at=now,
        last_ok_at=now if ok else health.last_ok_at,
        last_fail_at=now if ok is False else health.last_fail_at,
        last_error=(error or "no answer") if ok is False else health.last_error,
    )
    wait = _interval(after, ok, now, policy) * (1 + jitter)
    return replace(after, due_at=now + wait, interval_s=wait)


def held(before: Health, after: Health) -> Health:
    """`after`, but with the verdict from before: too many fail at once for it to be the worker's fault."""
    return replace(after, probe=_after(before.probe, "mass failure"), since=before.since)


def _streak(streak: int, ok: bool | None) -> int:
    if ok is None:
        return streak
    return max(streak, 0) + 1 if ok else min(streak, 0) - 1


def _event(streak: int, ok: bool | None, policy: Policy) -> str:
    if ok is None:
        return "nothing said"
    if ok:
        return "enough successes" if streak >= policy.rise else "success"
    return "enough failures" if -streak >= policy.fall else "failure"


def _after(probe: Probe, event: str) -> Probe:
    """Where the table knows no enough, one more is like any other."""
    one = event.replace("enough failures", "failure").replace("enough successes", "success")
    return cast(Probe, AFTER.get((probe, event)) or AFTER[probe, one])


def _interval(health: Health, ok: bool | None, now: float, policy: Policy) -> float:
    # An answer that says nothing often means "too many requests": it is no reason to hurry.
    if ok is not None and _is_changing(health):
        return min(_CHANGING_S, policy.interval_s)
    if health.probe != "down":
        return policy.interval_s
    down_for = now - health.since
    stage = next((wait for until, wait in _DOWN_STAGES if down_for < until), _LONG_DOWN_S)
    # Who wants to be asked less often than usual (a commercial service: each 60 s) does so while down as well.
    return max(stage, policy.interval_s) if policy.interval_s > _USUAL_S else stage


def _is_changing(health: Health) -> bool:
    return health.streak > 0 if health.probe == "down" else health.streak < 0
