"""The ladder of verdicts: rise, fall, the schedule, and that no history leaves a worker stuck."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.health import JITTER, Policy, step
from app.core.worker import UNPROBED, Health, Probe

POLICY = Policy()
START = 1_000_000.0


def walk(results: Iterable[bool | None], policy: Policy = POLICY, health: Health = UNPROBED) -> list[Health]:
    """Every state along the way; each probe starts when the one before said that it is due."""
    now, path = START, []
    for ok in results:
        health = step(health, ok, "refused", now, policy, 0.0)
        path.append(health)
        now = health.due_at
    return path


def fail_for(seconds: float, policy: Policy = POLICY) -> Health:
    """A worker that went down and has failed every probe for so long since."""
    health, now = UNPROBED, START
    while health.probe != "down" or now - health.since < seconds:
        health = step(health, False, "refused", now, policy, 0.0)
        now = health.due_at
    return step(health, False, "refused", now, policy, 0.0)


@pytest.mark.parametrize(
    ("results", "verdicts"),
    [
        ([True], ["up"]),
        ([False, False, False], ["unknown", "unknown", "down"]),
        ([True, False, False, True, False, False, False], ["up"] * 6 + ["down"]),
        ([False] * 3 + [True, True], ["unknown", "unknown", "down", "down", "up"]),
        ([False] * 3 + [True, False, True, True], ["unknown", "unknown", "down", "down", "down", "down", "up"]),
        ([False, True], ["unknown", "up"]),
        ([None, None], ["unknown", "unknown"]),
        ([True, False, False, None, False], ["up", "up", "up", "up", "down"]),
        ([False] * 3 + [True, None, True], ["unknown", "unknown", "down", "down", "down", "up"]),
    ],
)
def test_verdicts(results: list[bool | None], verdicts: list[Probe]) -> None:
    assert [health.probe for health in walk(results)] == verdicts


def test_fall_and_rise_are_the_workers_own() -> None:
    eager = Policy(fall=1, rise=3)
    path = walk([True, False, True, True, True], eager)
    assert [health.probe for health in path] == ["up", "down", "down", "down", "up"]


def test_times_and_error() -> None:
    up = step(UNPROBED, True, None, START, POLICY, 0.0)
    assert (up.last_probe_at, up.last_ok_at, up.last_fail_at, up.since) == (START, START, None, START)
    failed = step(up, False, "connection refused", START + 2, POLICY, 0.0)
    assert (failed.last_probe_at, failed.last_ok_at, failed.last_fail_at) == (START + 2, START, START + 2)
    assert (failed.since, failed.last_error) == (START, "connection refused")
    well = step(failed, True, None, START + 3, POLICY, 0.0)
    assert (well.last_ok_at, well.last_fail_at, well.last_error) == (START + 3, START + 2, "connection refused")


def test_a_failure_without_a_word_gets_one() -> None:
    assert step(UNPROBED, False, None, START, POLICY, 0.0).last_error == "no answer"


def test_an_answer_that_says_nothing_changes_only_the_schedule() -> None:
    before = walk([True, False])[-1]
    after = step(before, None, "429", before.due_at, POLICY, 0.0)
    assert after == replace(before, last_probe_at=before.due_at, due_at=before.due_at + 2, interval_s=2.0)


@pytest.mark.parametrize(
    ("results", "wait"),
    [
        ([True], 2.0),
        ([True, True], 2.0),
        ([True, False], 0.5),
        ([False], 0.5),
        ([True, False, None], 2.0),
        ([False] * 3, 1.0),
        ([False] * 3 + [True], 0.5),
        ([False] * 3 + [True, True], 2.0),
    ],
)
def test_the_next_probe_comes_sooner_while_a_verdict_is_changing(results: list[bool | None], wait: float) -> None:
    last = walk(results)[-1]
    assert last.interval_s == wait
    assert last.last_probe_at is not None
    assert last.due_at == last.last_probe_at + wait


@pytest.mark.parametrize(("down_for", "wait"), [(0, 1.0), (55, 1.0), (61, 2.0), (355, 2.0), (361, 10.0), (9_000, 10.0)])
def test_a_worker_that_stays_down_is_asked_less_and_less(down_for: float, wait: float) -> None:
    assert fail_for(down_for).interval_s == wait


def test_a_worker_with_a_long_interval_of_its_own_is_never_asked_more_often_while_down() -> None:
    commercial = Policy(interval_s=60)
    assert walk([True], commercial)[-1].interval_s == 60
    assert walk([True, False], commercial)[-1].interval_s == 0.5
    assert fail_for(0, commercial).interval_s == 60


def test_a_short_interval_of_its_own_holds_while_a_verdict_changes() -> None:
    assert walk([True, False], Policy(interval_s=0.2))[-1].interval_s == 0.2


def test_a_clock_that_was_set_back_keeps_probing() -> None:
    down = fail_for(0)
    assert step(down, False, "refused", down.since - 3600, POLICY, 0.0).interval_s == 1.0


@given(st.floats(-JITTER, JITTER), st.sampled_from([True, False, None]))
def test_jitter_moves_the_next_probe_by_a_tenth_at_most(jitter: float, ok: bool | None) -> None:
    exact = step(UNPROBED, ok, None, START, POLICY, 0.0).interval_s
    moved = step(UNPROBED, ok, None, START, POLICY, jitter)
    assert abs(moved.interval_s - exact) <= exact * JITTER + 1e-9
    assert moved.due_at == START + moved.interval_s


results = st.lists(st.sampled_from([True, False, None]), max_size=60)
policies = st.builds(Policy, interval_s=st.floats(0.1, 600), fall=st.integers(1, 9), rise=st.integers(1, 9))


@given(results, policies)
def test_no_history_leaves_a_worker_stuck(history: list[bool | None], policy: Policy) -> None:
    last = ([UNPROBED, *walk(history, policy)])[-1]
    assert walk([True] * policy.rise, policy, last)[-1].probe == "up"
    assert walk([False] * policy.fall, policy, last)[-1].probe == "down"


@given(results, policies)
def test_a_verdict_changes_only_after_enough_equal_results(history: list[bool | None], policy: Policy) -> None:
    before = UNPROBED
    for after in walk(history, policy):
        if after.probe == "down" and before.probe != "down":
            assert after.streak == -policy.fall or after.streak < -policy.fall
        if after.probe == "up" and before.probe == "down":
            assert after.streak >= policy.rise
        assert after.since == (before.since if after.probe == before.probe else after.last_probe_at)
        before = after


@given(results, policies)
def test_times_never_run_backwards_and_the_next_probe_is_always_ahead(
    history: list[bool | None], policy: Policy
) -> None:
    before = UNPROBED
    for after in walk(history, policy):
        for name in ("last_probe_at", "last_ok_at", "last_fail_at", "since"):
            assert (getattr(after, name) or 0.0) >= (getattr(before, name) or 0.0)
        assert after.last_probe_at is not None
        assert after.last_probe_at < after.due_at
        before = after
