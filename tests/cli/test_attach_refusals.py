"""`manage.py attach` that does not come to registering: one sentence, exit code 1, and nothing left running."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from tests.cli.attaching import MODEL_SERVER, is_gone
from tests.fakes import Exchange, FakeUpstream, json_answer, refusing_port

PRESET = ("--preset", "llmserver", "--model", "m")
ROWS = {"success": True, "data": [], "next_cursor": None}
REFUSAL = {"success": False, "msg": "header.k: ${env:HOME} may not be read.", "error": {"code": "invalid_field"}}


@pytest.fixture
def nowhere() -> Iterator[str]:
    with refusing_port() as port:
        yield f"http://127.0.0.1:{port}"


def attach(server_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["attach", "--server", server_url, *arguments])


def last_line(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def pid(result: Result) -> int:
    found = re.search(r"as process (\d+)", result.stderr)
    assert found, result.stderr
    return int(found[1])


@pytest.mark.parametrize(
    ("command", "why"),
    [("no-such-server-here", "No such file or directory"), ("/", "Permission denied")],
)
def test_a_command_that_cannot_be_started(nowhere: str, command: str, why: str) -> None:
    said = last_line(attach(nowhere, *PRESET, "--", command, "{port}"))
    assert said.startswith(f"{command} cannot be started: ")
    assert why in said


def test_a_health_check_that_is_never_answered(nowhere: str) -> None:
    sleeps = (sys.executable, "-c", "import time; time.sleep(600)")
    result = attach(nowhere, *PRESET, "--ready-timeout", "0.3", "--", *sleeps)
    assert last_line(result) == "It did not answer its health check within 0.3 s: connection refused."
    assert is_gone(pid(result))


def test_a_health_check_that_is_answered_with_bad_news(nowhere: str) -> None:
    with FakeUpstream(json_answer({}, 503)) as sick:
        health = ("--health", f"{sick.origin}/health", "--ready-timeout", "0.3")
        result = attach(nowhere, *PRESET, *health, "--", sys.executable, MODEL_SERVER)
    assert last_line(result) == "It did not answer its health check within 0.3 s: HTTP 503."


def test_a_child_that_ends_before_it_answers(nowhere: str) -> None:
    result = attach(nowhere, *PRESET, "--", sys.executable, "-c", "raise SystemExit(4)")
    assert result.exit_code == 4
    assert result.stderr.endswith("ended by itself with exit code 4\n")
    assert attach(nowhere, *PRESET, "--", sys.executable, "-c", "").exit_code == 1, "nobody asked it to stop"


def test_a_url_without_a_port(nowhere: str) -> None:
    said = last_line(attach(nowhere, *PRESET, "--url", "http://gpu-7/v1", "--", "true"))
    assert "{port}" in said
    assert "--port" in said


def test_a_port_that_is_taken(nowhere: str) -> None:
    with FakeUpstream(json_answer({})) as other:
        said = last_line(attach(nowhere, *PRESET, "--url", other.origin, "--", "true"))
    assert said.startswith(f"Port {other.origin.rpartition(':')[2]} on 0.0.0.0 cannot be used")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--url", "http://127.0.0.1:{port}/x", "--model", "m"), "nothing of the caller's request is sent"),
        (("--preset", "llmservr", "--model", "m"), "did you mean llmserver?"),
        ((*PRESET, "--weight", "1001"), "weight"),
        ((*PRESET, "--health", "nonsense"), "health.req_url_template"),
        ((*PRESET, "--health", "http://127.0.0.1:{port}/${env:NO_SUCH_NAME}"), "NO_SUCH_NAME"),
        (("--model", "m"), "req_url_template"),
    ],
)
def test_a_registration_that_cannot_be(nowhere: str, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in last_line(attach(nowhere, *arguments, "--", sys.executable, MODEL_SERVER))


@pytest.mark.parametrize(
    "arguments", [("--preset", "llmserver"), ("--ttl", "4", "--", "true"), ("--key", "env:K", "--", "true")]
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert attach("http://127.0.0.1:9", "--model", "m", *arguments).exit_code == 2


def test_what_the_server_would_not_take_is_not_even_started() -> None:
    """It might load for minutes first."""

    def answer(exchange: Exchange) -> None:
        behave = json_answer(ROWS) if exchange.request.method == "GET" else json_answer(REFUSAL, 422)
        behave(exchange)

    with FakeUpstream(answer) as server:
        result = attach(server.origin, *PRESET, "--", "no-such-server-here", "{port}")
        asked = [(request.method, request.target) for request in server.requests]
    assert last_line(result) == "header.k: ${env:HOME} may not be read."
    assert asked == [("GET", "/api/server/workers?model_name=m"), ("POST", "/api/server/register?dry_run=true")]


def test_a_command_that_is_not_told_its_port_is_warned(nowhere: str) -> None:
    result = attach(nowhere, *PRESET, "--", "no-such-server-here")
    assert re.search(r"COMMAND does not say \{port\}; it must listen on \$PORT, which is \d+\n", result.stderr)


def test_its_port_is_in_its_environment_and_its_output_is_passed_on(nowhere: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    tells = f"import os, sys; open({str(told)!r}, 'w').write(os.environ['PORT'] + ' ' + sys.argv[1]); sys.exit(5)"
    result = attach(nowhere, *PRESET, "--", sys.executable, "-c", tells, "--listen=:{port}")
    port = re.search(r"on port (\d+)", result.stderr)
    assert port
    assert told.read_text() == f"{port[1]} --listen=:{port[1]}"
    assert result.exit_code == 5


def test_an_answer_that_is_no_rollcall_server_ends_it() -> None:
    with FakeUpstream(json_answer({"hello": "world"})) as server:
        result = attach(server.origin, *PRESET, "--", sys.executable, MODEL_SERVER)
    assert last_line(result) == f"What answers at {server.origin} is no Rollcall server."
