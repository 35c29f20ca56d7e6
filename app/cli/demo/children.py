"""The demo's processes: one server, two toy model services. All of them end with the demo."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.cli.refusal import Refused
from app.settings import ROOT

MANAGE = str(ROOT / "manage.py")
_PATIENCE_S = 10.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Toy:
    name: str
    shape: str
    url: str
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].partition("/")[0])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Children:
    """Use as a context manager: leaving it ends every process that was started."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.environment = environment
        self.log = log
        self.serving: subprocess.Popen[bytes]
        self._started: list[subprocess.Popen[bytes]] = []
        self._output: IO[bytes]

    def __enter__(self) -> Children:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._output = self.log.open("wb")
        return self

    def __exit__(self, *exc: object) -> None:
        for child in self._started:
            child.terminate()
        for child in self._started:
            try:
                child.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            if child.stdout:
                child.stdout.close()
        self._output.close()

    def start_server(self) -> None:
        self.serving = self._start("serve", "--migrate", stdout=self._output)

    def toy(self, shape: str, name: str, port: int = 0) -> Toy:
        """A toy that listens already. Raises Refused when it does not start."""
        child = self._start(
            "sample-worker", "--shape", shape, "--name", name, "--port", str(port), stdout=subprocess.PIPE
        )
        assert child.stdout
        line = child.stdout.readline().decode()
        if not line:
            raise Refused(f"The toy model service {name} did not start; {self.log} says why.")
        return Toy(name, shape, line.split()[-1], child)

    def key(self, scope: str, lasts: str) -> str:
        """A new API key. Raises Refused."""
        command = [sys.executable, MANAGE, "key", "create", "--scope", scope, "--expires", lasts, "--name", "demo"]
        done = subprocess.run(
            command, env=dict(self.environment), stdout=subprocess.PIPE, stderr=self._output, text=True, check=False
        )
        if done.returncode:
            raise Refused(f"The demo could not make itself an API key; {self.log} says why.")
        return done.stdout.split()[-1]

    def _start(self, *arguments: str, stdout: int | IO[bytes]) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, MANAGE, *arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=self._output,
            start_new_session=True,  # a Ctrl-C on the terminal is for the demo alone, which then ends them in order
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        self._started.append(child)
        return child


def _end_with_parent() -> None:
    """Linux sends this process SIGTERM when the demo dies, however it dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
