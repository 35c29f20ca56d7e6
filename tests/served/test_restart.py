"""Stops and restarts of the server: nothing is forgotten, nothing is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.storage.database import Database
from tests.fakes import refusing_port
from tests.served.leases import held, leader, opened
from tests.served.toys import Toy, openai_worker
from tests.serving import PATIENCE_S, Server, serving, wait_for

KEPT = ("id", "model_name", "req_url_template", "weight", "admin", "probe", "status", "last_ok_at", "last_fail_at")


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


def test_control_c_in_a_terminal_stops_everything_and_hands_the_lease_on(sqlite_url: str, folder: Path) -> None:
    with opened(sqlite_url) as database, serving(sqlite_url, folder) as server:
        wait_for("a leader", lambda: leader(database))
        children = server.pids
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(PATIENCE_S) == 0
        assert not any(psutil.pid_exists(pid) for pid in children)
        assert "Traceback" not in server.log
        assert held(database) is None
