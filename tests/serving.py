"""The real server for tests: `manage.py serve` on a port of the system's choice, in a process group of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 40.0
_LISTENS = re.compile(r"Rollcall listens at http://127\.0\.0\.1:(\d+)")

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
    """The first value of `look` that is neither None nor False; fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(0.02)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any
    pid: int


class Server:
    """A running server. `url` is its address, `log` what it wrote so far, `pids` its serving processes."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path) -> None:
        self.process = process
        self._log_file = log_file
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log_file.read_text(errors="replace")

    @property
    def pids(self) -> set[int]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return {child.pid for child in psutil.Process(self.process.pid).children()}
        return set()

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "", timeout_s: float = PATIENCE_S) -> Answer:
        """One request on a connection of its own; the answer says which process gave it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        with contextlib.closing(connection):
            data = None if body is None else json.dumps(body)
            headers = {} if data is None else {"Content-Type": "application/json"}
            connection.request(method, path, data, headers | ({"x-api-key": key} if key else {}))
            ours = connection.sock.getsockname()[1]
            response = connection.getresponse()
            text = response.read()
            pid = self._who_holds(ours)
        kind = response.headers.get_content_type()
        return Answer(response.status, response.headers, json.loads(text) if kind == "application/json" else text, pid)

    def ask_each(self, method: str, path: str, body: Any = None, *, until: Callable[[Answer], bool]) -> None:
        """Ask again and again until every serving process has given an answer that `until` likes."""
        liked: set[int] = set()

        def everyone() -> bool:
            answer = self.ask(method, path, body)
            if until(answer):
                liked.add(answer.pid)
            return self.pids <= liked

        wait_for(f"{method} {path} from each of {self.pids}, liked {liked}", everyone)

    def register(self, **registration: Any) -> int:
        answer = self.ask("POST", "/api/server/register", registration)
        assert answer.status == 200, answer
        return int(answer.body["id"])

    def worker(self, worker_id: int) -> dict[str, Any]:
        row: dict[str, Any] = self.ask("GET", f"/api/server/workers/{worker_id}").body["data"]
        return row

    def wait_for_status(self, worker_id: int, status: str, timeout_s: float = PATIENCE_S) -> None:
        wait_for(f"worker {worker_id} {status}", lambda: self.worker(worker_id)["status"] == status, timeout_s)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and wait; its exit status."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """Everything in the group, at once, stopped processes too."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def wait_until_ready(self) -> None:
        self.wait_until_it_listens()
        self.ask_each("GET", "/readyz", until=lambda answer: answer.status == 200)

    def wait_until_it_listens(self) -> None:
        def port() -> int | None:
            assert self.process.poll() is None, f"the server ended: {self.log}"
            found = _LISTENS.search(self.log)
            return int(found[1]) if found else None

        self.port = wait_for("the server's port", port)

    def _who_holds(self, remote_port: int) -> int:
        for pid in self.pids:
            with contextlib.suppress(psutil.Error):
                for connection in psutil.Process(pid).net_connections("tcp4"):
                    if connection.raddr and connection.raddr.port == remote_port:
                        return pid
        return 0


def environment_for(database_url: str, folder: Path, processes: int, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")},
        "DATABASE_URL": database_url,
        "ROLLCALL_PORT": "0",
        "ROLLCALL_PROCESSES": str(processes),
        "ROLLCALL_VAR": str(folder),
        **settings,
    }


@contextmanager
def serving(database_url: str, folder: Path, *, processes: int = 2, **settings: str) -> Iterator[Server]:
    """A server over a migrated database, ready to be asked. `settings` are environment variables; `folder` its var/."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = environment_for(database_url, folder, processes, settings)
    log_file = folder / f"serve-{time.monotonic_ns()}.log"
    with log_file.open("wb") as log:
        command = [sys.executable, "manage.py", "serve"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = Server(process, log_file)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()
