"""Half of the fleet does not fail at once: when it seems so, the network between is to blame and verdicts stand.

A sweep is the time in which everyone is probed once. Only workers that are up and probed as often as usual count: who
is down already says nothing new, and who is asked each minute would hold up the others' verdicts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from app.core.health import JITTER, held
from app.services.probing import Outcome

log = logging.getLogger(__name__)

MANY: Final = 4
# Who was not probed for so many intervals is gone, or offline.
INTERVALS: Final = 4


@dataclass(slots=True)
class _Member:
    """When it was probed last, the number of that result, and of the first failure in a row; 0: it does not fail.

    `was_held`: its last failure was part of a mass failure.
    """

    probed_at: float
    seen: int
    failing_since: int = 0
    was_held: bool = False


class MassFailure:
    """Of one prober. `usual_s`: the usual interval of probes."""

    def __init__(self, usual_s: float) -> None:
        self._usual_s = usual_s
        self._members: dict[int, _Member] = {}
        self._seldom: set[int] = set()
        self._number = 0
        self._holding = False

    def judged(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """The same results, with verdicts that stand where so many fail together."""
        results = list(outcomes)
        for outcome in results:
            self._note(outcome)
        judged = [self._held(outcome) if _falls(outcome) else outcome for outcome in results]
        for outcome in judged:
            if outcome.after.probe != "up":
                self._members.pop(outcome.worker.id, None)
        self._tell(holding=judged != results)
        return judged

    def _note(self, outcome: Outcome) -> None:
        worker_id, before, after = outcome.worker.id, outcome.worker.health, outcome.after
        probed_at = after.last_probe_at or 0.0
        if before.streak == after.streak or "up" not in (before.probe, after.probe):
            return  # it said nothing, or is not up
        ok = after.streak > 0
        if ok:
            is_seldom = after.interval_s > self._usual_s * (1 + 2 * JITTER)
            (self._seldom.add if is_seldom else self._seldom.discard)(worker_id)
        if worker_id in self._seldom:
            self._members.pop(worker_id, None)
            return
        self._number += 1
        known = self._members.get(worker_id)
        since = (known.failing_since if known else 0) or self._number
        was_held = known is not None and known.was_held and not ok
        self._members[worker_id] = _Member(probed_at, self._number, 0 if ok else since, was_held)
        self._forget(probed_at - INTERVALS * self._usual_s)

    def _forget(self, before: float) -> None:
        if any(member.probed_at < before for member in self._members.values()):
            self._members = {each: member for each, member in self._members.items() if member.probed_at >= before}

    def _held(self, outcome: Outcome) -> Outcome:
        """The first failure after a mass failure is of a probe that began in it, and held as well."""
        member = self._members.get(outcome.worker.id)
        if member is None:
            return outcome
        was_held, member.was_held = member.was_held, self._is_mass(member.failing_since)
        if not (was_held or member.was_held):
            return outcome
        return replace(outcome, after=held(outcome.worker.health, outcome.after))

    def _is_mass(self, since: int) -> bool:
        """Judged by those that were probed since that failure; who was not yet may fail as well."""
        count = len(self._members)
        seen = [member for member in self._members.values() if member.seen >= since]
        failing = sum(1 for member in seen if member.failing_since)
        return count >= MANY and 2 * failing >= len(seen) and 2 * (failing + count - len(seen)) >= count

    def _tell(self, *, holding: bool) -> None:
        failing = sum(1 for member in self._members.values() if member.failing_since)
        if holding and not self._holding:
            self._holding = True
            log.warning(
                "%d of %d workers fail their probes at once: the network is to blame, the last verdicts stand",
                failing,
                len(self._members),
            )
        elif self._holding and not failing:
            self._holding = False
            log.warning("The probes of those workers succeed again")


def _falls(outcome: Outcome) -> bool:
    return outcome.worker.health.probe == "up" and outcome.after.probe == "down"
