"""`serve` before it becomes gunicorn, and `flask` beside it, as processes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.operating import ROOT, clean_environment, run_manage
from tests.serving import Server, wait_for


def refusal(*arguments: str, cwd: Path = ROOT, **settings: str) -> str:
    result = run_manage("serve", *arguments, environment=clean_environment(**settings), cwd=cwd)
    assert (result.returncode, result.stdout) == (1, ""), result
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROLLCALL_PORT", "80x"),
        ("ROLLCALL_WORKER_CLASS", "threads"),
        ("DATABASE_URL", "mysql://x"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    assert name in refusal(**{"ROLLCALL_VAR": str(tmp_path), name: value})


def test_a_public_address_without_a_key_is_refused_with_the_ways_out(tmp_path: Path, sqlite_url: str) -> None:
    place = {"ROLLCALL_VAR": str(tmp_path), "DATABASE_URL": sqlite_url, "ROLLCALL_PORT": "0"}
    sentence = refusal(**place, ROLLCALL_HOST="0.0.0.0", ROLLCALL_INSECURE_PUBLIC_BIND="1")
    assert sentence.startswith("ROLLCALL_HOST")
    for way in ("manage.py key create", "ROLLCALL_ADMIN_KEY", "127.0.0.1"):
        assert way in sentence


def test_tables_that_do_not_fit_name_the_remedy(tmp_path: Path) -> None:
    assert "flask db upgrade" in refusal(ROLLCALL_VAR=str(tmp_path))


def test_a_busy_port_is_one_sentence(tmp_path: Path, sqlite_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        sentence = refusal(ROLLCALL_VAR=str(tmp_path), DATABASE_URL=sqlite_url, ROLLCALL_PORT=port)
    assert f"Port {port} on 127.0.0.1 cannot be used" in sentence
    assert "ROLLCALL_PORT" in sentence


def test_only_its_own_file_is_migrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mine.db"
    assert "flask db upgrade" in refusal("--migrate", ROLLCALL_VAR=str(tmp_path), DATABASE_URL=url)


@pytest.mark.slow
def test_from_anywhere_with_relative_places_it_migrates_and_serves(tmp_path: Path) -> None:
    log_file = tmp_path / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "serve", "--migrate"],
            env=clean_environment(ROLLCALL_VAR="here", ROLLCALL_PORT="0", ROLLCALL_PROCESSES="1"),
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(process, log_file)
    try:
        server.wait_until_ready()
        worker = server.register(model_name="m", req_url_template="http://127.0.0.1:9/x?q={USER_PROMPT}")
        listed = run_manage("list-workers", environment=clean_environment(ROLLCALL_VAR="here"), cwd=tmp_path)
        assert f"{worker}  m" in listed.stdout
        assert server.stop(signal.SIGINT) == 0
    finally:
        server.kill()
    assert (tmp_path / "here" / "rollcall.db").exists()


@pytest.mark.slow
def test_a_database_that_is_away_does_not_keep_the_server_down(tmp_path: Path) -> None:
    log_file = tmp_path / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            env=clean_environment(
                ROLLCALL_VAR=str(tmp_path),
                ROLLCALL_PORT="0",
                ROLLCALL_PROCESSES="1",
                DATABASE_URL="postgresql://x@127.0.0.1:9/x",
            ),
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(process, log_file)
    try:
        wait_for("the address in the log", lambda: "Rollcall listens at" in server.log)
        assert "The server starts and waits for it." in server.log
        server.port = int(server.log.partition("Rollcall listens at http://127.0.0.1:")[2].split()[0])
        assert wait_for("an answer", lambda: server.ask("GET", "/readyz").status) == 503
        assert server.ask("GET", "/healthz").status == 200
    finally:
        server.kill()


def test_flask_needs_no_flask_app(tmp_path: Path) -> None:
    environment = clean_environment(ROLLCALL_VAR=str(tmp_path))
    flask = [sys.executable, "-m", "flask", "db"]
    for command in (["upgrade"], ["current"], ["check"]):
        done = subprocess.run(
            [*flask, *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done
    assert run_manage("list-workers", environment=environment).stdout == "No worker is registered.\n"
