"""The parts of `make chaos`: each makes faults and notes what was promised of them. Run by tests/faults/run.py."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.databases import upgrade
from tests.faults import on_databases, on_probers, on_workers
from tests.faults.departures import departures, percentile
from tests.faults.kills import kills
from tests.faults.load import Load
from tests.faults.overruns import overruns
from tests.faults.own_postgres import own_postgres
from tests.faults.storm import storm
from tests.faults.tally import Tally
from tests.faults.victims import forked, served
from tests.memory import MIB
from tests.serving import Server, serving

KILL_RUNS, HANG_S, PAUSES = 5, 8.0, 3
CAP = 32_000_000
QUICK: Mapping[str, Any] = {"health": {"interval_s": 0.5, "timeout_s": 0.5}}
_names = (f"m{number}" for number in itertools.count())


def number(name: str, default: float) -> float:
    """From the environment, as `make chaos NAME=…` puts it there."""
    return float(os.environ.get(name) or default)


def sqlite(folder: Path) -> tuple[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{next(_names)}.db"
    upgrade(f"sqlite:///{path}")
    return f"sqlite:///{path}", path


@contextmanager
def server(folder: Path, **settings: str) -> Iterator[Server]:
    with serving(sqlite(folder)[0], folder / "var", **settings) as running:
        yield running


def worker_killed(tally: Tally, folder: Path) -> None:
    with server(folder) as running, on_workers.pair(running, folder, next(_names)) as two:
        for run in range(KILL_RUNS):
            with Load(running.port, two.name, 40) as load:
                kill = on_workers.kill_one(two, load, run % 2)
            tally.within("1  kill -9 of one of two workers at 40/s: failures", len(kill.failures), 1, "", kill.failures)
            tally.within("1  … the last one after the kill", 1000 * kill.last_s, 100, "ms")
            tally.none("1  … begun when it was dead", len(load.samples), kill.later)


def worker_hangs(tally: Tally, folder: Path) -> None:
    for how, words, limit in (("0.5 s probes", QUICK, 60), ("defaults", {}, 110)):
        with server(folder) as running, on_workers.pair(running, folder, next(_names), **words) as two:
            with Load(running.port, two.name, 40) as load:
                hang = on_workers.hang_one(two, load, HANG_S)
            tally.within(f"2  SIGSTOP 8 s at 40/s, {how}: slower than 1 s", len(hang.slow), limit)
            tally.within(f"2  … {how}: out of selection after", hang.marked_s, 6, "s")
            tally.none("2  … routed there more than 1 s after the mark", len(load.samples), hang.late)
            tally.none("2  … failures", len(load.samples), hang.failures)


def black_hole(tally: Tally, folder: Path) -> None:
    with server(folder) as running:
        for _ in range(3):
            took = on_workers.black_hole(running, next(_names))
            tally.within("2  a black hole: out of selection after", took, 6, "s")


def all_full(tally: Tally, folder: Path) -> None:
    with server(folder) as running:
        refusals = on_workers.all_full(running, next(_names)) + [on_workers.all_off(running, next(_names))]
    for each in refusals:
        tally.note("3  all full or off: 503 with Retry-After", each.status == 503 and each.retry_after != "", why=each)
        tally.within("3  … answered after", each.took, 1.2, "s")


def retries(tally: Tally, folder: Path, requests: int = 200) -> None:
    with server(folder, ROLLCALL_PROCESSES="1") as running:
        calls, most = on_workers.attempts(running, next(_names), requests)
    tally.within("4  five workers that all fail: workers asked for one request", most, 3)
    tally.within("4  … calls for 200 requests", calls, requests * 1.2 + 3)


def clients_leave(tally: Tally, folder: Path) -> None:
    for kind in ("gevent", "gthread"):
        (folder / kind).mkdir(parents=True)
        took = departures(kind, folder / kind)
        tally.within(f"5  a client leaves ({kind}): p99 of 200", 1000 * percentile(took, 0.99), 250, "ms")


def replies_overrun(tally: Tally, folder: Path) -> None:
    for kind in ("gevent", "gthread"):
        (folder / kind).mkdir(parents=True)
        for each in overruns(kind, folder / kind):
            tally.within("9  drips, floods and bombs: beyond the deadline", max(each.late_s, 0.0), 0.5, "s", each)
            tally.within("9  … memory beyond the cap", max(each.growth - CAP, 0) / MIB, 16, "MiB", each)


def killed_while_registering(tally: Tally, folder: Path) -> None:
    """Serving processes mostly, which are back at once; each twentieth time a whole server."""
    count = int(number("KILLS", 1000))
    with forked(sqlite(folder)[0], folder / "forked") as victim:
        _kills(tally, victim, count - count // 20, "SQLite")
    with served(sqlite(folder)[0], folder / "served") as victim:
        _kills(tally, victim, count // 20, "SQLite")
    with own_postgres() as database, forked(database.url, folder / "postgres") as victim:
        _kills(tally, victim, count // 10, "PostgreSQL")


def _kills(tally: Tally, victim: Any, count: int, kind: str) -> None:
    report = kills(victim, count, 1.0)
    tally.none(f"6  kill -9 ({kind}): acknowledged writes kept, none by half", report.acknowledged, report.wrong)
    tally.none(f"6  … after so many kills ({kind})", report.kills, [])


def postgres_restarts(tally: Tally, folder: Path) -> None:
    count = int(number("RESTARTS", 100))
    with own_postgres() as database:
        seen = on_databases.restarts(database, folder, count)
    tally.none("7  PostgreSQL crashes and restarts: completions", len(seen.samples), seen.failures)
    tally.none("6  … acknowledged writes kept", seen.acknowledged, seen.broken)
    tally.none("7  … operators were told yes, conflict or 503", count, [seen.odd] if seen.odd else [])
    tally.within(f"7  … {count} times, writes go on after", seen.back_s, 5, "s")


def postgres_down(tally: Tally, folder: Path) -> None:
    with own_postgres() as database:
        seen = on_databases.outage(database, folder)
    samples, failures = seen.outcome.samples, seen.outcome.failures
    tally.none("7  PostgreSQL is away, a process is replaced: completions", len(samples), failures)
    tally.note("7  … management is 503 with a sentence", seen.refused.status == 503, why=seen.refused)
    tally.within("7  … said after", seen.refused_after_s, 5, "s")
    tally.within("7  … writes go on after", seen.outcome.back_s, 5, "s")


def leader_paused(tally: Tally, folder: Path) -> None:
    with own_postgres() as database:
        pauses = on_probers.paused_leaders(database.url, folder / "postgres", PAUSES)
    for pause in pauses + on_probers.paused_leaders(sqlite(folder)[0], folder / "sqlite", PAUSES):
        several = [held for held in pause.holders.values() if len(held) > 1]
        tally.within("8  the prober is paused: another one after", pause.taken_over_s, 5, "s")
        tally.none("8  … one prober in each term", len(pause.holders), several)
        tally.note("8  … it wakes and overwrites nothing", not pause.overwritten, why=pause.overwritten)
        tally.none("8  … completions meanwhile", 1, pause.failures[:1])


def clock_jumps(tally: Tally, folder: Path) -> None:
    library = on_probers.faketime_library()
    if library is None:
        tally.notes.append("Not tried: clock jumps. They need libfaketime (Debian: apt install faketime).")
        return
    for jump in on_probers.clock_jumps(library, sqlite(folder)[0], folder):
        tally.within("8  the clock jumps an hour: a dead worker is out after", jump.down_s, 6, "s")
        tally.within("8  … and back after", jump.up_s, 3, "s")
        tally.note("8  … completions", not jump.failures, why=jump.failures[:1])


def random_faults(tally: Tally, folder: Path) -> None:
    url, path = sqlite(folder)
    seen = storm(url, path, folder, number("MINUTES", 10))
    made = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(seen.made.items()))
    tally.notes.append(f"Random faults: {made}; {len(seen.inside)} requests were inside something that died.")
    tally.none("3  random faults: requests beside those inside", seen.requests, seen.failures)
    tally.none("4  … failures that do not look like an answer", seen.requests, seen.dishonest)
    tally.none("4  … nothing sent twice after its first event", seen.requests, seen.twice)
    tally.within("4  … workers asked for one request", seen.most_attempts, 3)
    tally.within("4  … load that retries add", 100 * seen.added, 20, "%")
    tally.none("7  … films that were ordered end", seen.films + len(seen.lost_films), seen.endless)
    tally.none("7  … films that fail beside those inside", seen.films, seen.lost_films)


def clean(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="rollcall-chaos-"))
