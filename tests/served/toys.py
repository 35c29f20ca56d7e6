"""Toy model services in processes of their own, to be killed, stopped and started again."""

from __future__ import annotations

import re
import select
import signal
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Any

from tests.serving import PATIENCE_S, ROOT, Server


class Toy:
    """`manage.py sample-worker`. A context manager; `start` after `kill` uses the same port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.start()

    def __enter__(self) -> Toy:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        command = [sys.executable, "manage.py", "sample-worker", "--name", self.name, "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], "the toy said nothing"
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)\S*", line)
        assert found, line
        self.url, self.port = found[0], int(found[1])

    def send(self, signal_number: signal.Signals) -> None:
        self.process.send_signal(signal_number)

    def kill(self) -> None:
        """As kill -9; when this returns the port refuses connections."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        if self.process.stdout:
            self.process.stdout.close()


def openai_worker(model: str, url: str, **words: Any) -> dict[str, Any]:
    body = {"model": "toy", "messages": "{MESSAGES}"}
    answer = "choices[].message.content"
    return {"model_name": model, "req_url_template": url, "body": body, "response_extract": answer, **words}


def question(model: str, text: str = "hello") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


class Traffic:
    """Callers who ask one model again and again until the block ends. `failures`: (when it began, what came)."""

    def __init__(self, server: Server, model: str, callers: int = 4) -> None:
        self._server = server
        self._body = question(model)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(callers)]
        self.answered: list[float] = []
        self.failures: list[tuple[float, str]] = []

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _call(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            try:
                answer = self._server.ask("POST", "/v1/chat/completions", self._body)
                if answer.status == 200:
                    self.answered.append(began)
                else:
                    self.failures.append((began, f"{answer.status} {answer.body}"))
            except Exception as error:
                self.failures.append((began, repr(error)))
