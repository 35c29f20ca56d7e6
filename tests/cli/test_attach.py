"""`manage.py attach` with real children and a real server of two processes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.attaching import MODEL_SERVER, ask, attached, expired_everywhere, is_gone
from tests.cli.operating import ROOT
from tests.serving import Server, serving, wait_for

PRESET = ("--preset", "llmserver", "--model")

PAGES = [(ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/attach.md")]
COMMANDS = [re.findall(r"(?m)^python manage\.py attach (.*)$", page) for page in PAGES]


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("attach")
    path = folder / "rollcall.db"
    path.write_bytes(sqlite_template.read_bytes())
    with serving(f"sqlite:///{path}", folder / "var", ROLLCALL_IDLE_CONNECTION_S="1") as running:
        yield running


class Held:
    """A request that its model server answers once `release` was called."""

    def __init__(self, server: Server, model: str, folder: Path) -> None:
        self._file = folder / f"{model}.order"
        self._file.touch()
        self.answer = ""
        self._thread = threading.Thread(target=self._ask, args=(server, model), daemon=True)
        self._thread.start()
        wait_for("the request at the model server", self._file.with_suffix(".held").exists)

    def _ask(self, server: Server, model: str) -> None:
        answer = server.ask("POST", "/api/v1/chat/completions", {"model_name": model, "input": f"hold {self._file}"})
        self.answer = str(answer.body)

    def release(self) -> str:
        self._file.unlink()
        self._thread.join()
        return self.answer


def test_it_answers_as_soon_as_it_is_registered_and_ctrl_c_ends_it(server: Server, tmp_path: Path) -> None:
    with attached(tmp_path, server.url, *PRESET, "simple", "--weight", "3") as run:
        worker_id = run.worker_id()
        assert ask(server, "simple", "hello") == "echo: hello"
        wait_for("its weight", lambda: server.worker(worker_id)["weight"] == 3)
        row = server.worker(worker_id)
        run.send(signal.SIGINT)
        assert run.ends() == 0, run.said
    assert (row["ttl_s"], row["available"], row["admin"]) == (30, True, "enabled")
    expired_everywhere(server, worker_id)
    assert server.worker(worker_id)["admin"] == "enabled"
    assert is_gone(run.pid_of("pid"))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_open_requests_finish_before_the_child_is_ended(server: Server, tmp_path: Path, how: signal.Signals) -> None:
    model = f"held-{how.name.lower()}"
    with attached(tmp_path, server.url, *PRESET, model) as run:
        worker_id = run.worker_id()
        held = Held(server, model, tmp_path)
        run.send(how)
        run.says("waiting up to 30 s for . open connection")
        assert server.worker(worker_id)["status"] == "expired"
        assert "'result': 'echo: hold" in held.release()
        assert run.ends() == 0, run.said


def test_a_second_ctrl_c_ends_all_at_once(server: Server, tmp_path: Path) -> None:
    with attached(tmp_path, server.url, *PRESET, "twice", child=(sys.executable, MODEL_SERVER, "--stubborn")) as run:
        run.worker_id()
        held = Held(server, "twice", tmp_path)
        run.send(signal.SIGINT)
        run.says("waiting up to 30 s")
        run.send(signal.SIGINT)
        assert run.ends() == 0, run.said
        assert "upstream" in held.release()
    assert "heard TERM" not in run.said
    assert is_gone(run.pid_of("pid"))


def test_the_grace_ends(server: Server, tmp_path: Path) -> None:
    with attached(tmp_path, server.url, *PRESET, "impatient", "--grace", "1.2") as run:
        run.worker_id()
        held = Held(server, "impatient", tmp_path)
        assert run.stop() == 0, run.said
        assert "upstream" in held.release()


def test_a_child_that_ends_is_reported_and_gets_no_more_traffic(server: Server, tmp_path: Path) -> None:
    with attached(tmp_path, server.url, *PRESET, "mortal") as run:
        worker_id = run.worker_id()
        server.ask("POST", "/api/v1/chat/completions", {"model_name": "mortal", "input": "exit 3"})
        assert run.ends() == 3, run.said
    assert "ended by itself with exit code 3" in run.said
    expired_everywhere(server, worker_id)


def test_a_child_that_is_killed_is_a_failure_too(server: Server, tmp_path: Path) -> None:
    with attached(tmp_path, server.url, *PRESET, "killed", child=(sys.executable, MODEL_SERVER, "--child")) as run:
        worker_id = run.worker_id()
        os.kill(run.pid_of("pid"), signal.SIGKILL)
        assert run.ends() == 1, run.said
    assert "was ended by SIGKILL" in run.said
    assert is_gone(run.pid_of("child")), "what the child had started must not be left behind"
    expired_everywhere(server, worker_id)


def test_killed_itself_it_leaves_no_orphan_and_comes_back_as_the_same_worker(server: Server, tmp_path: Path) -> None:
    options = (*PRESET, "returning", "--ttl", "5")
    with attached(tmp_path, server.url, *options, child=(sys.executable, MODEL_SERVER, "--child", "{port}")) as run:
        worker_id = run.worker_id()
        run.send(signal.SIGKILL)
        run.ends()
        for who in ("pid", "child"):
            wait_for(f"the end of {who}", lambda who=who: is_gone(run.pid_of(who)))  # type: ignore[misc]
    server.wait_for_status(worker_id, "expired")
    server.ask("PATCH", f"/api/server/workers/{worker_id}", {"weight": 7, "admin": "draining"})
    with attached(tmp_path, server.url, *options, "--weight", "2") as again:
        assert again.worker_id() == worker_id
        again.says("note: its weight stays 7")
        row = server.worker(worker_id)
        assert (row["weight"], row["admin"], row["status"]) == (7, "draining", "draining")
        again.says("note: the worker stays draining")
        assert again.stop() == 0, again.said


def test_several_at_once_are_several_workers(server: Server, tmp_path: Path) -> None:
    with (
        attached(tmp_path, server.url, *PRESET, "twins") as one,
        attached(tmp_path, server.url, *PRESET, "twins") as two,
    ):
        assert one.worker_id() != two.worker_id()


def test_a_server_that_restarts_and_a_registration_that_was_removed(sqlite_url: str, tmp_path: Path) -> None:
    with serving(sqlite_url, tmp_path / "first", processes=1) as first:
        port = str(first.port)
        with attached(tmp_path, first.url, *PRESET, "patient", "--ttl", "5", "--weight", "4") as run:
            worker_id = run.worker_id()
            first.stop()
            run.says("No Rollcall server answers at .* Trying again every 2 s")
            with serving(sqlite_url, tmp_path / "second", processes=1, ROLLCALL_PORT=port) as second:
                run.says(f"answers again; worker {worker_id} is renewed")
                assert ask(second, "patient", "hello") == "echo: hello"
                second.ask("DELETE", f"/api/server/workers/{worker_id}")
                anew = int(run.says(r"\(created\)[^§]* is worker (\d+) of .* \(created\)"))
                wait_for("its weight", lambda: second.worker(anew)["weight"] == 4)
            assert run.stop() == 0
    assert run.said.count("Trying again") == 1
    assert "The registration ends by itself within 5 s." in run.said


def test_the_documents_show_the_same_commands() -> None:
    assert len(COMMANDS[0]) == 4
    assert COMMANDS[0] == COMMANDS[1]


@pytest.mark.parametrize("command", COMMANDS[0])
def test_the_commands_of_the_documents_run(
    server: Server, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model servers themselves are not at hand; one that stands in for them is found under their names."""
    for name in ("vllm", "llama-server", "ollama", "python"):
        stand_in = tmp_path / name
        stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/cli/any_model_server.py "$@"\n')
        stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    options, _, child = command.partition(" -- ")
    words = shlex.split(options)
    with attached(tmp_path, server.url, *words, child=shlex.split(child)) as run:
        run.worker_id()
        model = words[words.index("--model") + 1]
        # where an earlier, ended worker of this name is known, the new one is known from the next look on
        question = {"model_name": model, "input": "hello"}
        server.ask_each("POST", "/api/v1/chat/completions", question, until=lambda answer: answer.status == 200)
        assert ask(server, model, "hello") == "here I am"
        assert run.stop() == 0, run.said
