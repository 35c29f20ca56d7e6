"""`list-workers --url` and `route --url`: what a running server knows from its own calls."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from app.cli.main import cli
from tests.cli.operating import Manage, add, done
from tests.fakes import FakeUpstream, html_answer, json_answer, refusing_port


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def rows(manage: Manage) -> list[dict[str, Any]]:
    """As a server shows them: each worker with another live verdict."""
    for port in (1, 2, 3, 4):
        add(manage, port)
    listed: list[dict[str, Any]] = json.loads(done(manage("list-workers", "--json")))
    said = [("ejected", 27.4), ("backing_off", 6.0), ("down", 1.2), ("unknown", None)]
    for row, (status, left) in zip(listed, said, strict=True):
        row.update(status=status, available=left is None, seconds_left=left, why="so")
    return listed


def test_list_workers_of_a_server_shows_live_verdicts_with_the_seconds_left(manage: Manage) -> None:
    with FakeUpstream(json_answer({"success": True, "data": rows(manage)})) as server:
        result = run("list-workers", "--url", server.origin, "--model", "m", "--status", "ejected")
    request = server.requests[0]
    assert (request.path, request.query) == ("/api/server/workers", {"model_name": ["m"], "status": ["ejected"]})
    lines = result.stdout.splitlines()[1:]
    for line, health in zip(lines, ["ejected 27 s", "backing off 6 s", "refused 1 s", "unknown"], strict=True):
        assert health in line


def test_route_of_a_server(manage: Manage) -> None:
    shown = [{**row, "url": row["req_url_template"]} for row in rows(manage)]
    with FakeUpstream(json_answer({"success": True, "data": shown})) as server:
        result = run("route", "m", "--url", server.origin)
    assert (server.requests[0].path, server.requests[0].query) == ("/api/server/route", {"model_name": ["m"]})
    assert [line.split()[4] for line in result.stdout.splitlines()[1:4]] == ["ejected", "backing_off", "down"]


def test_what_is_no_server_is_named() -> None:
    for answer in (html_answer(200), json_answer([1]), json_answer({"data": "x"})):
        with FakeUpstream(answer) as server:
            result = run("list-workers", "--url", server.origin)
        assert (result.exit_code, result.stderr) == (1, f"{server.origin} answers, but it is no Rollcall server.\n")
    with refusing_port() as port:
        assert "No Rollcall server answers" in run("route", "m", "--url", f"http://127.0.0.1:{port}").stderr
