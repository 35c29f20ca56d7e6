"""The fleet as this process sees it: one immutable snapshot, swapped whole, kept while the database is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from app.core.errors import NotReady, StorageUnavailable
from app.core.selection import Pool
from app.core.worker import Worker
from app.services.expiry import Expiry
from app.services.snapshot import Snapshot, aged, build, rebuild
from app.storage import revision, workers
from app.storage.database import Database, Transaction

__all__ = ["Fleet", "Snapshot"]

log = logging.getLogger(__name__)

ASK_AGAIN_S = 0.1
WAIT_FOR_LOAD_S = 0.5
OUTAGE_POLL_S = 1.0
Remembered = Callable[[], Snapshot | None]
Changed = Callable[[Worker | None, Worker | None], None]
"""The worker as it was and as it is; None: it was not, or is no more."""
Follower = Callable[[Transaction, int], None]

STOP_WAIT_S = 5.0


class Fleet:
    """Reads are attribute look-ups; loading happens in the watcher thread, or in whoever calls refresh()."""

    def __init__(
        self,
        database: Database,
        poll_s: float,
        changed: Changed = lambda old, new: None,
        remembered: Remembered = lambda: None,
        on_ended: Callable[[Worker], object] = lambda worker: None,
    ) -> None:
        """`changed` is told of every worker that changed, came or went, once the snapshot holds it.

        `remembered` gives a snapshot to begin with, where the database is away when this process starts. `on_ended` is
        told of each worker whose registration ends, when no request is sent to it any more.
        """
        self._database = database
        self._changed = changed
        self._remembered = remembered
        self._is_remembered = False
        self._poll_s = poll_s
        self._on_ended = on_ended
        self._snapshot: Snapshot | None = None
        self._expiry = Expiry(is_patient=False)
        self._loading = threading.Lock()
        self._begun = self._finished = 0
        self._asked_at = float("-inf")
        self._away = False
        self._followers: list[Follower] = []
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def take_along(self, follower: Follower) -> None:
        """Call it from now on in each look at the database, with the revision."""
        self._followers.append(follower)

    @property
    def ready(self) -> bool:
        return self._snapshot is not None

    @property
    def loaded(self) -> Snapshot | None:
        """The snapshot, where it comes from the database and not from the last-known one."""
        return None if self._is_remembered else self._snapshot

    def snapshot(self) -> Snapshot:
        if self._snapshot is None:
            raise NotReady("This process has not read the registry yet; try again in a moment.", retry_after_s=1)
        return self._snapshot

    def pool(self, model_name: str) -> Pool | None:
        """The workers of one model. Only a name that nobody knows may cost a look at the database."""
        pool = self.snapshot().pools.get(model_name)
        if pool is None and self._ask_for(model_name):
            pool = self.snapshot().pools.get(model_name)
        return pool

    def refresh(self) -> None:
        """See every change committed before this call; a load that begins after the call serves all who wait.

        Raises StorageUnavailable; the snapshot then stays as it was.
        """
        wanted = self._begun + 1
        with self._loading:
            self._load_unless(wanted)

    def start(self) -> None:
        """Try a first load, then follow the database in a thread. Does not raise while the database is away."""
        self._expiry.is_patient = True
        if not self._poll() and not self.ready:
            self._remember()
        self._stopping.clear()
        self._watcher = threading.Thread(target=self._watch, name="rollcall-fleet", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(STOP_WAIT_S)
            self._watcher = None

    def _remember(self) -> None:
        """Its verdicts stand as they were, like those of a process that lived on; nobody expires meanwhile."""
        with self._loading:
            if self._snapshot is None and (known := self._remembered()) is not None:
                self._snapshot, self._is_remembered = known, True

    def _ask_for(self, model_name: str) -> bool:
        """Wait for a look at what was committed before this call: at most one each 100 ms, shared by all who ask.

        False: there was none, because the database is known to be away or takes too long.
        """
        wanted = self._begun + 1
        if self._away:
            return False
        time.sleep(max(0.0, self._asked_at + ASK_AGAIN_S - time.monotonic()))
        if not self._loading.acquire(timeout=WAIT_FOR_LOAD_S):
            return False
        try:
            if self._finished < wanted and model_name not in self.snapshot().pools:
                self._asked_at = time.monotonic()
                self._load_unless(wanted)
        except StorageUnavailable as error:
            self._lost(error)
        finally:
            self._loading.release()
        return True

    def _watch(self) -> None:
        pause = self._poll_s
        while not self._stopping.wait(pause):
            pause = self._poll_s if self._poll() else min(pause * 2, OUTAGE_POLL_S)

    def _poll(self) -> bool:
        try:
            self.refresh()
        except Exception as error:  # whatever it is, the last snapshot keeps serving and the next poll may succeed
            self._lost(error)
            return False
        return True

    def _lost(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            known = isinstance(error, StorageUnavailable)
            rest = "the last snapshot serves on" if self.ready else "this process is not ready"
            log.error("The registry cannot be read, %s: %s", rest, error, exc_info=not known)

    def _load_unless(self, wanted: int) -> None:
        """Called with the lock held. Load number `wanted` or a later one began after the caller asked."""
        if self._finished >= wanted:
            return
        self._begun += 1
        before = self._snapshot.expired if self._snapshot else frozenset[int]()
        self._load()
        self._tell_ended(before)
        self._finished = self._begun
        if self._away:
            self._away = False
            log.warning("The registry can be read again.")

    def _tell_ended(self, before: frozenset[int]) -> None:
        now = self.snapshot()
        for worker_id in now.expired - before:
            if (worker := now.workers.get(worker_id)) is not None:
                self._on_ended(worker)

    def _load(self) -> None:
        before, old = self._snapshot, self.loaded
        if old is None:
            self._database.check_schema()
        with self._database.read() as tx:
            # the revision first: rows that change meanwhile are read once too often, never once too seldom
            number = revision.current(tx)
            for follow in self._followers:
                follow(tx, number)
            if old is not None and number == old.revision:
                self._snapshot = aged(old, self._expiry.look())
                return
            news = _news(tx, old) if old is not None and number > old.revision else None
            everyone = workers.find_all(tx) if news is None else []
            now = self._database.now(tx)
        self._expiry.learn(everyone if news is None else news[0].values(), now)
        ended = self._expiry.look()
        if old is None or news is None:
            self._snapshot = new = aged(build(number, everyone), ended)
        else:
            self._snapshot = new = rebuild(old, number, *news, ended)
        self._is_remembered = False
        if before is not None:
            self._tell(before, new, news[1] if news else {*before.workers, *new.workers})

    def _tell(self, old: Snapshot, new: Snapshot, touched: Iterable[int]) -> None:
        for worker_id in touched:
            self._changed(old.workers.get(worker_id), new.workers.get(worker_id))


def _news(tx: Transaction, old: Snapshot) -> tuple[dict[int, Worker], set[int]] | None:
    """All workers, and the ids of those that changed or went. None: the rows are not those that `old` was made of."""
    changed = {worker.id: worker for worker in workers.changed_since(tx, old.revision)}
    merged = {**old.workers, **changed}
    if len(merged) == workers.count(tx):
        return merged, set(changed)
    kept = workers.ids(tx)
    gone = merged.keys() - kept
    merged = {worker_id: worker for worker_id, worker in merged.items() if worker_id in kept}
    return (merged, changed.keys() | gone) if len(merged) == len(kept) else None
