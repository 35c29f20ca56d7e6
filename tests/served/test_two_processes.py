"""Two serving processes on one database are equals: what one learns, the other knows."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import make_url

from tests.served.leases import held, leader, opened
from tests.served.toys import Toy, Traffic, openai_worker, question
from tests.serving import Server, wait_for

CHAT = "/v1/chat/completions"


def test_a_change_reaches_both_processes(server: Server, toy: Toy) -> None:
    worker_id = server.register(**openai_worker("shared", toy.url))
    assert len(server.pids) == 2
    server.ask_each("POST", CHAT, question("shared"), until=lambda answer: answer.status == 200)

    assert server.ask("PATCH", f"/api/server/workers/{worker_id}", {"admin": "offline"}).status == 200
    server.ask_each("POST", CHAT, question("shared"), until=lambda answer: answer.status == 503)

    assert server.ask("PATCH", f"/api/server/workers/{worker_id}", {"admin": "enabled"}).status == 200
    server.ask_each("POST", CHAT, question("shared"), until=lambda answer: answer.status == 200)

    assert server.ask("DELETE", f"/api/server/workers/{worker_id}").status == 200
    server.ask_each("POST", CHAT, question("shared"), until=lambda answer: answer.status == 404)


def test_a_killed_worker_costs_no_completion_but_those_inside_it(server: Server, toy: Toy, other_toy: Toy) -> None:
    doomed = server.register(**openai_worker("pair", toy.url))
    server.register(**openai_worker("pair", other_toy.url))
    with Traffic(server, "pair") as traffic:
        wait_for("traffic", lambda: len(traffic.answered) > 20)
        toy.kill()
        killed_at = time.monotonic()
        server.wait_for_status(doomed, "down")
        wait_for("more traffic", lambda: sum(began > killed_at for began in traffic.answered) > 20)
        toy.start()
        server.wait_for_status(doomed, "available")
        enough = len(traffic.answered) + 20
        wait_for("traffic on both", lambda: len(traffic.answered) > enough)
    assert len(traffic.failures) <= 4
    assert [failure for failure in traffic.failures if failure[0] > killed_at] == []


def test_a_worker_that_hangs_is_found_without_traffic_and_comes_back(server: Server, toy: Toy) -> None:
    # a process that asks it in need gives up sooner than the two take turns to leave it alone
    worker_id = server.register(**openai_worker("hangs", toy.url, timeout_s=1))
    server.wait_for_status(worker_id, "available")
    toy.send(signal.SIGSTOP)
    try:
        server.wait_for_status(worker_id, "down")
        row = server.worker(worker_id)
        assert (row["admin"], row["probe"], row["available"]) == ("enabled", "down", False)
        assert "no answer" in row["last_error"]
        server.ask_each("POST", CHAT, question("hangs"), until=lambda answer: answer.status == 503)
    finally:
        toy.send(signal.SIGCONT)
    server.wait_for_status(worker_id, "available")
    server.ask_each("POST", CHAT, question("hangs"), until=lambda answer: answer.status == 200)


def test_another_process_takes_over_when_the_leader_is_killed(server: Server, shared_database: str, toy: Toy) -> None:
    with opened(shared_database) as database:
        first = wait_for("a leader", lambda: leader(database))
        assert first in server.pids
        os.kill(first, signal.SIGKILL)
        second = wait_for("the next leader", lambda: (pid := leader(database)) != first and pid)
        assert second in server.pids
    server.wait_for_status(server.register(**openai_worker("after", toy.url)), "available")
    wait_for("a process in place of the killed one", lambda: len(server.pids) == 2)
    server.ask_each("POST", CHAT, question("after"), until=lambda answer: answer.status == 200)


def test_a_leader_that_is_paused_and_wakes_late_follows(server: Server, shared_database: str) -> None:
    with opened(shared_database) as database:
        first = wait_for("a leader", lambda: leader(database))
        # just after a beat it is in no transaction: a paused one would keep its locks
        seen = held(database)
        wait_for("a beat", lambda: held(database) != seen)
        os.kill(first, signal.SIGSTOP)
        second = wait_for("the next leader", lambda: (pid := leader(database)) != first and pid)
        os.kill(first, signal.SIGCONT)
        wait_for("the first to notice", lambda: "Another process checks" in server.log)
        assert leader(database) == second
        assert server.pids == {first, second}


@contextmanager
def outage(url: str) -> Iterator[None]:
    """SQLite's write lock is held; PostgreSQL ends every connection and takes none."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(parsed.database or "", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
        return
    everything = parsed.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(everything, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {parsed.database} ALLOW_CONNECTIONS false")
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [parsed.database]
            )
            yield
        finally:
            admin.execute(f"ALTER DATABASE {parsed.database} ALLOW_CONNECTIONS true")
