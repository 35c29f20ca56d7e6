"""Slots at a worker: counted in a process, between real processes, and handed on in order of arrival."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.services.slots import Slot, Slots
from tests.services.routes import worker
from tests.services.slot_keeper import PATIENCE_S, WORKER
from tests.serving import ROOT

OTHER = worker(2, "http://127.0.0.1:10/")


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return Slots(tmp_path)


def soon() -> float:
    return time.monotonic() + PATIENCE_S


@contextmanager
def keeper(folder: Path, limit: int, how: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.services.slot_keeper", str(folder), str(limit), how]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")


def until(true: Callable[[], object]) -> None:
    end = soon()
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


class Line:
    """Threads that stand in line one after the other; `served` are their numbers in the order they got a slot."""

    def __init__(self, slots: Slots, limit: int = 1) -> None:
        self.slots, self.limit = slots, limit
        self.served: list[int] = []
        self.held: dict[int, Slot] = {}
        self.threads: list[threading.Thread] = []

    def join(self) -> None:
        number = len(self.threads)
        thread = threading.Thread(target=self._stand, args=(number,), daemon=True)
        self.threads.append(thread)
        thread.start()
        until(lambda: sum(map(len, self.slots._lines.values())) + len(self.served) > number)

    def _stand(self, number: int) -> None:
        got = self.slots.wait([(WORKER, self.limit)], soon())
        assert got
        self.held[number] = got[1]
        self.served.append(number)


def test_as_many_as_the_limit(slots: Slots) -> None:
    taken = [slots.take(WORKER, 3) for _ in range(4)]
    assert [slot is not None for slot in taken] == [True, True, True, False]
    assert slots.take(OTHER, 1) is not None
    assert taken[1]
    taken[1].release()
    assert slots.take(WORKER, 3)
    assert slots.take(WORKER, 3) is None


def test_giving_back_twice_gives_back_once(slots: Slots) -> None:
    first = slots.take(WORKER, 1)
    assert first
    first.release()
    second = slots.take(WORKER, 1)
    first.release()
    assert second
    assert slots.take(WORKER, 1) is None


def test_a_worker_registered_again_has_no_new_slots(slots: Slots) -> None:
    assert slots.take(WORKER, 1)
    assert slots.take(replace(WORKER, id=77, spec="{}"), 1) is None
    assert slots.take(replace(WORKER, instance="b"), 1)


def test_a_limit_that_is_lowered_holds_for_the_next(slots: Slots) -> None:
    many = [slots.take(WORKER, 3) for _ in range(3)]
    assert slots.take(WORKER, 1) is None
    for slot in many[:2]:
        assert slot
        slot.release()
    assert slots.take(WORKER, 1) is None
    assert many[2]
    many[2].release()
    assert slots.take(WORKER, 1)


def test_another_process_counts_and_kill_9_frees(slots: Slots, tmp_path: Path) -> None:
    with keeper(tmp_path, 2, "take") as other:
        assert said(other) == "got"
        mine = slots.take(WORKER, 2)
        assert mine
        assert slots.take(WORKER, 2) is None
        mine.release()
        assert slots.take(WORKER, 1) is None
        other.kill()
        other.wait()
        assert slots.take(WORKER, 1)


def test_another_process_gives_back(slots: Slots, tmp_path: Path) -> None:
    with keeper(tmp_path, 1, "take") as other:
        assert said(other) == "got"
        tell(other)
        assert said(other) == "released"
        assert slots.take(WORKER, 1)


def test_those_who_wait_are_served_in_their_order(slots: Slots) -> None:
    first = slots.take(WORKER, 1)
    line = Line(slots)
    for _ in range(4):
        line.join()
    assert slots.take(WORKER, 1) is None
    assert first
    first.release()
    for served in range(4):
        until(lambda: len(line.served) > served)  # noqa: B023
        assert slots.take(WORKER, 1) is None
        line.held[served].release()
    assert line.served == [0, 1, 2, 3]
    until(lambda: slots.take(WORKER, 1))


def test_those_who_wait_in_another_process_are_served_first(slots: Slots, tmp_path: Path) -> None:
    first = slots.take(WORKER, 1)
    assert first
    with keeper(tmp_path, 1, "wait") as other:
        until(lambda: not room_for_a_second(slots))
        line = Line(slots)
        line.join()
        first.release()
        assert said(other) == "got"
        assert not line.served
        tell(other)
        until(lambda: line.served)


def room_for_a_second(slots: Slots) -> bool:
    """False once somebody stands in line: then nobody is let in past them."""
    slot = slots.take(WORKER, 2)
    if slot:
        slot.release()
    return slot is not None


def test_one_who_waits_here_is_served_before_another_process(slots: Slots, tmp_path: Path) -> None:
    first = slots.take(WORKER, 1)
    assert first
    line = Line(slots)
    line.join()
    with keeper(tmp_path, 2, "take") as other:
        assert said(other) == "none"
    first.release()
    until(lambda: line.served)


def test_who_waits_in_vain_gets_nothing_and_leaves_the_line(slots: Slots) -> None:
    held = slots.take(WORKER, 1)
    assert slots.wait([(WORKER, 1)], time.monotonic() + 0.03) is None
    assert held
    held.release()
    assert slots.take(WORKER, 1)


def test_the_first_of_several_workers(slots: Slots) -> None:
    held = [slots.take(WORKER, 1), slots.take(OTHER, 1)]
    got: list[int] = []

    def wait() -> None:
        found = slots.wait([(WORKER, 1), (OTHER, 1)], soon())
        assert found
        got.append(found[0].id)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until(lambda: len(slots._lines) == 2)
    assert held[1]
    held[1].release()
    thread.join(PATIENCE_S)
    assert got == [OTHER.id]
    assert held[0]
    held[0].release()
    assert slots.take(WORKER, 1)


def test_many_threads_never_exceed_the_limit(slots: Slots) -> None:
    inside = threading.Semaphore(2)
    served = []

    def work() -> None:
        for _ in range(20):
            got = slots.wait([(WORKER, 2)], soon())
            assert got
            assert inside.acquire(blocking=False), "a third one is inside"
            served.append(1)
            inside.release()
            got[1].release()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(served) == 120
    assert not slots._held
    assert not slots._lines


def test_without_a_usable_folder_this_process_counts_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    slots = Slots(tmp_path / "file")
    assert slots.take(WORKER, 1)
    assert slots.take(WORKER, 1) is None
    assert len([record for record in caplog.records if "limits.concurrency" in record.message]) == 1


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import sys, time, threading
from pathlib import Path
from app.services.slots import Slots
from tests.services.slot_keeper import WORKER
slots = Slots(Path(sys.argv[1]))
held = slots.take(WORKER, 1)
got = []
waiter = threading.Thread(target=lambda: got.append(slots.wait([(WORKER, 1)], time.monotonic() + 20)))
waiter.start()
ticks = 0
while ticks < 20:
    time.sleep(0.005)
    ticks += 1
assert not got
held.release()
waiter.join(20)
print("slot" if got and got[0] else "nothing", ticks)
"""


def test_a_greenlet_that_waits_holds_up_no_other(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "slot 20", done.stderr
