"""Shares are exact, whoever is excluded. Statistics here use evenly spaced numbers, so nothing is left to luck."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.selection import DRAWS, Pool, pick
from app.core.worker import Health, Worker

DOWN = Health(probe="down", streak=-3)


def worker(id: int, weight: int = 1, **fields: object) -> Worker:
    defaults = {"admin": "enabled", "owner": "", "created_at": float(id), "updated_at": float(id)}
    return Worker(
        id=id,
        model_name="m",
        url=f"http://w{id}/",
        instance="",
        worker_type="REMOTE",
        weight=weight,
        upstream_model=None,
        spec="{}",
        **{**defaults, **fields},  # type: ignore[arg-type]
    )


def evenly(count: int) -> Callable[[], float]:
    """The middles of `count` equal parts of [0, 1), over and over."""
    numbers = [(step + 0.5) / count for step in range(count)]
    position = -1

    def number() -> float:
        nonlocal position
        position = (position + 1) % count
        return numbers[position]

    return number


def shares(pool: Pool, excluded: set[int], count: int) -> Counter[int]:
    random = evenly(count)
    picked = [pick(pool, excluded, random) for _ in range(count)]
    return Counter(each.id for each in picked if each)


def test_shares_follow_the_weights() -> None:
    pool = Pool("m", [worker(1, 1), worker(2, 3), worker(3, 6)])
    assert shares(pool, set(), 1000) == {1: 100, 2: 300, 3: 600}


def test_who_may_not_get_traffic_has_no_share_and_the_others_keep_their_proportion() -> None:
    heavy_down = worker(3, 1000, health=DOWN)
    drained, offline = worker(4, 1000, admin="draining"), worker(5, 1000, admin="offline")
    pool = Pool("m", [heavy_down, worker(1, 1), drained, worker(2, 3), offline])
    assert shares(pool, set(), 400) == {1: 100, 2: 300}


def test_standby_workers_are_picked_only_when_no_other_is_left() -> None:
    pool = Pool("m", [worker(1, 0), worker(2, 5), worker(3, 0)])
    assert shares(pool, set(), 100) == {2: 100}
    assert shares(pool, {2}, 100) == {1: 50, 3: 50}
    assert shares(pool, {2, 3}, 10) == {1: 10}
    assert pick(pool, {1, 2, 3}) is None


def test_nobody_is_left() -> None:
    assert pick(Pool("m", []), set()) is None
    assert pick(Pool("m", [worker(1)]), {1}) is None
    assert pick(Pool("m", [worker(1, admin="offline")]), set()) is None


@pytest.mark.parametrize("edge", [0.0, 1 - 2**-53])
def test_the_ends_of_the_random_range(edge: float) -> None:
    pool = Pool("m", [worker(1, 1), worker(2, 2), worker(3, 0)])
    assert pick(pool, set(), lambda: edge) is pool.workers[0 if edge == 0 else 1]
    assert pick(pool, {1, 2}, lambda: edge) is pool.workers[2]


@given(total=st.integers(1, 2**40))
def test_the_largest_random_number_stays_below_every_sum_of_weights(total: int) -> None:
    assert (1 - 2**-53) * total < total


WEIGHTS = st.lists(st.integers(0, 1000), min_size=1, max_size=12)


@given(weights=WEIGHTS, excluded=st.sets(st.integers(0, 11)), numbers=st.lists(st.floats(0, 1, exclude_max=True)))
def test_the_first_draw_that_hits_a_free_worker_decides(
    weights: list[int], excluded: set[int], numbers: list[float]
) -> None:
    """The definition of exact shares: conditioning by rejection, then a draw among those that are left."""
    pool = Pool("m", [worker(id, weight) for id, weight in enumerate(weights)])
    free = [each for each in pool.workers if each.id not in excluded]
    draws = iter(numbers)
    picked = pick(pool, excluded, lambda: next(draws, 0.5))
    if not free:
        assert picked is None
        return
    assert picked in free
    assert picked is not None
    assert picked.weight > 0 or all(each.weight == 0 for each in free)
    if any(each.weight for each in free):
        assert picked is _by_definition(pool.workers, excluded, numbers)


def _by_definition(workers: tuple[Worker, ...], excluded: set[int], numbers: list[float]) -> Worker:
    padded = [*numbers, *[0.5] * (DRAWS + 1)]
    weighted = [each for each in workers if each.weight]
    for number in padded[:DRAWS]:
        hit = _at(weighted, number)
        if hit.id not in excluded:
            return hit
    return _at([each for each in weighted if each.id not in excluded], padded[DRAWS])


def _at(workers: list[Worker], number: float) -> Worker:
    bounds = list(accumulate(each.weight for each in workers))
    return workers[min(bisect_right(bounds, number * bounds[-1]), len(workers) - 1)]


def test_after_draws_in_vain_the_rest_is_counted_out_exactly() -> None:
    pool = Pool("m", [worker(1, 1000), worker(2, 1), worker(3, 3), worker(4, 0)])
    picked: Counter[int] = Counter()
    for last in (0.1, 0.3, 0.5, 0.7):
        draw = iter([*[0.5] * DRAWS, last]).__next__
        found = pick(pool, {1}, draw)
        assert found is not None
        picked[found.id] += 1
    assert picked == {2: 1, 3: 3}


@given(weights=WEIGHTS, benched=st.sets(st.integers(0, 11)))
def test_shares_add_up(weights: list[int], benched: set[int]) -> None:
    pool = Pool("m", [worker(id, weight) for id, weight in enumerate(weights)])
    total = sum(pool.share(each, benched) for each in pool.workers)
    assert total == pytest.approx(1 if any(each.id not in benched for each in pool.workers) else 0)


def test_share_of_one() -> None:
    pool = Pool("m", [worker(1, 1), worker(2, 3), worker(3, 0), worker(4, 9, health=DOWN)])
    assert [pool.share(each) for each in pool.workers] == [0.25, 0.75, 0, 0]
    assert [pool.share(each, {2}) for each in pool.workers] == [1, 0, 0, 0]
    assert [pool.share(each, {1, 2}) for each in pool.workers] == [0, 0, 1, 0]
    assert pool.share(worker(4, 4)) == 1, "a row that is newer than the snapshot gets no share beyond the whole"


def test_what_the_list_of_models_needs() -> None:
    pool = Pool("m", (each for each in [worker(5, admin="offline"), worker(2, owner="team"), worker(3, owner="x")]))
    assert (pool.enabled, pool.owner, pool.created_at) == (True, "team", 2.0)
    gone = Pool("m", [worker(5, admin="offline"), worker(6, admin="draining")])
    assert (gone.enabled, gone.owner) == (False, "")
    assert Pool("m", [worker(1, health=DOWN)]).enabled
