"""Servers that are killed again and again, and are back on the same port each time."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.serving import PATIENCE_S, ROOT, Server, environment_for, wait_for


class Victim(Protocol):
    port: int

    def kill(self) -> None:
        """kill -9, this very moment."""

    def wait_until_back(self) -> None:
        """Until it answers again."""


class Forked:
    """One serving process of gunicorn's, which forks the next one from a master that has loaded everything."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._server = Server(process, log)
        self.port = self._server.port = port
        self._last = 0

    def kill(self) -> None:
        (self._last,) = self._server.pids
        os.kill(self._last, signal.SIGKILL)

    def wait_until_back(self) -> None:
        def is_back() -> bool:
            assert self._server.process.poll() is None, self._server.log
            if not (self._server.pids - {self._last}):
                return False
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
                with contextlib.closing(connection):
                    connection.request("GET", "/readyz")
                    return connection.getresponse().status == 200
            return False

        wait_for("the next serving process", is_back)


class Served:
    """`manage.py serve` with two serving processes; all of it is killed at once and started again."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._log = folder / "serve.log"
        self.port = int(environment["ROLLCALL_PORT"])
        self.start()

    def start(self) -> None:
        with self._log.open("wb") as log:
            command = [sys.executable, "manage.py", "serve"]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=dict(self._environment), stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def wait_until_back(self) -> None:
        if self.process.poll() is not None:
            self.start()
        self.server().wait_until_ready()

    def server(self) -> Server:
        """As it listens now, ready or not."""
        server = Server(self.process, self._log)
        server.wait_until_it_listens()
        return server


@contextmanager
def forked(database_url: str, folder: Path) -> Iterator[Victim]:
    """Quick to come back: a few hundredths of a second."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log_file = free_port(), folder / "serve.log"
    quiet = {"ROLLCALL_WORKER_CLASS": "gthread", "ROLLCALL_HEALTH_CHECKS": "0", "ROLLCALL_PORT": str(port)}
    environment = environment_for(database_url, folder, 1, quiet)
    with log_file.open("wb") as log:
        command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "--preload"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    victim = Forked(process, port, log_file)
    try:
        victim.wait_until_back()
        yield victim
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)


@contextmanager
def served(database_url: str, folder: Path, **settings: str) -> Iterator[Served]:
    """The real one, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    victim = Served(environment_for(database_url, folder, 2, {"ROLLCALL_PORT": str(free_port()), **settings}), folder)
    try:
        victim.wait_until_back()
        yield victim
    finally:
        victim.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
