"""Callers who have films made, by jobs, and wait for the end of each."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from types import TracebackType

from tests.faults.load import Sample
from tests.serving import Server

EACH_S = 0.5
PATIENCE_S = 60.0
OVER = ("completed", "failed")


class Films:
    """One is begun each half second, until the block ends; then all are waited for.

    `ended`: how many were completed; `failed`: those that came to nothing; `endless`: those of which nothing came.
    """

    def __init__(self, server: Server, model: str) -> None:
        self._server, self._model = server, model
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._begun: dict[str, float] = {}
        self.ended = 0
        self.failed: list[Sample] = []
        self.endless: list[str] = []

    def __enter__(self) -> Films:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(3 * PATIENCE_S)

    def _run(self) -> None:
        number = 0
        while not self._over.wait(EACH_S):
            number += 1
            self._begin(f"film{number:06d}")
            self._look()
        until = time.monotonic() + PATIENCE_S
        while self._begun and time.monotonic() < until:
            self._look()
            time.sleep(EACH_S / 5)
        self.endless = list(self._begun)

    def _begin(self, prompt: str) -> None:
        """What was not acknowledged is not waited for."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self._server.ask("POST", "/v1/videos", {"model": self._model, "prompt": prompt})
            if answer.status == 200:
                self._begun[answer.body["id"]] = time.monotonic()

    def _look(self) -> None:
        for film, begun in list(self._begun.items()):
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self._server.ask("GET", f"/v1/videos/{film}")
                if answer.status != 200 or answer.body["status"] not in OVER:
                    continue
                del self._begun[film]
                if answer.body["status"] == "completed":
                    self.ended += 1
                else:
                    why = str(answer.body.get("error")).encode()
                    self.failed.append(Sample(film, False, begun - EACH_S, time.monotonic(), 200, 0, why))
