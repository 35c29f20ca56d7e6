"""Closes connections that idled for too long, also when nobody asks for others: a worker that waits for its last

requests to finish sees by its open connections when they have.
"""

from __future__ import annotations

import threading

from app.upstream.client import Client

PAUSE_S = 1.0
STOP_WAIT_S = 2.0


class Sweeper:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="rollcall-idle", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_WAIT_S)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.wait(PAUSE_S):
            self._client.close_idle()
