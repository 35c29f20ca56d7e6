"""When something died, with the requests that were inside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from tests.faults.load import Load, Sample
from tests.faults.on_workers import Pair


class Deaths:
    """From when to when each took."""

    def __init__(self) -> None:
        self._times: list[tuple[float, float]] = []

    def of(self, kill: Callable[[], None]) -> None:
        before = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            kill()
        self._times.append((before, time.monotonic()))

    def excuse(self, sample: Sample) -> bool:
        """Was it under way when something died?"""
        return any(sample.begun <= after and sample.ended >= before for before, after in self._times)


def flap(pair: Pair, load: Load, times: int, victim: int = 0) -> list[Sample]:
    """Dead and alive again so fast that no probe need see it. Gives the failures that no death excuses."""
    deaths = Deaths()
    load.wait_for_more(20)
    for _ in range(times):
        deaths.of(pair.models[victim].kill)
        load.wait_for_more(5)
        pair.models[victim].start()
        load.wait_for_more(5)
    pair.wait_until_up()
    load.wait_for_more(20)
    return [sample for sample in load.failures() if not deaths.excuse(sample)]
