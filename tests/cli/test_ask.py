"""`manage.py ask` against scripted servers on real sockets."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from tests.cli.operating import ROOT, clean_environment
from tests.fakes import FakeUpstream, html_answer, json_answer, openai_stream, refusing_port, sse


def ask(url: str) -> Result:
    return CliRunner().invoke(cli, ["ask", "m", "Who are you?", "--url", url])


def test_the_answer_is_printed_and_the_question_was_asked_as_a_stream() -> None:
    with FakeUpstream(openai_stream("Hel", "lo\nyou")) as server:
        result = ask(server.origin)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello\nyou\n", "")
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.json == {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Who are you?"}]}


def test_the_first_piece_is_on_the_terminal_before_the_second_is_made() -> None:
    gate = threading.Event()
    with FakeUpstream(openai_stream("first", gate, " second")) as server:
        command = [sys.executable, str(ROOT / "manage.py"), "ask", "m", "hi", "--url", server.origin]
        process = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.read(5) == b"first"
        gate.set()
        assert process.stdout.read() == b" second\n"
        assert process.wait(10) == 0
        process.stdout.close()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (404, {"error": {"message": "No such model.", "code": "model_not_found"}}, "No such model."),
        (415, {"success": False, "msg": "Send JSON."}, "Send JSON."),
    ],
)
def test_the_servers_own_sentence_is_the_answer(status: int, body: object, sentence: str) -> None:
    with FakeUpstream(json_answer(body, status)) as server:
        result = ask(server.origin)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", sentence + "\n")


def test_what_is_no_rollcall_server_is_named() -> None:
    with FakeUpstream(html_answer(502)) as server:
        result = ask(server.origin)
    assert result.exit_code == 1
    assert result.stderr == f"{server.origin}/v1/chat/completions answered 502 and no JSON: it is no Rollcall server.\n"


def test_no_server_at_all_says_how_to_start_one() -> None:
    with refusing_port() as port:
        result = ask(f"http://127.0.0.1:{port}")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"No Rollcall server answers at http://127.0.0.1:{port}; start one with `make run`")


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://[::1", "http://"])
def test_a_url_that_is_none_is_one_sentence(url: str) -> None:
    result = ask(url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("is no address of a server; use one like http://127.0.0.1:8007.\n")


def test_a_stream_that_ends_early_is_a_failure() -> None:
    with FakeUpstream(openai_stream("half", done=False)) as server:
        result = ask(server.origin)
    assert (result.exit_code, result.stdout) == (1, "half\n")
    assert "broke off" in result.stderr


def test_an_error_inside_the_stream_is_told() -> None:
    with FakeUpstream(sse({"choices": [{"delta": {"content": "half"}}]}, {"error": {"message": "It died."}})) as server:
        result = ask(server.origin)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "half\n", "It died.\n")
