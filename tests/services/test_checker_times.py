"""The promises in seconds, kept in virtual time: out within 6 s, back within 3 s (12 s after more than 6 minutes)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.storage.database import Database
from tests.services.checking import UP, Airport, Job, ProbeResult, Rig

TIMED_OUT = ProbeResult(False, "no answer within 1 s")
PHASES = [0.0, 0.3, 0.7, 1.1, 1.5, 1.9]
STEP_S = 0.1


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


class Loop:
    """One worker, and the checker's loop in steps of a tenth of a second. A probe of a hung worker takes a second."""

    def __init__(self, database: Database) -> None:
        self.rig = Rig(database)
        self.checker = self.rig.leader(self._launch)
        self.worker = self.rig.register()
        self._flying: list[tuple[float, Job]] = []

    def hang(self) -> None:
        self.rig.answers[self.worker] = TIMED_OUT

    def recover(self) -> None:
        self.rig.answers[self.worker] = UP

    def run(self, seconds: float, until: Callable[[str], bool] = lambda probe: False) -> float:
        """Runs for so long, or until the verdict is such; the seconds that it took."""
        began = self.rig.monotonic
        while self.rig.monotonic - began < seconds and not until(self.rig.worker(self.worker).health.probe):
            self.rig.pass_time(STEP_S)
            for flight in [flight for flight in self._flying if flight[0] <= self.rig.monotonic]:
                self._flying.remove(flight)
                flight[1]()
            self.checker.tick()
        return self.rig.monotonic - began

    def _launch(self, job: Job) -> None:
        slow = self.rig.answers.get(self.worker) == TIMED_OUT
        self._flying.append((self.rig.monotonic + (1.0 if slow else 0.0), job))


@pytest.fixture
def loop(database: Database) -> Loop:
    return Loop(database)


def test_the_first_probe_comes_right_after_registration(loop: Loop) -> None:
    assert loop.run(2, lambda probe: probe == "up") < 0.5


@pytest.mark.parametrize("phase", PHASES)
def test_a_worker_that_hangs_is_out_within_six_seconds(loop: Loop, phase: float) -> None:
    loop.run(2.5 + phase)
    loop.hang()
    assert loop.run(10, lambda probe: probe == "down") < 5.9


@pytest.mark.parametrize("phase", PHASES[:4])
def test_it_is_back_within_three_seconds(loop: Loop, phase: float) -> None:
    loop.hang()
    loop.run(10, lambda probe: probe == "down")
    loop.rig.pass_time(90)
    loop.run(3 + phase)
    loop.recover()
    assert loop.run(10, lambda probe: probe == "up") < 3


@pytest.mark.parametrize("phase", [0.0, 4.0, 8.0])
def test_after_more_than_six_minutes_it_is_back_within_twelve(loop: Loop, phase: float) -> None:
    loop.hang()
    loop.run(10, lambda probe: probe == "down")
    loop.rig.pass_time(400)
    loop.run(3 + phase)
    loop.recover()
    assert loop.run(20, lambda probe: probe == "up") < 12


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_wall_clock_that_jumps_changes_nothing(loop: Loop, jump: float) -> None:
    loop.run(2.5)
    loop.rig.wall += jump
    loop.hang()
    assert loop.run(10, lambda probe: probe == "down") < 5.9
    loop.rig.wall -= jump
    loop.recover()
    assert loop.run(10, lambda probe: probe == "up") < 3
    assert loop.checker.leads


def test_a_probe_of_a_hung_worker_never_stands_in_the_way_of_another(database: Database) -> None:
    rig, airport = Rig(database), Airport()
    slow, quick = rig.register("slow"), rig.register("quick")
    checker = rig.leader(lambda job: airport(job) if len(airport.waiting) < 1 else job())
    rig.answers[slow] = TIMED_OUT
    for _ in range(12):
        rig.sweep(checker)
    assert rig.asked.count(quick) >= 5
    assert slow not in rig.asked
    assert (rig.worker(quick).health.probe, rig.worker(slow).health.probe) == ("up", "unknown")
    assert rig.lease.holder
    assert checker.leads
    for _ in range(3):
        airport.land()
        rig.sweep(checker)
    assert rig.worker(slow).health.probe == "down"
