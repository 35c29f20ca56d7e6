"""What a process knows of a pool: who is out, how many at once, who is on trial, and what is forgotten when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.retry import Failure
from app.core.selection import Pool
from app.core.worker import Health, Worker
from app.services.verdicts import NOTHING, Verdicts
from app.settings import Settings
from tests.services.routes import worker

DOWN, UP = Health(probe="down", streak=-3), Health(probe="up", streak=2)


class Bed:
    """Verdicts with a clock that a test moves, and a pool."""

    def __init__(self, count: int, **settings: float) -> None:
        self.now = 1000.0
        self.verdicts = Verdicts(Settings(**settings), lambda: self.now)  # type: ignore[arg-type]
        self.workers = [worker(number, f"http://w{number}/") for number in range(1, count + 1)]

    @property
    def pool(self) -> Pool:
        return Pool("m", self.workers)

    @property
    def out(self) -> set[int]:
        return set(self.verdicts.out(self.pool))

    def __getitem__(self, worker_id: int) -> Worker:
        return self.workers[worker_id - 1]

    def fail(self, worker_id: int, times: int = 3) -> None:
        for _ in range(times):
            self.now += 0.001
            self.verdicts.failed(self[worker_id], self.now)

    def become(self, worker_id: int, **fields: object) -> None:
        """The fleet has a new version."""
        old = self[worker_id]
        self.workers[worker_id - 1] = replace(old, **fields)  # type: ignore[arg-type]
        self.verdicts.changed(old, self[worker_id])


def test_nothing_is_kept_while_all_is_well() -> None:
    bed = Bed(2)
    assert bed.verdicts.look(bed.pool) is NOTHING
    bed.verdicts.judged(bed[1], Failure(1, "status", "too long", status=400), bed.now)
    bed.verdicts.judged(bed[1], Failure(1, "config", "no secret", sent=False, blameless=True), bed.now)
    assert bed.verdicts.live == {}
    bed.fail(1, 2)
    assert bed.verdicts.live
    bed.verdicts.succeeded(bed[1], bed.now)
    assert bed.verdicts.live == {}


def test_refused_is_out_for_a_while_and_asked_for_once() -> None:
    bed = Bed(3)
    for worker_id in (2, 1, 2):
        bed.verdicts.refused(bed[worker_id])
    assert bed.out == {1, 2}
    assert (bed.verdicts.drain_requests(), bed.verdicts.drain_requests()) == ([1, 2], [])
    bed.now += 2
    assert bed.out == set()
    assert bed.verdicts.live == {}


def test_refused_again_stays_longer_and_is_asked_for_again() -> None:
    bed = Bed(2)
    bed.verdicts.refused(bed[1])
    bed.verdicts.drain_requests()
    bed.now += 1
    bed.verdicts.refused(bed[1])
    bed.now += 1
    assert (bed.out, bed.verdicts.drain_requests()) == ({1}, [1])


def test_an_ejected_worker_is_probed_soon() -> None:
    bed = Bed(2)
    bed.fail(1, 2)
    assert bed.verdicts.drain_requests() == []
    bed.fail(1, 1)
    assert bed.verdicts.drain_requests() == [1]


@pytest.mark.parametrize(("count", "most"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5)])
def test_never_more_than_half_of_a_pool_is_ejected_and_the_last_failures_decide_who(count: int, most: int) -> None:
    bed = Bed(count)
    for number in range(1, count + 1):
        bed.fail(number)
        assert len(bed.out) == min(number, most)
    assert bed.out == set(range(count - most + 1, count + 1))


def test_the_half_is_of_those_who_may_get_traffic() -> None:
    bed = Bed(4)
    bed.fail(1)
    bed.fail(2)
    assert bed.out == {1, 2}
    bed.become(3, health=DOWN)
    assert bed.out == {2}, "of three only one"
    bed.become(4, admin="draining")
    assert bed.out == {2}
    bed.become(1, health=DOWN)
    assert bed.out == set(), "the last one serves"


def test_a_failure_beyond_the_half_passes_the_turn_on() -> None:
    bed = Bed(2)
    bed.fail(1)
    bed.fail(2)
    assert bed.out == {2}
    bed.fail(1, 1)
    assert bed.out == {1}


def test_benched_and_backing_off_workers_have_no_such_limit() -> None:
    bed = Bed(2)
    bed.verdicts.refused(bed[1])
    bed.verdicts.backpressure(bed[2], 40)
    assert bed.out == {1, 2}
    bed.now += 39
    assert bed.out == {2}
    bed.now += 1
    assert bed.out == set()


def test_one_trial_for_a_process_and_two_successes_close() -> None:
    bed = Bed(2)
    bed.fail(1)
    assert bed.verdicts.started_trial(bed[1]) is None
    bed.now += 33.1
    look = bed.verdicts.look(bed.pool)
    assert (look.out, look.on_trial) == (frozenset(), {1})
    for successes in range(2):
        began = bed.verdicts.started_trial(bed[1])
        assert began == bed.now
        assert (bed.out, bed.verdicts.started_trial(bed[1])) == ({1}, None), successes
        bed.verdicts.succeeded(bed[1], began)
    assert (bed.out, bed.verdicts.look(bed.pool).parts) == (set(), {1: 0.1})


def test_a_trial_that_nobody_waits_for_any_more_makes_room() -> None:
    bed = Bed(2)
    bed.fail(1)
    bed.now += 33.1
    began = bed.verdicts.started_trial(bed[1])
    assert began is not None
    bed.verdicts.left(bed[1], began)
    assert bed.verdicts.started_trial(bed[1]) == bed.now


def test_trials_in_many_threads_are_one() -> None:
    from concurrent.futures import ThreadPoolExecutor

    bed = Bed(2)
    bed.fail(1)
    bed.now += 33.1
    with ThreadPoolExecutor(8) as threads:
        began = list(threads.map(lambda _: bed.verdicts.started_trial(bed[1]), range(64)))
    assert sum(each is not None for each in began) == 1


@pytest.mark.parametrize("verdict", [DOWN, UP])
def test_a_new_verdict_of_the_probes_ends_what_calls_taught(verdict: Health) -> None:
    bed = Bed(4)
    bed.fail(1)
    bed.verdicts.refused(bed[2])
    bed.verdicts.backpressure(bed[3], 300)
    for worker_id in (1, 2, 3):
        bed.become(worker_id, health=verdict)
    assert bed.out == set()
    assert bed.verdicts.live == {}


@pytest.mark.parametrize("fields", [{"url": "http://elsewhere/"}, {"spec": "{}"}, {"admin": "offline"}])
def test_who_is_registered_anew_begins_anew(fields: dict[str, object]) -> None:
    bed = Bed(2)
    bed.fail(1)
    bed.become(1, **fields)
    assert bed.verdicts.live == {}


@pytest.mark.parametrize("fields", [{"weight": 7}, {"expires_at": 9.0}, {"health": replace(UP, probe="unknown")}])
def test_a_new_weight_and_a_renewal_are_no_new_beginning(fields: dict[str, object]) -> None:
    bed = Bed(2)
    bed.fail(1)
    bed.become(1, **fields)
    assert bed.out == {1}


def test_who_is_gone_is_forgotten_and_the_others_are_not() -> None:
    bed = Bed(3)
    bed.verdicts.refused(bed[1])
    bed.verdicts.refused(bed[2])
    bed.verdicts.changed(bed[1], None)
    assert set(bed.verdicts.live["m"]) == {2}
    bed.verdicts.changed(None, worker(9, "http://w9/"))
    bed.verdicts.changed(None, None)
    assert set(bed.verdicts.live["m"]) == {2}


def test_slow_start_from_down_to_up_and_not_for_a_new_worker() -> None:
    bed = Bed(2)
    bed.become(1, health=UP)
    assert bed.verdicts.live == {}, "unknown before: it is new, or this router is"
    bed.become(1, health=DOWN)
    bed.become(1, health=UP)
    assert bed.verdicts.look(bed.pool).parts == {1: 0.1}
    bed.now += 15
    assert bed.verdicts.look(bed.pool).parts == {1: 0.5}
    bed.now += 15
    assert bed.verdicts.look(bed.pool) is not None
    assert bed.verdicts.live == {}


def test_slow_start_may_be_off() -> None:
    bed = Bed(1, slow_start_s=0)
    bed.become(1, health=DOWN)
    bed.become(1, health=UP)
    assert bed.verdicts.live == {}


def test_the_log_says_who_is_ejected_and_why_and_who_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="app")
    bed = Bed(2)
    for _ in range(4):
        bed.now += 0.001
        bed.verdicts.judged(bed[1], Failure(1, "status", "the prompt was: secret", status=502), bed.now)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("Worker 1 of m failed in a row (the last call: HTTP 502): ejected for ")
    bed.now += 40
    for _ in range(2):
        began = bed.verdicts.started_trial(bed[1])
        assert began is not None
        bed.verdicts.succeeded(bed[1], began)
    assert caplog.messages[1:] == ["Worker 1 of m is back: its trials succeeded, slow start"]


def test_the_log_names_pauses_that_a_worker_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="app")
    bed = Bed(2)
    bed.verdicts.judged(bed[1], Failure(1, "status", "busy", status=503), bed.now)
    assert caplog.messages == []
    for _ in range(2):
        bed.verdicts.judged(bed[1], Failure(1, "status", "busy", status=429, retry_after_s=7), bed.now)
    assert caplog.messages == ["Worker 1 of m answered HTTP 429: no traffic for 7 s"]


def test_the_settings_count() -> None:
    bed = Bed(4, eject_after=1, eject_s=5, eject_max_s=6, bench_s=1)
    bed.fail(1, 1)
    assert bed.out == {1}
    bed.now += 5.6
    bed.verdicts.refused(bed[2])
    assert bed.out == {2}
    bed.now += 1
    assert bed.out == set()


def test_other_models_are_not_looked_at() -> None:
    bed = Bed(2)
    bed.verdicts.refused(bed[1])
    assert bed.verdicts.look(Pool("other", [])) is NOTHING
