"""A model server as a child: a process group of its own, ended as a whole, also when we are killed ourselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from app.cli.refusal import Refused

TERM_S = 10.0
_OUR_KEYS = ("ROLLCALL_API_KEY", "ROLLCALL_ADMIN_KEY", "ROLLCALL_KEY_PEPPER", "ROLLCALL_SECRET_KEY")

# Reads until we are gone, however we went; then nobody else is left who would end the group.
_GUARD = """
cat > /dev/null
kill -s TERM -- "-$1"
for second in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "-$1" || exit 0; sleep 1; done
kill -s KILL -- "-$1"
"""


class Child:
    """Its output is ours, its input is empty, `PORT` is in its environment. Raises Refused when it cannot start."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=_environment(port),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Refused(f"{command[0]} cannot be started: {why}.") from error
        self.name = os.path.basename(command[0])
        self.pid = self._process.pid
        self._guard = _guard(self.pid)
        self._is_over = False

    @property
    def code(self) -> int | None:
        """Its exit code once it has ended, -9 where signal 9 ended it."""
        return self._process.poll()

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.code or 0
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended by itself with exit code {code}"

    def end(self, wait: Callable[[float], object]) -> None:
        """TERM for the whole group, and KILL for what is left of it. `wait` may return early."""
        if self._is_over:
            return
        self._send(signal.SIGTERM)
        until = time.monotonic() + TERM_S
        while self._lives() and time.monotonic() < until:
            wait(0.1)
        self.kill()

    def kill(self) -> None:
        """May be repeated."""
        if self._is_over:
            return
        self._send(signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._guard.pid, signal.SIGKILL)
        self._guard.wait()
        self._is_over = True

    def _lives(self) -> bool:
        """It, or what it started and left behind."""
        if self.code is None:
            return True
        with contextlib.suppress(ChildProcessError):  # as the first process of a container we inherit what it left
            while os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass
        return self._send(0)

    def _send(self, number: int) -> bool:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _environment(port: int) -> dict[str, str]:
    """Ours, without the keys to Rollcall: they are none of a model server's business."""
    kept = {name: value for name, value in os.environ.items() if name not in _OUR_KEYS}
    return {**kept, "PORT": str(port)}


def _guard(group: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "rollcall-guard", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
