"""Acknowledged writes under kill -9: registrations, PATCHes and offlines, while the server dies at random moments.

usage: [KILLS=100] python -m tests.faults.kills

What was acknowledged is there after the restart, and what was under way is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.databases import postgres_database, prepare_postgres, start_postgres, upgrade
from tests.faults.victims import Victim, served

WRITERS = 4
REGISTER, OFFLINE = "/api/server/register", "/api/server/offline"
State = dict[str, Any]
"""Of one worker: `weight` and `admin`; None in its place: it is not there."""


@dataclass
class Written:
    """What one writer knows: the state of each of its workers, and what the write under way would make of one."""

    states: dict[str, State] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    under_way: dict[str, list[State | None]] = field(default_factory=dict)
    acknowledged: int = 0


class Writer:
    """Writes to its own workers, one write after another; what got no answer is under way until it is looked at."""

    def __init__(self, number: int, port: int) -> None:
        self._number = number
        self._port = port
        self._made = 0
        self.known = Written()

    def write(self) -> None:
        known = self.known
        settled = [url for url in known.ids if url not in known.under_way]
        step = random.choice((self._register, self._change, self._change, self._offline)) if settled else self._register
        step(random.choice(settled) if settled else "")

    def _register(self, _: str) -> None:
        self._made += 1
        url, weight = f"http://127.0.0.1:9/{self._number}/{self._made}", random.randint(1, 1000)
        body = {
            "model_name": f"kept-{self._number}",
            "req_url_template": url,
            "weight": weight,
            "body": {"prompt": "{USER_PROMPT}", "note": "x" * random.randint(0, 4000)},
        }
        state = {"weight": weight, "admin": "enabled", "body": body["body"]}
        self.known.under_way[url] = [None, state]
        self._settle(url, state, ask(self._port, "POST", REGISTER, body))

    def _change(self, url: str) -> None:
        before = self.known.states[url]
        after = {
            **before,
            "weight": random.randint(1, 1000),
            "admin": random.choice(("enabled", "draining", "offline")),
        }
        self.known.under_way[url] = [before, after]
        path = f"/api/server/workers/{self.known.ids[url]}"
        self._settle(url, after, ask(self._port, "PATCH", path, {name: after[name] for name in ("weight", "admin")}))

    def _offline(self, url: str) -> None:
        before = self.known.states[url]
        after = {**before, "admin": "offline"}
        self.known.under_way[url] = [before, after]
        self._settle(url, after, ask(self._port, "POST", OFFLINE, {"id": self.known.ids[url]}))

    def _settle(self, url: str, state: State, answer: tuple[int, Any]) -> None:
        status, body = answer
        if status == 503:
            return  # honest: it may say so before anything was done, or when nobody knows what was
        assert status == 200, answer
        self.known.states[url] = state
        if url not in self.known.ids:
            self.known.ids[url] = int(body["id"])
        self.known.under_way.pop(url)
        self.known.acknowledged += 1

    def compare(self, rows: dict[str, State]) -> list[str]:
        """What is not as it must be. What was under way is known from now on."""
        known, wrong = self.known, []
        for url, choices in known.under_way.items():
            found = rows.get(url)
            if shown(found) not in [shown(choice) for choice in choices]:
                wrong.append(f"half-written: {url}: {found}, not one of {choices}")
            if found is not None:
                known.states[url], known.ids[url] = {**found}, int(found["id"])
        known.under_way.clear()
        for url, state in known.states.items():
            if shown(rows.get(url)) != shown(state):
                wrong.append(f"lost: {url} is {rows.get(url)}, not {state}")
        return wrong


def shown(state: State | None) -> Any:
    return state and (state["weight"], state["admin"], state["body"])


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Raises OSError and HTTPException where no answer came."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {} if data is None else {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def rows_of(port: int) -> dict[str, State]:
    """All workers by URL, as the management shows them."""
    status, page = ask(port, "GET", "/api/server/workers")
    assert status == 200, page
    names = ("id", "weight", "admin", "body")
    return {row["req_url_template"]: {name: row[name] for name in names} for row in page["data"]}


@dataclass
class Report:
    """`wrong`: what was lost or is there by half; `landed`, `vanished`: what had got no answer, and was done or not."""

    kills: int = 0
    acknowledged: int = 0
    landed: int = 0
    vanished: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lost = f"{len(self.wrong)} lost or half-written" + "".join(f"\n  {each}" for each in self.wrong[:5])
        unanswered = f"of those without an answer {self.landed} were done, {self.vanished} were not"
        return f"{self.kills} kills, {self.acknowledged:,} writes acknowledged, {lost} ({unanswered})"


def kills(victim: Victim, count: int, longest_s: float) -> Report:
    """So many kills, each within `longest_s` of the first write after the one before."""
    writers = [Writer(number, victim.port) for number in range(WRITERS)]
    report = Report()
    for _ in range(count):
        over = threading.Event()
        threads = [threading.Thread(target=write_until, args=(writer, over), daemon=True) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0, longest_s))
        victim.kill()
        over.set()
        for thread in threads:
            thread.join(60)
        victim.wait_until_back()
        look(victim.port, writers, report)
    report.kills = count
    report.acknowledged = sum(writer.known.acknowledged for writer in writers)
    return report


def write_until(writer: Writer, over: threading.Event) -> None:
    while not over.is_set():
        try:
            writer.write()
        except (OSError, http.client.HTTPException):  # the server is gone, and whether it did it nobody knows
            return


def look(port: int, writers: list[Writer], report: Report) -> None:
    rows = rows_of(port)
    for writer in writers:
        for url, choices in writer.known.under_way.items():
            done = shown(rows.get(url)) == shown(choices[1])
            report.landed += done
            report.vanished += not done
        report.wrong += writer.compare(rows)


def main() -> None:
    count = int(os.environ.get("KILLS", "100"))
    with tempfile.TemporaryDirectory() as folder:
        for kind, url in databases(Path(folder)):
            with served(url, Path(folder) / kind) as victim:
                print(f"{kind}: {kills(victim, count, 1.0)}", flush=True)


def databases(folder: Path) -> Iterator[tuple[str, str]]:
    """Migrated and empty: SQLite, and a real PostgreSQL."""
    url = f"sqlite:///{folder / 'rollcall.db'}"
    upgrade(url)
    yield "SQLite", url
    data = Path(tempfile.mkdtemp(prefix="rollcall-kills-"))
    server = start_postgres(data)
    prepare_postgres(server)
    with postgres_database(server) as url:
        yield "PostgreSQL", url


if __name__ == "__main__":
    main()
