"""The last-known fleet as a file, so that a process can serve which starts while the database is away.

Each line is encrypted by itself: a head that says of which database and revision it is, then the workers, a few in
each line. Registrations hold credentials; nothing of them is readable without the key.
"""

from __future__ import annotations

import json
import logging
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import fields, replace
from operator import attrgetter
from sys import intern
from typing import TYPE_CHECKING, Any

from app.core.worker import Health, Worker
from app.services.keyring import keyring
from app.services.snapshot import Snapshot, build
from app.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

log = logging.getLogger(__name__)

FILE = "fleet.last-known"
KEY_FILE = "secret.key"
IN_A_LINE = 200
# Under gevent the others have their turn after each line.
TURN_S = 0.001

_HEALTH = tuple(field.name for field in fields(Health))
_WORKER = tuple(field.name for field in fields(Worker) if field.name != "health")
_NAMES = [*_WORKER, *(f"health.{name}" for name in _HEALTH)]
_row_of = attrgetter(*_NAMES)


class LastKnown:
    """`database` says which one it is of: what another one held is not loaded."""

    def __init__(self, settings: Settings, database: str) -> None:
        self._keys = settings.secret_key
        self._key_file = settings.var / KEY_FILE
        self._path = settings.var / FILE
        self._database = database

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def save(self, snapshot: Snapshot) -> None:
        """Whole or not at all. Raises OSError, and ValueError where the key is none.

        It does not wait for the disk: after a power cut it may be missing, which is no worse than none.
        """
        ring = keyring(self._keys, self._key_file)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".{FILE}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
                writing.write(ring.encrypt(json.dumps(self._head(snapshot)).encode()))
                for line in _lines(snapshot):
                    writing.write(b"\n" + ring.encrypt(line))
                    time.sleep(TURN_S)
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)

    def load(self) -> Snapshot | None:
        """None, and a line in the log, where there is none of this database that can be read."""
        if not self.exists:
            return None
        try:
            return self._read(keyring(self._keys, self._key_file))
        except Exception as error:  # of whatever is wrong with a file: there is none, then
            log.error("The last-known fleet in %s cannot be used: %s", self._path, str(error) or type(error).__name__)
            return None

    def _head(self, snapshot: Snapshot) -> dict[str, Any]:
        known = {"database": self._database, "names": _NAMES, "count": snapshot.count, "revision": snapshot.revision}
        return {**known, "saved_at": time.time()}

    def _read(self, ring: MultiFernet) -> Snapshot:
        first, *rest = self._path.read_bytes().split(b"\n")
        head = json.loads(ring.decrypt(first))
        if head["database"] != self._database:
            raise ValueError("it is of another database")
        if head["names"] != _NAMES:
            raise ValueError("another version of Rollcall wrote it")
        workers = [_worker(row) for line in rest for row in json.loads(zlib.decompress(ring.decrypt(line)))]
        if len(workers) != head["count"]:
            raise ValueError("it is not whole")
        expired = frozenset(worker.id for worker in workers if worker.expired)
        log.warning(
            "The last-known fleet serves until the database can be read: %d workers, as of %s",
            *(len(workers), time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(head["saved_at"]))),
        )
        return replace(build(head["revision"], workers), expired=expired)


def _lines(snapshot: Snapshot) -> Iterator[bytes]:
    workers = list(snapshot.workers.values())
    for start in range(0, len(workers), IN_A_LINE):
        rows = [_row_of(worker) for worker in workers[start : start + IN_A_LINE]]
        yield zlib.compress(json.dumps(rows).encode(), 1)


def _worker(row: list[Any]) -> Worker:
    """Texts that many workers have in common become one string in memory."""
    row = [intern(value) if isinstance(value, str) else value for value in row]
    registered, seen = row[: len(_WORKER)], row[len(_WORKER) :]
    return Worker(**dict(zip(_WORKER, registered, strict=True)), health=Health(*seen))
