"""What every act of the demo needs: requests that are shown before they are sent, the table, and patience."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.cli.demo.children import MANAGE, Children
from app.cli.demo.narrator import Narrator, curl
from app.cli.refusal import Refused
from app.cli.server import Declined, Server, Told
from app.settings import ROOT

MODEL = "toy"
OWNER = "demo"
KEY_LASTS = "1h"


class Scene:
    def __init__(self, children: Children, port: int) -> None:
        self.children = children
        self.narrator = Narrator()
        self.server = Server(f"http://127.0.0.1:{port}", timeout_s=30)
        self.names: dict[int, str] = {}
        self.key: str | None = None
        python = Path(sys.executable)
        self.manage = f"{python.relative_to(ROOT) if python.is_relative_to(ROOT) else 'python'} manage.py"

    def request(self, method: str, path: str, body: Any = None, *, pretty: bool = False) -> Told:
        self.narrator.command(self.curl(method, path, body, pretty=pretty))
        return self.server.call(method, path, body)

    def curl(self, method: str, path: str, body: Any = None, *, pretty: bool = False, stream: bool = False) -> str:
        url = self.server.url + path
        return curl(method, url, body, pretty=pretty, stream=stream, with_key=self.key is not None)

    def show_key(self) -> None:
        """Where this registry has API keys, the demo makes itself one that ends by itself."""
        try:
            self.server.call("GET", "/v1/models")
        except Declined as refusal:
            if refusal.status != 401:
                raise
            self.key = self.children.key("admin", KEY_LASTS)
            self.server.show_key(self.key)
            self.narrator.say(f"This registry has API keys, so the demo made itself one, for {KEY_LASTS}:")
            self.narrator.command(f"export ROLLCALL_API_KEY={self.key}")

    def ask(self, prompt: str) -> str:
        """The name of the toy that answered."""
        told = self.request("POST", "/api/v1/chat/completions", {"model_name": MODEL, "input": prompt})
        self.narrator.reply(told.body["result"], f"[{self.who(told.headers)}]")
        return self.names.get(_worker(told.headers), "")

    def who(self, headers: Any) -> str:
        """The worker that answered, and whether another one was tried before it."""
        worker = _worker(headers)
        attempts = int(headers.get("X-Rollcall-Attempts") or 1)
        name = f"worker {worker}, {self.names.get(worker, 'not ours')}"
        return name if attempts == 1 else f"{name}, at attempt {attempts}"

    def rows(self) -> list[dict[str, Any]]:
        return list(self.server.call("GET", f"/api/server/workers?model_name={MODEL}").body["data"])

    def verdicts(self) -> dict[int, str]:
        """What the health checks say of each worker: what the table shows, whatever the server already knows."""
        return {row["id"]: row["probe"] for row in self.rows()}

    def table(self) -> None:
        """The real command, as a person would run it."""
        self.narrator.command(f"{self.manage} list-workers --model {MODEL}")
        environment = dict(self.children.environment)
        if not sys.stdout.isatty():
            environment.setdefault("COLUMNS", "100")
        sys.stdout.flush()
        subprocess.run([sys.executable, MANAGE, "list-workers", "--model", MODEL], env=environment, check=True)

    def wait_until(self, what: str, holds: Callable[[], bool], within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            self.check_server()
            if time.monotonic() > deadline:
                raise Refused(f"After {within_s:g} s {what} had not happened; {self.children.log} may say why.")
            time.sleep(0.1)

    def check_server(self) -> None:
        if self.children.serving.poll() is not None:
            lines = self.children.log.read_text(errors="replace").strip().splitlines()
            raise Refused(
                f"The server ended: {lines[-1] if lines else 'without a word'} (whole log: {self.children.log})"
            )


def _worker(headers: Any) -> int:
    return int(headers.get("X-Rollcall-Worker") or 0)
