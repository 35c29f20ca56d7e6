"""Model services in child processes: what SIGKILL and SIGSTOP are real for. What they were asked is in a journal."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.serving import PATIENCE_S, ROOT

STREAM = {"framing": "sse", "done": "[DONE]", "body": {"stream": True}}


class ModelProcess:
    """A child that serves tests/faults/model.py. A context manager; after `kill`, `start` uses the same port."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.port = 0
        self.start()

    def __enter__(self) -> ModelProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.faults.model", str(self._journal), str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], "the model service said nothing"
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        """As kill -9; when this returns its port refuses connections."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        if self.process.stdout:
            self.process.stdout.close()

    @contextmanager
    def hung(self) -> Iterator[float]:
        """Stopped inside the block; gives the moment. The kernel still takes its connections."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield time.monotonic()
        finally:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)

    def chat(self, model: str, **words: Any) -> dict[str, Any]:
        """Its registration under this name."""
        body = {"model": "m", "messages": "{MESSAGES}"}
        url, answer = f"{self.origin}/v1/chat/completions", "choices[].message.content"
        shape = {"model_name": model, "req_url_template": url, "body": body, "response_extract": answer}
        return {**shape, "stream": STREAM, **words}

    def video(self, model: str, **words: Any) -> dict[str, Any]:
        job = {
            "id_extract": "id",
            "req_url_template": f"{self.origin}/jobs/{{JOB_ID}}",
            "done_when": {"status": "done"},
            "result_extract": "output",
            "interval_s": 0.5,
        }
        output = {"type": "video", "as": "url"}
        shape = {"model_name": model, "task": "video", "req_url_template": f"{self.origin}/jobs", "job": job}
        return {**shape, "body": {"prompt": "{USER_PROMPT}"}, "output": output, **words}


@dataclass(frozen=True)
class Line:
    """`what`: asked, spoke (its answer began) or submitted."""

    what: str
    prompt: str
    port: int
    at: float


def journal_of(path: Path) -> list[Line]:
    return [Line(**json.loads(line)) for line in path.read_bytes().splitlines()] if path.exists() else []


@contextmanager
def models(folder: Path, count: int) -> Iterator[tuple[list[ModelProcess], Path]]:
    """So many model services with one journal, which is a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / f"journal-{time.monotonic_ns()}"
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(ModelProcess(journal)) for _ in range(count)], journal
