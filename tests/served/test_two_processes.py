"""Two serving processes on one database are equals: what one learns, the other knows."""

from __future__ import annotations

import signal
import time

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
    worker_id = server.register(**openai_worker("hangs", toy.url))
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
