"""Half or more of at least four fail at once: the network is to blame. Sweeps in virtual time, rows asserted."""

from __future__ import annotations

import logging

import pytest

from app.storage.database import Database
from tests.services.checking import REFUSED, Rig


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


class Fleet:
    """So many workers, all up."""

    def __init__(self, rig: Rig, count: int) -> None:
        self.rig = rig
        self.ids = [rig.register() for _ in range(count)]
        self.checker = rig.leader()
        self.sweep()
        self.sweep()
        assert self.down == []

    def sweep(self, times: int = 1) -> None:
        for _ in range(times):
            self.rig.sweep(self.checker)

    def fail(self, *numbers: int) -> None:
        self.rig.answers = {self.ids[number]: REFUSED for number in numbers}

    @property
    def down(self) -> list[int]:
        return [number for number, id in enumerate(self.ids) if self.rig.worker(id).health.probe == "down"]


@pytest.mark.parametrize(("count", "failing"), [(4, 2), (4, 4), (5, 3), (8, 4), (8, 8)])
def test_half_or_more_of_at_least_four_keep_the_old_verdict(rig: Rig, count: int, failing: int) -> None:
    fleet = Fleet(rig, count)
    fleet.fail(*range(failing))
    fleet.sweep(8)
    assert fleet.down == []
    health = rig.worker(fleet.ids[0]).health
    assert (health.streak, health.last_error) == (-8, "connection refused"), "what was seen is there all the same"


@pytest.mark.parametrize(("count", "failing"), [(1, 1), (2, 2), (3, 2), (3, 3), (4, 1), (5, 2), (8, 3)])
def test_fewer_are_down_as_ever(rig: Rig, count: int, failing: int) -> None:
    fleet = Fleet(rig, count)
    fleet.fail(*range(failing))
    fleet.sweep(3)
    assert fleet.down == list(range(failing))


def test_the_log_says_so_once_and_when_it_is_over(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    fleet = Fleet(rig, 4)
    fleet.fail(0, 1, 2)
    with caplog.at_level(logging.WARNING, "app.services.mass_failure"):
        fleet.sweep(6)
        fleet.fail()
        fleet.sweep(2)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "3 of 4 workers fail their probes at once: the network is to blame, the last verdicts stand",
        "The probes of those workers succeed again",
    ]


def test_once_the_network_is_back_those_who_still_fail_go_down(rig: Rig) -> None:
    fleet = Fleet(rig, 4)
    fleet.fail(0, 1, 2, 3)
    fleet.sweep(5)
    fleet.fail(1)
    fleet.sweep(2)
    assert fleet.down == [1]


def test_probes_that_began_before_the_network_was_back_take_nobody_out(rig: Rig) -> None:
    """The last ones of the mass fail while the others succeed already."""
    fleet = Fleet(rig, 6)
    fleet.fail(0, 1, 2, 3, 4, 5)
    fleet.sweep(5)
    fleet.fail(1, 4)
    fleet.sweep()
    assert fleet.down == []
    fleet.fail(4)
    fleet.sweep()
    assert fleet.down == [4]


def test_workers_that_are_down_already_do_not_count(rig: Rig) -> None:
    fleet = Fleet(rig, 8)
    fleet.fail(0, 1, 2)
    fleet.sweep(4)
    assert fleet.down == [0, 1, 2]
    fleet.fail(0, 1, 2, 3)
    fleet.sweep(4)
    assert fleet.down == [0, 1, 2, 3], "one of five that were up"
    fleet.fail(0, 1, 2, 3, 4, 5)
    fleet.sweep(4)
    assert fleet.down == [0, 1, 2, 3], "two of four that were up"


def test_new_workers_that_never_answered_are_no_mass_failure(rig: Rig) -> None:
    ids = [rig.register() for _ in range(6)]
    rig.answers = dict.fromkeys(ids, REFUSED)
    checker = rig.leader()
    for _ in range(4):
        rig.sweep(checker)
    assert [rig.worker(id).health.probe for id in ids] == ["down"] * 6


def test_who_is_asked_each_minute_does_not_hold_up_the_others(rig: Rig) -> None:
    seldom = [rig.register(health={"interval_s": 60}) for _ in range(6)]
    often = rig.register()
    checker = rig.leader()
    rig.sweep(checker)
    rig.answers = {often: REFUSED}
    for _ in range(3):
        rig.sweep(checker)
    assert rig.worker(often).health.probe == "down"
    assert all(rig.worker(id).health.probe == "up" for id in seldom)


def test_workers_that_are_gone_do_not_count(rig: Rig) -> None:
    fleet = Fleet(rig, 7)
    for number in (4, 5, 6):
        rig.set_admin(fleet.ids[number], "offline")
    fleet.sweep(4)
    fleet.fail(0)
    fleet.sweep(3)
    assert fleet.down == [0]


def test_another_prober_holds_as_well(rig: Rig) -> None:
    """It begins in the middle of it and knows nothing of what was before."""
    fleet = Fleet(rig, 6)
    fleet.fail(0, 1, 2, 3, 4, 5)
    fleet.sweep(4)
    fleet.checker.stop()
    fleet.checker = rig.leader()
    fleet.sweep(4)
    assert fleet.down == []


def test_after_a_restart_of_the_router_everyone_keeps_the_verdict(rig: Rig) -> None:
    fleet = Fleet(rig, 3)
    fleet.fail(0)
    fleet.sweep(3)
    fleet.checker.stop()
    before = [rig.worker(id).health.probe for id in fleet.ids]
    checker = rig.leader()
    checker.tick()
    assert [rig.worker(id).health.probe for id in fleet.ids] == before == ["down", "up", "up"]
