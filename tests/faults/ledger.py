"""Operators who register, change and take out workers without a pause, and remember what was acknowledged to them."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from app.core.worker import Worker

FIELDS = ("owner", "weight", "admin")
WAIT_S = 30.0
REFUSED, BROKEN = 0, -1
"""In place of a status: nobody took the connection, or it broke before the answer was there."""


class Entry:
    """One worker as its only operator knows it: of each field the values that it may have by now.

    The first is the last one that was acknowledged; those behind it were asked for later and nobody said what came
    of them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = 0
        self.may_be_absent = True
        self.values: dict[str, list[Any]] = {field: [] for field in FIELDS}

    def note(self, change: dict[str, Any], acknowledged: bool) -> None:
        for field, value in change.items():
            self.values[field] = [value] if acknowledged else [*self.values[field], value]
        if acknowledged:
            self.may_be_absent = False


class Ledger:
    """`operators` threads inside the block, until it ends; `paused()` holds them between two changes.

    `port` says where the server listens now. `lost` and `half` are what `check` found, in words. `answers` counts
    what was said, by status or what stands in its place.
    """

    def __init__(self, port: Callable[[], int], operators: int = 4) -> None:
        self._port = port
        self._over = threading.Event()
        self._locks = [threading.Lock() for _ in range(operators)]
        self._threads = [threading.Thread(target=self._operate, args=(n,), daemon=True) for n in range(operators)]
        self._entries: dict[str, Entry] = {}
        self._prefix = f"kept-{random.randrange(10**9)}"
        self.answers: dict[int, int] = defaultdict(int)
        self.lost: list[str] = []
        self.half: list[str] = []

    def __enter__(self) -> Ledger:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * WAIT_S)

    @property
    def acknowledged(self) -> int:
        return self.answers[200]

    @contextmanager
    def paused(self) -> Iterator[None]:
        for lock in self._locks:
            lock.acquire()
        try:
            yield
        finally:
            for lock in self._locks:
                lock.release()

    def check(self, stored: list[Worker]) -> None:
        """Compare with what is stored. Only while paused, or after the end."""
        known = {worker.model_name: worker for worker in stored}
        for name, entry in self._entries.items():
            worker = known.get(name)
            if worker is None:
                self.lost += [] if entry.may_be_absent else [f"{name} is not there"]
                continue
            seen = {"owner": worker.owner, "weight": worker.weight, "admin": worker.admin}
            self.lost += [
                f"{name}: {field} is {seen[field]!r}, not one of {entry.values[field]}"
                for field in FIELDS
                if seen[field] not in entry.values[field]
            ]
            marks = {worker.owner, *(json.loads(worker.spec)[word]["mark"] for word in ("body", "req_param"))}
            self.half += [f"{name}: {marks}"] if len(marks) > 1 else []

    def _operate(self, number: int) -> None:
        dice = random.Random(number)
        mine: list[Entry] = []
        while not self._over.is_set():
            with self._locks[number]:
                if not mine or dice.random() < 0.3:
                    mine.append(self._entries.setdefault(name := f"{self._prefix}-{number}-{len(mine)}", Entry(name)))
                self._change(dice.choice(mine[-8:]), dice)

    def _change(self, entry: Entry, dice: random.Random) -> None:
        if entry.may_be_absent or dice.random() < 0.3:
            mark, weight = f"{dice.random():.12f}", dice.randrange(1, 100)
            change = {"owner": mark, "weight": weight, "admin": "enabled"}
            self._tell(entry, "PUT", "/api/server/register", _words(entry.name, change), change)
        elif dice.random() < 0.5:
            change = {"weight": dice.randrange(1, 100)}
            self._tell(entry, "PATCH", f"/api/server/workers/{entry.id}", change, change)
        else:
            self._tell(entry, "POST", "/api/server/offline", {"id": entry.id}, {"admin": "offline"})

    def _tell(self, entry: Entry, method: str, path: str, body: dict[str, Any], change: dict[str, Any]) -> None:
        status, answer = _asked(self._port(), method, path, body)
        self.answers[status] += 1
        if status == REFUSED:
            self._over.wait(0.02)
            return
        if status == 200:
            entry.id = answer.get("id") or entry.id
        entry.note(change, status == 200)


def _words(name: str, change: dict[str, Any]) -> dict[str, Any]:
    """The mark stands in three places of one registration, some 4 kB apart."""
    mark = change["owner"]
    return {
        "model_name": name,
        "req_url_template": f"http://127.0.0.1:9/{name}",
        "req_param": {"mark": mark},
        "body": {"prompt": "{USER_PROMPT}", "filler": "x" * 4000, "mark": mark},
        **change,
    }


def _asked(port: int, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except ConnectionRefusedError:
        return REFUSED, None
    except (OSError, http.client.HTTPException, ValueError):
        return BROKEN, None
    finally:
        connection.close()
