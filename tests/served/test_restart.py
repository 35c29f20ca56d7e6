"""Stops, kills and restarts of the server: nothing is forgotten, and somebody always probes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import create_engine

from app.storage import lease
from app.storage.database import Database, engine_options
from app.storage.lease import Lease
from tests.fakes import refusing_port
from tests.served.toys import Toy, openai_worker
from tests.serving import Server, serving, wait_for

KEPT = ("id", "model_name", "req_url_template", "weight", "admin", "probe", "status", "last_ok_at", "last_fail_at")


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    engine = create_engine(sqlite_url, **engine_options(sqlite_url))
    yield Database(engine)
    engine.dispose()


def held(database: Database) -> Lease | None:
    with database.read() as tx:
        row = lease.read(tx)
    return row if row.holder else None


def leader(database: Database) -> int | None:
    row = held(database)
    return int(row.holder.split("/")[1]) if row else None


def rows(server: Server) -> list[dict[str, Any]]:
    data = server.ask("GET", "/api/server/workers").body["data"]
    return [{name: row[name] for name in KEPT} for row in data]


@pytest.fixture
def down_port() -> Iterator[int]:
    with refusing_port() as port:
        yield port


def test_a_restart_forgets_nothing(
    database: Database, database_url: str, folder: Path, toy: Toy, down_port: int
) -> None:
    calm = {"ROLLCALL_PROBE_FALL": "1", "ROLLCALL_PROBE_INTERVAL_S": "3600"}
    with serving(database_url, folder, **calm) as server:
        up = server.register(**openai_worker("kept", toy.url, weight=3))
        down = server.register(**openai_worker("kept", f"http://127.0.0.1:{down_port}/v1", weight=7))
        server.wait_for_status(up, "available")
        server.wait_for_status(down, "down")
        before = rows(server)
        children = server.pids
        assert server.stop(signal.SIGTERM) == 0
    assert held(database) is None
    assert not any(psutil.pid_exists(pid) for pid in children)

    with serving(database_url, folder, **calm, ROLLCALL_HEALTH_CHECKS="0") as server:
        assert rows(server) == before


def test_another_process_takes_over_when_the_leader_is_killed(
    database: Database, database_url: str, folder: Path, toy: Toy
) -> None:
    with serving(database_url, folder) as server:
        first = wait_for("a leader", lambda: leader(database))
        assert first in server.pids
        os.kill(first, signal.SIGKILL)
        second = wait_for("the next leader", lambda: (pid := leader(database)) != first and pid)
        assert second in server.pids
        server.wait_for_status(server.register(**openai_worker("m", toy.url)), "available")


def test_a_leader_that_is_paused_and_wakes_late_follows(sqlite: Database, sqlite_url: str, folder: Path) -> None:
    with serving(sqlite_url, folder) as server:
        first = wait_for("a leader", lambda: leader(sqlite))
        # just after a beat it is in no transaction: a paused one would keep SQLite's write lock
        seen = held(sqlite)
        wait_for("a beat", lambda: held(sqlite) != seen)
        os.kill(first, signal.SIGSTOP)
        second = wait_for("the next leader", lambda: (pid := leader(sqlite)) != first and pid)
        os.kill(first, signal.SIGCONT)
        wait_for("the first to notice", lambda: "Another process checks" in server.log)
        assert leader(sqlite) == second
        assert server.pids == {first, second}


def test_control_c_in_a_terminal_stops_everything_and_hands_the_lease_on(
    sqlite: Database, sqlite_url: str, folder: Path
) -> None:
    with serving(sqlite_url, folder) as server:
        wait_for("a leader", lambda: leader(sqlite))
        children = server.pids
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(20) == 0
        assert not any(psutil.pid_exists(pid) for pid in children)
        assert "Traceback" not in server.log
    assert held(sqlite) is None
