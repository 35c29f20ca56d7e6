"""Ports, connections, children and the kept registration, each by itself."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.attach import child as child_module
from app.cli.attach.child import Child
from app.cli.attach.connections import open_connections
from app.cli.attach.lease import Lease
from app.cli.attach.ports import Claim, claim, earlier_ports, filled
from app.cli.refusal import Refused
from app.cli.server import Server
from tests.cli.attaching import is_gone
from tests.fakes import Exchange, FakeUpstream, json_answer
from tests.serving import wait_for

URL = "http://h:{port}/v1/{port}"
WORDS = {"model_name": "m", "req_url_template": "http://h:1/v1", "ttl_s": 30}


def rows(*urls: str, ttl_s: int | None = 30, instance: str = "") -> list[dict[str, Any]]:
    return [{"req_url_template": url, "ttl_s": ttl_s, "instance": instance} for url in urls]


def free_port() -> int:
    claimed = Claim(0)
    claimed.release()
    return claimed.port


def test_earlier_ports_are_those_of_the_same_registration_only() -> None:
    others = rows("http://h:1/v1/1", ttl_s=None) + rows("http://h:2/v1/2", instance="b")
    odd = rows("http://h:3/v1/4", "http://h:99999/v1/99999", "http://g:5/v1/5", "http://h:6/v1/6/", "http://h:x/v1/x")
    assert earlier_ports(others + odd + rows("http://h:8001/v1/8001", "http://h:8000/v1/8000"), URL, "") == [8001, 8000]


def test_the_port_of_before_is_taken_where_it_is_free() -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        held = claim(URL, None, [taken, free])
        assert held.port == free
        again = claim(URL, None, [taken, free])
        assert again.port not in (taken, free), "a port is one attach's only"
        held.release()
        assert claim(URL, None, [free]).port == free


def test_a_port_that_was_chosen_or_stands_in_the_url_is_the_port() -> None:
    free = free_port()
    first = claim("http://gateway/v1", free, [])
    assert first.port == free
    with pytest.raises(Refused, match="another attach"):
        Claim(free)
    first.release()
    assert claim(f"http://[::1]:{free}/v1", None, []).port == free


@pytest.mark.parametrize("url", ["http://gateway/v1:80", "http://h", "http://h:0/", "http://[::1]/", "h:80", ""])
def test_a_url_that_says_no_port_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="says no port"):
        claim(url, None, [])


def test_the_port_is_filled_in_everywhere_and_nothing_else_is() -> None:
    words = {"url": URL, "body": {"a": ["{port}{PORT}", 1, None, "{USER_PROMPT}"]}}
    assert filled(words, 7) == {"url": "http://h:7/v1/7", "body": {"a": ["7{PORT}", 1, None, "{USER_PROMPT}"]}}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere connections cannot be counted")
def test_open_connections_are_those_to_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert open_connections(port) == 0
        with socket.create_connection(("127.0.0.1", port)) as caller:
            assert open_connections(port) == 1
            assert open_connections(caller.getsockname()[1]) == 1
        assert open_connections(port) == 0, "what the caller has left is no open request"


def test_a_group_that_ignores_term_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(child_module, "TERM_S", 0.1)
    file = tmp_path / "pid"
    child = Child(["/bin/sh", "-c", f"trap '' TERM; sleep 600 & echo $! > {file}; wait"], 1)
    grandchild = wait_for("the grandchild", lambda: file.exists() and file.read_text().strip())
    child.end(time.sleep)
    assert is_gone(child.pid)
    assert is_gone(int(grandchild))
    child.kill()


def test_a_group_that_ends_on_term_is_not_waited_for() -> None:
    child = Child(["/bin/sh", "-c", "sleep 600"], 1)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds)

    child.end(pause)
    assert sum(pauses) < child_module.TERM_S
    assert child.code == -15


class Script:
    """A server that answers what `answers` says for a method and path; `asked` holds (method, path, body)."""

    def __init__(self, answers: Callable[[str, str], tuple[int, Any]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        self.asked.append((request.method, request.path, request.json if request.body else None))
        status, value = self.answers(request.method, request.path)
        json_answer(value, status)(exchange)


def told(outcome: str, worker_id: int = 3) -> dict[str, Any]:
    return {"success": True, "id": worker_id, "outcome": outcome, "notes": []}


def refusal(code: str, sentence: str) -> dict[str, Any]:
    return {"success": False, "msg": sentence, "error": {"code": code}}


def test_a_weight_is_named_once_and_only_of_a_worker_that_is_new() -> None:
    outcomes = iter(["created", "unchanged", "unchanged"])
    statuses = iter([503, 200])

    def answers(method: str, path: str) -> tuple[int, Any]:
        return (next(statuses), {}) if method == "PATCH" else (200, told(next(outcomes)))

    script = Script(answers)
    with FakeUpstream(script) as server:
        lease = Lease(Server(server.origin), WORDS, weight=5)
        for _ in range(3):
            lease.renew()
    assert script.asked == [
        ("PUT", "/api/server/register", WORDS),
        ("PATCH", "/api/server/workers/3", {"weight": 5}),
        ("PUT", "/api/server/register", WORDS),
        ("PATCH", "/api/server/workers/3", {"weight": 5}),
        ("PUT", "/api/server/register", WORDS),
    ]


def test_the_servers_no_is_final_at_first_and_a_warning_later(capsys: pytest.CaptureFixture[str]) -> None:
    no = (422, refusal("invalid_field", "No such thing."))
    script = Script(lambda method, path: no)
    with FakeUpstream(script) as server:
        lease = Lease(Server(server.origin), WORDS, None)
        for call in (lease.check, lease.renew):
            with pytest.raises(Refused, match="No such thing"):
                call()
        script.answers = lambda method, path: (200, told("created"))
        lease.renew()
        assert lease.pause_s == 10
        script.answers = lambda method, path: no
        lease.renew()
        lease.renew()
        assert lease.pause_s == 2
    assert capsys.readouterr().err.count("No such thing. Trying again every 2 s.") == 1


def test_a_server_in_trouble_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    script = Script(lambda method, path: (503, refusal("storage_unavailable", "The database is away.")))
    with FakeUpstream(script) as server:
        lease = Lease(Server(server.origin), WORDS, None)
        lease.check()
        lease.renew()
        lease.end()
        assert not lease.was_held
    assert capsys.readouterr().err == "attach: The database is away. Trying again every 2 s.\n"


@pytest.mark.parametrize(("status", "late"), [(200, False), (404, False), (503, True)])
def test_the_end_is_told_to_the_server(status: int, late: bool, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script(lambda method, path: (200, told("created")) if method == "PUT" else (status, {"msg": "Away."}))
    with FakeUpstream(script) as server:
        lease = Lease(Server(server.origin), WORDS, None)
        lease.renew()
        lease.end()
    assert script.asked[-1] == ("POST", "/api/server/workers/3/expire", {})
    assert ("Away. The registration ends by itself within 30 s." in capsys.readouterr().err) is late
