"""Live verdicts, step by step: what ejects, what benches, what is nobody's fault, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.health import JITTER, TRANSITIONS
from app.core.live import (
    SUCCESSES,
    TRIAL_S,
    WELL,
    Call,
    Live,
    LivePolicy,
    begin_trial,
    end_trial,
    event_of,
    is_forgotten,
    is_trial_due,
    part_of_weight,
    recovered,
    settled,
    step,
)
from app.core.retry import Failure
from app.core.transitions import LiveEvent

POLICY = LivePolicy()
NOW = 1000.0


def after(live: Live, *events: LiveEvent, at: float = NOW, wait_s: float | None = None, jitter: float = 0.0) -> Live:
    """One call after the other, each begun when the one before had ended."""
    for event in events:
        live = step(live, Call(event, at, at, wait_s, jitter), POLICY)
    return live


EJECTED = after(WELL, "failure", "failure", "failure")
HALF_OPEN = settled(EJECTED, NOW + 30)


def status(code: int, **fields: object) -> Failure:
    return Failure(1, "status", "no", status=code, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("failure", "event"),
    [
        (Failure(1, "refused", "", sent=False), "refused"),
        (Failure(1, "dns", "", sent=False), "failure"),
        (Failure(1, "connect", "", sent=False), "failure"),
        (Failure(1, "tls", "", sent=False), "failure"),
        (Failure(1, "reset", ""), "failure"),
        (Failure(1, "timeout", ""), "failure"),
        (Failure(1, "protocol", ""), "failure"),
        (Failure(1, "fault", ""), "failure"),
        (Failure(1, "reset", "", blameless=True), None),
        (status(500), "failure"),
        (status(502), "failure"),
        (status(302), "failure"),
        (status(401), "failure"),
        (status(403), "failure"),
        (status(400), "success"),
        (status(404), "success"),
        (status(422), "success"),
        (status(400, retry_matched=True), "failure"),
        (status(429), "backpressure"),
        (status(503), "backpressure"),
        (status(529), "backpressure"),
        (status(503, retry_matched=True), "backpressure"),
    ],
)
def test_what_a_failed_attempt_says(failure: Failure, event: LiveEvent | None) -> None:
    assert event_of(failure) == event


def test_three_failures_in_a_row_eject_for_thirty_seconds() -> None:
    assert after(WELL, "failure", "failure").state == "closed"
    assert (EJECTED.state, EJECTED.until) == ("ejected", NOW + 30)
    assert after(WELL, "failure", "failure", "success", "failure", "failure").state == "closed"


def test_each_ejection_is_longer_up_to_five_minutes() -> None:
    live, at, waits = EJECTED, NOW, [30.0]
    while len(waits) < 12:
        at = live.until
        live = after(live, "failure", at=at)
        assert live.state == "ejected"
        waits.append(live.until - at)
    assert waits == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


@given(st.floats(-JITTER, JITTER))
def test_jitter_moves_the_end_by_a_tenth_at_most(jitter: float) -> None:
    live = after(WELL, "failure", "failure", "failure", jitter=jitter)
    assert 27 <= live.until - NOW <= 33


def test_half_open_has_one_trial_and_two_successes_close_it() -> None:
    assert settled(EJECTED, NOW + 29.9).state == "ejected"
    assert HALF_OPEN.state == "half-open"
    assert is_trial_due(HALF_OPEN, NOW + 30)
    trial = begin_trial(HALF_OPEN, NOW + 31)
    assert not is_trial_due(trial, NOW + 32)
    once = step(trial, Call("success", NOW + 31, NOW + 33), POLICY)
    assert (once.state, is_trial_due(once, NOW + 33)) == ("half-open", True)
    twice = step(begin_trial(once, NOW + 34), Call("success", NOW + 34, NOW + 35), POLICY)
    assert (twice.state, twice.recovered_at, SUCCESSES) == ("closed", NOW + 35, 2)


def test_a_failed_trial_ejects_again_for_longer() -> None:
    again = after(HALF_OPEN, "success", "failure", at=NOW + 40)
    assert (again.state, again.until) == ("ejected", NOW + 40 + 60)


def test_a_trial_whose_caller_left_makes_room_and_one_that_lasts_stands_in_no_way() -> None:
    trial = begin_trial(HALF_OPEN, NOW + 31)
    assert is_trial_due(end_trial(trial, NOW + 31), NOW + 32)
    assert not is_trial_due(end_trial(trial, NOW + 5), NOW + 32), "another call's end says nothing about this one"
    assert is_trial_due(trial, NOW + 31 + TRIAL_S)


def test_ejections_are_forgotten_after_five_minutes_without() -> None:
    closed = after(HALF_OPEN, "success", "success", at=NOW + 30)
    assert not is_forgotten(closed, NOW + 30 + 299, POLICY)
    assert is_forgotten(closed, NOW + 30 + 300, POLICY)
    soon = after(closed, "failure", "failure", "failure", at=NOW + 100)
    assert soon.until == NOW + 100 + 60


def test_a_refused_connection_benches_and_is_no_failure() -> None:
    live = after(after(WELL, "failure", "failure"), "refused")
    assert (live.state, live.until - NOW) == ("benched", POLICY.bench_s)
    assert POLICY.bench_s <= 5
    assert after(live, *["refused"] * 9, at=NOW + 1).until == NOW + 1 + POLICY.bench_s
    assert (settled(live, NOW + 2).state, settled(live, NOW + 2).failures) == ("closed", 2)


@pytest.mark.parametrize(("wait_s", "until"), [(7.0, NOW + 7), (300.0, NOW + 300), (None, NOW + 1)])
def test_backpressure_is_a_pause_and_no_failure(wait_s: float | None, until: float) -> None:
    live = after(WELL, "backpressure", "backpressure", "backpressure", wait_s=wait_s)
    assert (live.state, live.until, live.failures) == ("backing off", until, 0)
    assert live.asked_for is (wait_s is not None)
    assert settled(live, until) == Live(since=until)


def test_the_longest_pause_stands() -> None:
    live = after(after(WELL, "backpressure", wait_s=60), "backpressure", wait_s=5)
    assert (live.until, live.asked_for) == (NOW + 60, True)
    assert after(live, "backpressure").until == NOW + 60


def test_retry_after_0_is_no_pause() -> None:
    assert after(WELL, "backpressure", wait_s=0.0) == WELL


def test_a_pause_in_the_middle_of_a_trial_keeps_it_half_open() -> None:
    live = after(begin_trial(HALF_OPEN, NOW + 30), "backpressure", at=NOW + 30, wait_s=20)
    assert (live.state, is_trial_due(live, NOW + 49), is_trial_due(live, NOW + 50)) == ("half-open", False, True)
    refused = after(begin_trial(HALF_OPEN, NOW + 30), "refused", at=NOW + 30)
    assert (refused.state, is_trial_due(refused, NOW + 32)) == ("half-open", True)


def test_calls_that_were_inside_a_crash_are_one_failure() -> None:
    live = WELL
    for ended in (NOW, NOW + 0.001, NOW + 0.2, NOW + 0.9):
        live = step(live, Call("failure", NOW - 5, ended), POLICY)
    assert (live.state, live.failures) == ("closed", 1)


def test_a_worker_that_fails_slowly_is_ejected_although_its_calls_overlap() -> None:
    live = WELL
    for ended in (NOW, NOW + 1, NOW + 2):
        live = step(live, Call("failure", NOW - 60, ended), POLICY)
    assert live.state == "ejected"


@pytest.mark.parametrize("event", ["success", "failure", "refused"])
@pytest.mark.parametrize("live", [EJECTED, HALF_OPEN, after(WELL, "refused"), recovered(NOW)])
def test_calls_from_before_the_present_state_say_nothing_new(live: Live, event: LiveEvent) -> None:
    assert step(live, Call(event, NOW - 1, live.since + 1), POLICY) == live


def test_who_answers_in_need_is_on_trial_and_who_fails_stays_out() -> None:
    assert after(EJECTED, "success", at=NOW + 1).state == "half-open"
    assert after(EJECTED, "success", "success", at=NOW + 1).state == "closed"
    failed = after(EJECTED, "failure", at=NOW + 1)
    assert (failed.state, failed.until) == ("ejected", EJECTED.until)
    assert after(after(WELL, "refused"), "success").state == "closed"


def test_slow_start_after_recovery_only() -> None:
    assert part_of_weight(WELL, NOW, POLICY) == 1
    live = recovered(NOW)
    assert [part_of_weight(live, NOW + passed, POLICY) for passed in (0, 1, 15, 29, 30)] == [
        0.1, 0.1, 0.5, pytest.approx(29 / 30), 1,
    ]  # fmt: skip
    assert is_forgotten(live, NOW + 30, POLICY)
    assert part_of_weight(live, NOW, replace(POLICY, slow_start_s=0)) == 1
    closed = after(HALF_OPEN, "success", "success", at=NOW + 30)
    assert part_of_weight(closed, NOW + 33, POLICY) == 0.1


EVENTS = st.sampled_from(["success", "failure", "refused", "backpressure"])
CALLS = st.lists(st.tuples(EVENTS, st.floats(0, 50), st.floats(0, 20), st.none() | st.floats(0, 300)), max_size=40)


@given(CALLS)
def test_every_step_is_a_row_of_the_table_and_nothing_is_out_for_ever(
    history: list[tuple[LiveEvent, float, float, float | None]],
) -> None:
    rows = {(row.state, row.after) for row in TRANSITIONS}
    live, now = WELL, NOW
    for event, pause, duration, wait_s in history:
        now += pause
        before = settled(live, now)
        live = step(live, Call(event, now - duration, now, wait_s), POLICY)
        assert live.state == before.state or (before.state, live.state) in rows
        assert live.until - now <= 300
    end = now + 300
    live = settled(live, end)
    assert live.state in ("closed", "half-open")
    if live.state == "half-open":
        assert is_trial_due(live, end)
    assert step(step(live, Call("success", end, end), POLICY), Call("success", end, end), POLICY).state == "closed"


@given(CALLS)
def test_without_failures_nothing_is_ever_ejected(
    history: list[tuple[LiveEvent, float, float, float | None]],
) -> None:
    live, now = WELL, NOW
    for event, pause, duration, wait_s in history:
        now += pause
        if event != "failure":
            live = step(live, Call(event, now - duration, now, wait_s), POLICY)
        assert settled(live, now).state not in ("ejected", "half-open")
