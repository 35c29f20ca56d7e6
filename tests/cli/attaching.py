"""`manage.py attach` as a process of its own, with a model server as its child."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.cli.operating import ROOT, clean_environment
from tests.serving import PATIENCE_S, Server, wait_for

MODEL_SERVER = str(ROOT / "tests" / "cli" / "model_server.py")


class Attached:
    """`said` is what attach and its child wrote so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text()

    def says(self, pattern: str) -> str:
        """Waits until it does; the first group of the pattern, or all that it matched."""

        def look() -> str | None:
            found = re.search(pattern, self.said)
            if found is None:
                assert self.process.poll() is None, f"attach ended without {pattern!r}: {self.said}"
            return found and found[found.re.groups and 1]

        return wait_for(f"{pattern!r} in what attach says", look)

    def worker_id(self) -> int:
        return int(self.says(r"is worker (\d+) of"))

    def pid_of(self, who: str) -> int:
        return int(self.says(rf"(?m)^{who} (\d+)$"))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.ends()


@contextmanager
def attached(folder: Path, server_url: str, *arguments: str, child: Sequence[str] = ()) -> Iterator[Attached]:
    """`child` is the COMMAND; by default the model server, which is told its port."""
    log = folder / f"attach-{time.monotonic_ns()}.log"
    command = [sys.executable, str(ROOT / "manage.py"), "attach", "--server", server_url, *arguments]
    command += ["--", *(child or (sys.executable, MODEL_SERVER, "{port}"))]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=clean_environment(), stdout=out, stderr=out, start_new_session=True)
    running = Attached(process, log)
    try:
        yield running
    finally:
        if process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for left in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                    left.kill()
            process.wait(PATIENCE_S)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ask(server: Server, model: str, text: str) -> str:
    answer = server.ask("POST", "/api/v1/chat/completions", {"model_name": model, "input": text})
    assert answer.status == 200, answer
    return str(answer.body["result"])


def expired_everywhere(server: Server, worker_id: int) -> None:
    path = f"/api/server/workers/{worker_id}"
    server.ask_each("GET", path, until=lambda answer: answer.body["data"]["status"] == "expired")
