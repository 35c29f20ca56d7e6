"""Measure a registry of many workers in one process on SQLite. usage: python -m bench.fleet [workers]"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from flask_migrate import upgrade
from sqlalchemy import insert

from app import create_app
from app.core.registration import parse_registration
from app.core.selection import pick
from app.core.worker import UNPROBED
from app.services.fleet import Fleet
from app.services.rollcall import Rollcall
from app.storage.models import HEALTH, WORKER
from app.storage.rows import identity

MODELS = 100
BATCH = 5_000


def fill(rollcall: Rollcall, count: int) -> None:
    """Rows as registrations leave them, by the thousand."""
    spec = parse_registration(registration(0), lambda name: False).spec
    for start in range(1, count + 1, BATCH):
        numbers = range(start, min(start + BATCH, count + 1))
        with rollcall.database.write() as tx:
            tx.execute(insert(WORKER), [worker(number, spec) for number in numbers])
            tx.execute(insert(HEALTH), [health(number) for number in numbers])


def worker(number: int, spec: str) -> dict[str, Any]:
    model, url = f"model-{number % MODELS}", f"http://10.0.0.1:9/{number}"
    names = {"id": number, "identity": identity(model, url, ""), "model_name": model, "url": url, "instance": ""}
    kept = {"owner": "", "worker_type": "REMOTE", "weight": 1, "upstream_model": None, "admin": "enabled"}
    times = {"admin_changed_at": 0.0, "created_at": 0.0, "updated_at": 0.0, "changed": 0}
    return names | kept | times | {"spec": spec}


def health(number: int) -> dict[str, Any]:
    never = dict.fromkeys(("last_probe_at", "last_ok_at", "last_fail_at", "last_error"))
    far = {"due_at": 1e10, "interval_s": 2.0, "planned_at": 0.0, "epoch": 0}
    return {"worker_id": number, "probe": UNPROBED.probe, "streak": 0, "since": 0.0, **never, **far}


def registration(number: int) -> dict[str, Any]:
    body = {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "temperature": "{MODEL_TEMPERATURE}"}
    return {
        "model_name": "model-0",
        "req_url_template": f"http://10.0.0.2:9/{number}",
        "body": body,
        "response_extract": "choices[].message.content",
    }


def median_ms(step: Callable[[int], object], times: int) -> float:
    taken = []
    for number in range(times):
        begun = time.perf_counter()
        step(number)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def report(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def measure(rollcall: Rollcall, count: int) -> None:
    print(f"| {count:,} workers, {MODELS} models | |\n|---|---|")
    process, fleet = psutil.Process(), rollcall.fleet
    gc.collect()
    before = process.memory_info().rss
    report("first load", f"{median_ms(lambda _: fleet.refresh(), 1) / 1000:.1f} s")
    gc.collect()
    report("memory a worker", f"{(process.memory_info().rss - before) / count / 1000:.1f} kB")
    pool = fleet.pool("model-0")
    assert pool is not None
    report("pick", f"{median_ms(lambda _: pick(pool, frozenset()), 10_000) * 1000:.1f} µs")
    seen: list[int] = []
    register = median_ms(lambda number: seen.append(rollcall.registry.register(registration(number)).worker.id), 20)
    report("register, with fsync and seen here", f"{register:.0f} ms")
    other = Fleet(rollcall.database, 0.1)
    other.refresh()
    rollcall.registry.change(seen[0], weight=2)
    report("a change, seen by another process", f"{median_ms(lambda _: other.refresh(), 1):.0f} ms after its poll")
    report("remove, with fsync and seen here", f"{median_ms(lambda n: rollcall.registry.remove(seen[n]), 5):.0f} ms")
    report("a poll without news", f"{median_ms(lambda _: other.refresh(), 100) * 1000:.0f} µs")


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as var:
        app = create_app({"DATABASE_URL": f"sqlite:///{Path(var) / 'fleet.db'}", "ROLLCALL_VAR": var})
        with app.app_context():
            upgrade()
            rollcall: Rollcall = app.extensions["rollcall"]
            fill(rollcall, count)
            measure(rollcall, count)
            app.extensions["sqlalchemy"].engine.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
