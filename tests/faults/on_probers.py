"""Two servers on one database, the prober paused; and a server whose wall clock jumps."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from app.storage.lease import Lease
from tests.faults.load import Load, Sample
from tests.faults.on_workers import Pair, wait_until_down
from tests.faults.pausing import paused
from tests.faults.workers import models
from tests.served.leases import held, leader, opened
from tests.serving import Server, serving, wait_for

WATCHED_S = 2.0
"""So long a verdict is watched that an overslept prober might overwrite."""
NAME = "watched"


@dataclass(frozen=True)
class Pause:
    """`overwritten`: verdicts that were not down of a dead worker. `holders`: who held the lease, by epoch."""

    taken_over_s: float
    overwritten: list[str]
    holders: dict[int, set[str]]
    failures: list[Sample]


def paused_leaders(url: str, folder: Path, times: int) -> list[Pause]:
    """Two servers of one process each. The one that probes is stopped, and wakes up when another has its place."""
    with ExitStack() as stack:
        two, journal = stack.enter_context(models(folder, 2))
        servers = [stack.enter_context(serving(url, folder / f"var{n}", processes=1)) for n in (1, 2)]
        ids = [servers[0].register(**model.chat(NAME, health={"interval_s": 0.5, "timeout_s": 0.5})) for model in two]
        return [_pause(url, servers, Pair(servers[0], NAME, two, ids, journal)) for _ in range(times)]


def _pause(url: str, servers: list[Server], pair: Pair) -> Pause:
    pair.wait_until_up()
    holders: dict[int, set[str]] = {}
    with opened(url) as database:

        def seen() -> Lease | None:
            lease = held(database)
            if lease:
                holders.setdefault(lease.epoch, set()).add(lease.holder)
            return lease

        first = wait_for("a leader", lambda: leader(database) if seen() else None)
        pair.server = other = next(server for server in servers if first not in server.pids)
        with paused(first, url) as began:
            wait_for("another leader", lambda: seen() and leader(database) != first)
            took = time.monotonic() - began
            with Load(other.port, NAME, 20) as load:
                load.wait_for_more(20)
                pair.models[0].kill()
                killed_at = time.monotonic()
                wait_until_down(other, pair.ids[0])
                load.wait_for_more(20)
        overwritten = list(_other_verdicts(other, pair.ids[0], seen))
        pair.models[0].start()
    return Pause(took, overwritten, holders, [sample for sample in load.failures() if sample.begun > killed_at])


def _other_verdicts(server: Server, worker_id: int, look: Callable[[], object]) -> Iterator[str]:
    until = time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        look()
        if (probe := server.worker(worker_id)["probe"]) != "down":
            yield probe


# libfaketime 0.9.10 takes an absolute sleep by the monotonic clock, as Python's are, for one by the wall clock.
SLEEP = "import select, time; time.sleep = lambda seconds: select.select([], [], [], seconds) and None"


def faketime_library() -> str | None:
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


@dataclass(frozen=True)
class Jump:
    hours: int
    down_s: float
    up_s: float
    failures: list[Sample]


@contextmanager
def jumping(library: str, url: str, folder: Path) -> Iterator[tuple[Server, Path]]:
    """A server whose wall clock is as far off as the file says; its monotonic clock is the real one."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = folder / "clock"
    clock.write_text("+0\n")
    (folder / "sitecustomize.py").write_text(SLEEP)
    settings = {
        "PYTHONPATH": str(folder),
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # gunicorn tells by a file's time, set from the monotonic clock, whether a process lives
        "NO_FAKE_STAT": "1",
        "FAKE_UTIME": "0",
    }
    with serving(url, folder / "var", **settings) as server:
        yield server, clock


def clock_jumps(library: str, url: str, folder: Path, hours: tuple[int, ...] = (1, -1, 0)) -> list[Jump]:
    """To so many hours beside the truth, one after another; each time a worker dies and comes back afterwards."""
    jumps = []
    with models(folder, 2) as (two, journal), jumping(library, url, folder) as (server, clock):
        ids = [server.register(**model.chat(NAME)) for model in two]
        pair = Pair(server, NAME, two, ids, journal)
        pair.wait_until_up()
        for jump in hours:
            with Load(server.port, NAME, 20) as load:
                load.wait_for_more(20)
                clock.write_text(f"{jump:+d}h\n")
                load.wait_for_more(20)
                off = _server_time(server) - time.time()
                assert abs(off - 3600 * jump) < 10, f"the clock is {off:.0f} s off, not {jump} h"
            jumps.append(Jump(jump, *_down_and_up(pair), load.failures()))
    return jumps


def _server_time(server: Server) -> float:
    return parsedate_to_datetime(server.ask("GET", "/healthz").headers["Date"]).timestamp()


def _down_and_up(pair: Pair) -> tuple[float, float]:
    pair.models[1].kill()
    began = time.monotonic()
    wait_until_down(pair.server, pair.ids[1])
    down = time.monotonic() - began
    pair.models[1].start()
    began = time.monotonic()
    pair.server.wait_for_status(pair.ids[1], "available")
    return down, time.monotonic() - began
