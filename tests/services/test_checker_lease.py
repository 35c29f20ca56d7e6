"""Who probes: one process at a time, the next when its beat stands still, and nobody writes with a lost lease."""

from __future__ import annotations

import logging
import threading

import pytest

from app.core.errors import StorageUnavailable
from app.storage.database import Database
from tests.services.checking import REFUSED, Airport, Rig
from tests.serving import wait_for


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


def test_the_first_process_leads_and_the_second_watches(rig: Rig) -> None:
    rig.register()
    first, second = rig.leader(), rig.checker()
    for _ in range(20):
        rig.pass_time(0.5)
        second.tick()
        first.tick()
    assert first.leads
    assert not second.leads
    assert rig.lease.epoch == 1


def test_a_leader_that_falls_silent_is_replaced_after_the_lease(rig: Rig) -> None:
    rig.leader()
    second = rig.checker()
    second.tick()
    rig.pass_time(3.9)
    second.tick()
    assert not second.leads
    rig.pass_time(0.2)
    second.tick()
    assert second.leads


def test_the_wall_clock_has_no_say_in_it(rig: Rig) -> None:
    rig.leader()
    second = rig.checker()
    second.tick()
    rig.wall += 3600
    second.tick()
    assert not second.leads
    rig.wall -= 7200
    rig.monotonic += 4.1
    second.tick()
    assert second.leads


def test_a_leader_that_was_paused_wakes_late_and_writes_nothing(rig: Rig) -> None:
    worker_id = rig.register()
    airport = Airport()
    first, second = rig.leader(airport), rig.checker()
    rig.answers[worker_id] = REFUSED
    first.tick()
    second.tick()
    rig.pass_time(4.1)
    second.tick()
    airport.land()
    del rig.answers[worker_id]
    rig.sweep(second)
    after = rig.worker(worker_id).health
    assert (after.probe, after.streak) == ("up", 1)
    first.tick()
    first.tick()
    assert not first.leads
    assert rig.worker(worker_id).health == after
    assert rig.lease.epoch == 2


def test_what_a_lost_term_left_behind_is_not_written_in_the_next(rig: Rig) -> None:
    worker_id = rig.register()
    airport = Airport()
    first, second = rig.leader(airport), rig.checker()
    rig.answers[worker_id] = REFUSED
    first.tick()
    second.tick()
    rig.pass_time(4.1)
    second.tick()
    first.tick()
    second.stop()
    first.tick()
    assert first.leads
    airport.land()
    rig.pass_time(2)
    first.tick()
    assert rig.worker(worker_id).health.last_probe_at is None
    del rig.answers[worker_id]
    airport.land()
    first.tick()
    assert rig.worker(worker_id).health.probe == "up"


def test_a_clean_stop_hands_the_lease_on_at_once(rig: Rig) -> None:
    first, second = rig.leader(), rig.checker()
    second.tick()
    first.stop()
    assert not first.leads
    second.tick()
    assert second.leads


def test_only_one_of_two_that_see_a_dead_lease_gets_it(rig: Rig) -> None:
    rig.leader()
    second, third = rig.checker(), rig.checker()
    second.tick()
    third.tick()
    rig.pass_time(5)
    second.tick()
    third.tick()
    assert second.leads
    assert not third.leads


def test_an_outage_costs_neither_the_lease_nor_a_verdict(rig: Rig) -> None:
    worker_id = rig.register()
    first, second = rig.leader(), rig.checker()
    rig.sweep(first)
    second.tick()
    first.tick()
    rig.away = True
    rig.pass_time(600)
    for checker in (first, second):
        with pytest.raises(StorageUnavailable):
            checker.tick()
    rig.away = False
    second.tick()
    assert not second.leads
    rig.sweep(first)
    assert first.leads
    assert rig.lease.epoch == 1
    assert rig.worker(worker_id).health.last_probe_at == rig.wall


def test_stopping_while_the_database_is_away_is_quiet(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    checker = rig.leader()
    rig.away = True
    checker.stop()
    assert "dies by itself" in caplog.text


class TestThread:
    """The thread itself; it runs in real time, so only conditions are waited for."""

    def test_it_probes_and_hands_the_lease_on_when_stopped(self, rig: Rig) -> None:
        worker_id = rig.register()
        checker = rig.checker()
        checker.start()
        try:
            wait_for("an up worker", lambda: rig.worker(worker_id).health.probe == "up")
            assert "rollcall-checker" in {thread.name for thread in threading.enumerate()}
        finally:
            checker.stop()
        assert rig.lease.holder == ""
        assert "rollcall-checker" not in {thread.name for thread in threading.enumerate()}

    def test_an_outage_is_logged_once_and_survived(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "app.services.checker")
        worker_id = rig.register()
        rig.away = True
        checker = rig.checker()
        checker.start()
        try:
            wait_for("the complaint", lambda: "Health checks pause" in caplog.text)
            rig.away = False
            wait_for("an up worker", lambda: rig.worker(worker_id).health.probe == "up")
        finally:
            checker.stop()
        assert caplog.text.count("Health checks pause") == 1
        assert "Health checks go on" in caplog.text

    def test_a_stumble_never_ends_it(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
        worker_id = rig.register()
        real, stumbles = rig.drain_requests, iter([KeyError("a fault")])

        def stumble() -> list[int]:
            for fault in stumbles:
                raise fault
            return real()

        rig.drain_requests = stumble  # type: ignore[method-assign]
        checker = rig.checker()
        checker.start()
        try:
            wait_for("an up worker", lambda: rig.worker(worker_id).health.probe == "up")
        finally:
            checker.stop()
        assert "Health checks stumbled" in caplog.text
