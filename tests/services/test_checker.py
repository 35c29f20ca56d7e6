"""One step of the health check at a time: rows are asserted, there is no thread and no sleep."""

from __future__ import annotations

import threading

import pytest

from app.core.errors import StorageUnavailable, UpstreamError
from app.storage.database import Database
from tests.services.checking import BUSY, REFUSED, UP, Airport, Rig


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


def test_a_new_worker_is_probed_at_once_and_marked_up(rig: Rig) -> None:
    worker_id = rig.register()
    rig.sweep(rig.leader(), after=0)
    health = rig.worker(worker_id).health
    assert (health.probe, health.streak, health.last_ok_at, health.last_probe_at) == ("up", 1, rig.wall, rig.wall)
    assert rig.wall < health.due_at <= rig.wall + 2.2
    assert rig.refreshed == 1


def test_three_failures_mark_it_down_and_two_successes_up_again(rig: Rig) -> None:
    worker_id = rig.register()
    checker = rig.leader()
    rig.sweep(checker)
    rig.answers[worker_id] = REFUSED
    verdicts = []
    for answer in [REFUSED] * 3 + [UP] * 2:
        rig.answers[worker_id] = answer
        rig.sweep(checker)
        verdicts.append(rig.worker(worker_id).health.probe)
    assert verdicts == ["up", "up", "down", "down", "up"]
    health = rig.worker(worker_id).health
    assert health.last_error == "connection refused"
    assert health.last_ok_at is not None
    assert health.last_fail_at is not None
    assert health.last_ok_at > health.last_fail_at
    assert rig.refreshed == 3


def test_only_a_changed_verdict_asks_every_process_to_look(rig: Rig) -> None:
    rig.register()
    checker = rig.leader()
    rig.sweep(checker)
    seen = rig.refreshed
    for _ in range(3):
        rig.sweep(checker)
    assert rig.refreshed == seen


def test_results_without_news_wait_for_the_next_renewal_of_the_lease(rig: Rig) -> None:
    worker_id = rig.register()
    checker = rig.leader()
    rig.sweep(checker)
    before, probed = rig.writes, rig.worker(worker_id).health.last_probe_at
    rig.wall += 3
    for _ in range(9):
        rig.monotonic += 0.1
        checker.tick()
    assert (rig.writes, len(rig.asked)) == (before, 2)
    rig.monotonic += 0.2
    checker.tick()
    assert rig.writes == before + 1
    assert rig.worker(worker_id).health.last_probe_at != probed


def test_an_answer_that_says_nothing_is_no_verdict(rig: Rig) -> None:
    worker_id = rig.register()
    rig.answers[worker_id] = BUSY
    rig.sweep(rig.leader())
    health = rig.worker(worker_id).health
    assert (health.probe, health.streak, health.last_probe_at is not None) == ("unknown", 0, True)


def test_a_passing_probe_never_undoes_what_an_operator_did(rig: Rig) -> None:
    draining, offline = rig.register(), rig.register()
    rig.set_admin(draining, "draining")
    rig.set_admin(offline, "offline")
    checker = rig.leader()
    for _ in range(3):
        rig.sweep(checker)
    assert (rig.worker(draining).admin, rig.worker(draining).health.probe) == ("draining", "up")
    assert (rig.worker(offline).admin, rig.worker(offline).health.probe) == ("offline", "unknown")
    assert offline not in rig.asked


def test_a_worker_that_comes_back_is_probed_at_once(rig: Rig) -> None:
    worker_id = rig.register()
    rig.set_admin(worker_id, "offline")
    checker = rig.leader()
    rig.sweep(checker)
    rig.set_admin(worker_id, "enabled")
    rig.sweep(checker)
    assert rig.worker(worker_id).health.probe == "up"


def test_a_worker_deleted_or_taken_offline_during_its_probe(rig: Rig) -> None:
    deleted, offline, other = rig.register(), rig.register(), rig.register()
    airport = Airport()
    checker = rig.leader(airport)
    checker.tick()
    rig.delete(deleted)
    rig.set_admin(offline, "offline")
    airport.land()
    checker.tick()
    assert [worker.id for worker in rig.all()] == [offline, other]
    assert rig.worker(other).health.probe == "up"
    assert rig.worker(offline).admin == "offline"
    rig.asked.clear()
    for _ in range(3):
        rig.sweep(checker)
        airport.land()
    assert set(rig.asked) == {other}


def test_a_refused_connection_brings_the_next_probe_forward_from_any_process(rig: Rig) -> None:
    worker_id = rig.register()
    leader, other = rig.leader(), rig.checker()
    rig.sweep(leader, 0)
    assert rig.worker(worker_id).health.due_at > rig.wall
    rig.refused.append(worker_id)
    rig.away = True
    with pytest.raises(StorageUnavailable):
        other.tick()
    rig.away = False
    other.tick()
    assert rig.worker(worker_id).health.due_at <= rig.wall
    leader.tick()
    assert rig.asked == [worker_id, worker_id]


def test_a_workers_own_rise_fall_and_interval(rig: Rig) -> None:
    own = {"interval_s": 60, "fall": 1, "rise": 1}
    worker_id = rig.register(health={"req_url_template": "http://127.0.0.1:1/health", **own})
    checker = rig.leader()
    verdicts = []
    for answer in (UP, REFUSED, UP):
        rig.answers[worker_id] = answer
        rig.sweep(checker, after=67)
        verdicts.append(rig.worker(worker_id).health.probe)
    assert verdicts == ["up", "down", "up"]
    assert 54 <= rig.worker(worker_id).health.interval_s <= 66


def test_a_probe_that_cannot_be_made_is_a_failure_with_its_reason(rig: Rig) -> None:
    worker_id = rig.register()
    rig.answers[worker_id] = UpstreamError("The worker needs ${env:KEY}, which is not set.")
    rig.sweep(rig.leader())
    assert rig.worker(worker_id).health.streak == -1
    assert rig.worker(worker_id).health.last_error == "The worker needs ${env:KEY}, which is not set."


def test_a_fault_of_ours_takes_no_traffic_away_and_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = rig.register(), rig.register()
    rig.answers[broken] = ZeroDivisionError()
    checker = rig.leader()
    rig.sweep(checker)
    rig.sweep(checker)
    assert (rig.worker(broken).health.probe, rig.worker(sound).health.probe) == ("unknown", "up")
    assert rig.asked.count(broken) == 2
    assert "ZeroDivisionError" in caplog.text


def test_an_error_that_no_database_would_take_does_not_hold_up_the_sweep(rig: Rig) -> None:
    odd, sound = rig.register(), rig.register()
    rig.answers[odd] = type(REFUSED)(False, "bad\x00byte and half a \ud83d pair" + "x" * 500)
    rig.sweep(rig.leader())
    assert rig.worker(sound).health.probe == "up"
    assert (rig.worker(odd).health.last_error or "").startswith("bad byte")


def test_nothing_starts_a_thread_before_start(rig: Rig) -> None:
    before = threading.active_count()
    rig.checker()
    assert threading.active_count() == before
