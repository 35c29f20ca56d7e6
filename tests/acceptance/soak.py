"""`python -m tests.acceptance.soak`: the long checks that `make test` has no time for, on SQLite and on PostgreSQL.

4,000 completions over two workers of weights 1 and 3, one of them killed and one stopped, and a restart of the server.
Prints what it measured; exits with 1 where a promise was not kept.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.databases import postgres_database, prepare_postgres, start_postgres, upgrade
from tests.served.toys import Toy, openai_worker, question
from tests.serving import ROOT, Server, serving, wait_for

COMPLETIONS = 4_000
CALLERS = 8
broken: list[str] = []


class Load:
    """`CALLERS` connections that ask again and again, `limit` times in all or until stop(). Times are monotonic."""

    def __init__(self, server: Server, limit: int = sys.maxsize) -> None:
        self._port, self._left, self._lock = server.port, limit, threading.Lock()
        self.answered: list[tuple[float, float, int]] = []
        self.failed: list[tuple[float, float, str]] = []
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CALLERS)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        self._left = 0
        self.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body, headers = json.dumps(question("soak")), {"Content-Type": "application/json"}
        while self._take():
            begun = time.monotonic()
            connection.request("POST", "/v1/chat/completions", body, headers)
            reply = connection.getresponse()
            text, now = reply.read(), time.monotonic()
            if reply.status == 200:
                self.answered.append((begun, now, int(reply.headers["X-Rollcall-Worker"])))
            else:
                self.failed.append((begun, now, f"{reply.status} {text.decode()[:150]}"))

    def _take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0


def check(what: str, kept: bool, measured: object) -> None:
    print(f"  {'ok ' if kept else 'NOT'} {what}: {measured}", flush=True)
    if not kept:
        broken.append(what)


def seconds_until(what: str, look: Callable[[], bool]) -> float:
    begun = time.monotonic()
    wait_for(what, look, 30)
    return round(time.monotonic() - begun, 2)


def split(server: Server, light: int) -> None:
    begun, load = time.monotonic(), Load(server, COMPLETIONS)
    load.join()
    counted = Counter(worker for _, _, worker in load.answered)
    share = counted[light] / COMPLETIONS
    check("every completion answered", len(load.answered) == COMPLETIONS, f"{len(load.answered)} {load.failed[:2]}")
    check("22–28 % go to the worker of weight 1 beside 3", 0.22 <= share <= 0.28, f"{share:.1%}")
    print(f"      ({COMPLETIONS / (time.monotonic() - begun):.0f} completions a second from {CALLERS} callers)")


def kill_under_load(server: Server, heavy: int, toy: Toy) -> None:
    load = Load(server)
    wait_for("traffic", lambda: len(load.answered) > 500)
    toy.kill()
    killed = time.monotonic()
    out = seconds_until("down", lambda: server.worker(heavy)["probe"] == "down")
    wait_for("traffic after it", lambda: sum(begun > killed for begun, _, _ in load.answered) > 500)
    toy.start()
    back = seconds_until("back", lambda: server.worker(heavy)["status"] == "available")
    wait_for("traffic on it", lambda: [ended for _, ended, worker in load.answered[-200:] if worker == heavy] or None)
    load.stop()
    later = [why for begun, _, why in load.failed if begun > killed]
    check("kill -9 under load: completions begun after it failed", not later, f"{len(later)} {later[:1]}")
    check("completions inside the killed worker failed", len(load.failed) <= CALLERS, len(load.failed))
    check("marked down, seconds", out <= 6, out)
    check("back after it answered again, seconds", back <= 3, back)


def stop_without_traffic(server: Server, heavy: int, toy: Toy) -> None:
    toy.send(signal.SIGSTOP)
    out = seconds_until("down", lambda: server.worker(heavy)["probe"] == "down")
    toy.send(signal.SIGCONT)
    back = seconds_until("back", lambda: server.worker(heavy)["status"] == "available")
    check("SIGSTOP without traffic: out, seconds", out <= 6, out)
    check("SIGCONT: back, seconds", back <= 3, back)


def listed(url: str, folder: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "manage.py", "list-workers", "--json"]
    environment = {**os.environ, "DATABASE_URL": url, "ROLLCALL_VAR": str(folder)}
    rows: list[dict[str, Any]] = json.loads(subprocess.check_output(command, cwd=ROOT, env=environment))
    return rows


def story(url: str, folder: Path) -> None:
    with Toy("light") as first, Toy("heavy") as second:
        with serving(url, folder) as server:
            light = server.register(**openai_worker("soak", first.url, weight=1))
            heavy = server.register(**openai_worker("soak", second.url, weight=3))
            for worker_id in (light, heavy):
                server.wait_for_status(worker_id, "available")
            split(server, light)
            kill_under_load(server, heavy, second)
            stop_without_traffic(server, heavy, second)
            first.kill()
            out = seconds_until("down", lambda: server.worker(light)["probe"] == "down")
            check("kill -9 without traffic: out, seconds", out <= 6, out)
            check("a clean stop, exit status", (status := server.stop()) == 0, status)
        before = listed(url, folder)
        with serving(url, folder, ROLLCALL_HEALTH_CHECKS="0") as server:
            after = listed(url, folder)
            check("a restart forgets nothing", before == after, [(r["probe"], r["last_ok_at"]) for r in after])
            server.process.send_signal(signal.SIGKILL)
        check("kill -9 of the server forgets nothing", listed(url, folder) == before, f"{len(before)} workers")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="rollcall-soak-") as name:
        folder = Path(name)
        print("SQLite")
        upgrade(url := f"sqlite:///{folder / 'soak.db'}")
        story(url, folder / "var")
        print("PostgreSQL")
        server = start_postgres(folder / "postgres")
        prepare_postgres(server)
        with postgres_database(server) as url:
            story(url, folder / "var")
    print(f"Not kept: {'; '.join(broken)}" if broken else "Every promise was kept.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
