"""What this process learnt of a pool's workers, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.live import SUCCESSES, Live
from app.core.selection import Pool
from app.core.worker import Standing
from app.services.verdicts import NOBODY, Look, Verdicts


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a pool, so that every row tells the same story. `without_share`: they get no ordinary traffic.

    `said` is by id, of those of whom there is anything to say; operators and probes have the last word.
    """

    said: Mapping[int, Standing] = field(default_factory=dict)
    without_share: frozenset[int] = NOBODY
    parts: Mapping[int, float] = field(default_factory=dict)


def seen(verdicts: Verdicts, pool: Pool | None) -> Seen:
    look = verdicts.look(pool) if pool is not None and verdicts.live else None
    if look is None or not look.lives:
        return Seen()
    said = {worker_id: _standing(worker_id, live, look) for worker_id, live in look.lives.items()}
    told = {worker_id: standing for worker_id, standing in said.items() if standing is not None}
    return Seen(told, look.out | look.on_trial, look.parts)


def _standing(worker_id: int, live: Live, look: Look) -> Standing | None:
    left = max(0.0, live.until - look.now)
    if worker_id in look.capped:
        why = "its calls fail in a row, but no more than half of a model's workers are left out for that"
        return Standing("available", True, why)
    if live.state == "benched":
        return Standing("down", False, "it refused a connection moments ago and waits for the next probe", left)
    if live.state == "backing off":
        return Standing("backing_off", False, f"it answered that it is too busy: no traffic for {left:.0f} s", left)
    if live.state == "ejected":
        return Standing("ejected", False, f"its calls failed in a row: no traffic for {left:.0f} s", left)
    if live.state == "half-open":
        why = f"on trial after its ejection: one call at a time until {SUCCESSES} succeed"
        return Standing("ejected", False, why, left or None)
    part = look.parts.get(worker_id)
    return None if part is None else Standing("available", True, f"slow start: {part:.0%} of its weight for now")
