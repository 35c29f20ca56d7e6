"""How many probes fly at once, and that none waits for ever for its turn."""

from __future__ import annotations

from app.storage.database import Database
from tests.services.checking import Airport, Rig


def test_no_more_probes_at_once_than_allowed_and_never_two_for_one_worker(database: Database) -> None:
    rig, airport = Rig(database, probe_parallel=3), Airport()
    ids = [rig.register() for _ in range(5)]
    checker = rig.leader(airport)
    for _ in range(4):
        rig.pass_time(3)
        checker.tick()
        assert len(airport.waiting) == 3
    airport.land()
    checker.tick()
    assert len(airport.waiting) == 3
    airport.land()
    assert sorted(set(rig.asked)) == ids


def test_a_large_fleet_is_not_held_up_by_results_that_wait(database: Database) -> None:
    rig = Rig(database, probe_parallel=3)
    ids = [rig.register() for _ in range(12)]
    checker = rig.leader()
    for _ in ids:
        rig.sweep(checker, after=0)
    rig.wall += 3
    rig.asked.clear()
    for _ in range(4):
        checker.tick()
    assert sorted(rig.asked) == ids
