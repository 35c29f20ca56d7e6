"""Weighted random choice among the workers that may get traffic: exact shares, O(log n), no state between requests."""

from __future__ import annotations

import random as stdlib_random
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from app.core.worker import Worker, standing

# A draw that hits an excluded worker is repeated: this keeps the shares of the others exact. After so many misses
# (only likely where the excluded ones hold nearly all the weight) the others are counted out one by one.
DRAWS = 8
ALL_OF_IT: Final[Mapping[int, float]] = {}


class Pool:
    """The workers of one model name, with the weights of the eligible ones summed up once. Never changes."""

    __slots__ = ("_bounds", "_eligible", "_standby", "_weighted", "model_name", "workers")

    def __init__(self, model_name: str, workers: Iterable[Worker]) -> None:
        self.model_name: Final = model_name
        self.workers: Final = tuple(workers)
        eligible = [worker for worker in self.workers if standing(worker).available]
        self._weighted: Final = tuple(worker for worker in eligible if worker.weight > 0)
        self._standby: Final = tuple(worker for worker in eligible if worker.weight <= 0)
        self._bounds: Final = list(accumulate(worker.weight for worker in self._weighted))
        self._eligible: frozenset[int] | None = None

    def __repr__(self) -> str:
        return f"Pool({self.model_name!r}, {len(self.workers)} workers)"

    @property
    def enabled(self) -> bool:
        """Is there a worker that no operator took out? Then the model is listed."""
        return any(worker.admin == "enabled" for worker in self.workers)

    @property
    def eligible(self) -> frozenset[int]:
        """The ids of the workers that may get traffic; made when it is first asked for."""
        if self._eligible is None:
            self._eligible = frozenset(worker.id for worker in (*self._weighted, *self._standby))
        return self._eligible

    @property
    def created_at(self) -> float:
        """UTC seconds: when the first of its present workers was registered."""
        return min((worker.created_at for worker in self.workers), default=0.0)

    @property
    def owner(self) -> str:
        """The owner that its workers name; the first in their order where they differ."""
        return next((worker.owner for worker in self.workers if worker.owner), "")

    def share(self, worker: Worker, out: Container[int] = frozenset(), parts: Mapping[int, float] = ALL_OF_IT) -> float:
        """The part of the pool's next requests that goes to this worker, 0 to 1. `parts`: see `pick`."""
        if worker.id in out or not standing(worker).available:
            return 0.0
        total = self._open_weight(out, parts)
        weight = worker.weight * parts.get(worker.id, 1)
        share = weight / total if total else 1 / max(1, len(without(self._standby, out)))
        return min(share, 1.0)

    def _open_weight(self, out: Container[int], parts: Mapping[int, float]) -> float:
        if out or parts:
            return sum(each.weight * parts.get(each.id, 1) for each in self._weighted if each.id not in out)
        return self._bounds[-1] if self._bounds else 0

    def draw(
        self, excluded: Container[int], random: Callable[[], float], parts: Mapping[int, float] = ALL_OF_IT
    ) -> Worker | None:
        """See `pick`."""
        return self._draw_weighted(excluded, random, parts) or self._draw_standby(excluded, random)

    def _draw_weighted(
        self, excluded: Container[int], random: Callable[[], float], parts: Mapping[int, float]
    ) -> Worker | None:
        weighted, bounds = self._weighted, self._bounds
        if not weighted:
            return None
        # Whole numbers times a float below 1 stay below their sum, also when rounded.
        for _ in range(DRAWS):
            worker = weighted[bisect_right(bounds, random() * bounds[-1])]
            if worker.id not in excluded and (parts is ALL_OF_IT or random() < parts.get(worker.id, 1)):
                return worker
        rest = without(weighted, excluded)
        if not rest:
            return None
        rest_bounds = list(accumulate(worker.weight * parts.get(worker.id, 1) for worker in rest))
        # Fractions may round up to the sum itself.
        return rest[min(bisect_right(rest_bounds, random() * rest_bounds[-1]), len(rest) - 1)]

    def _draw_standby(self, excluded: Container[int], random: Callable[[], float]) -> Worker | None:
        rest = without(self._standby, excluded)
        return rest[int(random() * len(rest))] if rest else None


def without(workers: Sequence[Worker], excluded: Container[int]) -> Sequence[Worker]:
    return [worker for worker in workers if worker.id not in excluded]


def pick(
    pool: Pool,
    excluded: Container[int],
    random: Callable[[], float] = stdlib_random.random,
    parts: Mapping[int, float] = ALL_OF_IT,
) -> Worker | None:
    """A worker that may get traffic and is not excluded, with a probability of its weight among those.

    Workers of weight 0 stand by: they are picked, evenly, when no other is left. None: nobody is left.
    `random` gives numbers from 0 up to, not including, 1. `parts`: how much of their weight counts, by id, of those
    in their slow start.
    """
    return pool.draw(excluded, random, parts)
