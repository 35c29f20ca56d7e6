"""The processes of the live check: a served Rollcall with a database of its own, and what runs beside it."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from places import ROOT

T = TypeVar("T")


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 30) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired."""
        return self.process.wait(seconds)

    def said(self, pattern: str, seconds: float = 90) -> re.Match[str]:
        """The first match of `pattern` in what it wrote; AssertionError, with all it wrote, when there is none."""

        def found() -> re.Match[str] | None:
            over = self.process.poll() is not None
            match = re.search(pattern, self.output())
            if over and not match:
                raise AssertionError(f"It ended before it said {pattern!r}:\n{self.output()}")
            return match

        try:
            return until(found, f"{pattern!r} in its output", seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.output()}") from error


def until(probe: Callable[[], T | None], what: str, seconds: float = 30) -> T:
    """What `probe` gives as soon as it gives something true."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} s in vain for {what}.")
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def running(*command: str | Path, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            words = [str(word) for word in command]
            process = subprocess.Popen(words, cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield Running(process, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def rollcall(env: Mapping[str, str]) -> Iterator[str]:
    """The address of a served Rollcall on a free port."""
    with running(sys.executable, ROOT / "manage.py", "serve", "--migrate", env=env) as server:
        door = server.said(r"listens at (http://\S+)")[1]
        until(lambda: _is_ready(door), f"{door}/readyz; the server said:\n{server.output()}")
        yield door


def _is_ready(door: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{door}/readyz", timeout=2) as reply:
        return bool(reply.status == 200)
    return False


def manage(env: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", *words], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"manage.py {words[0]} ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
