"""Pages of workers, as operators read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.core.worker import Status, Worker, standing
from app.services import explain
from app.services.explain_live import Seen, seen
from app.services.fleet import Fleet, Snapshot
from app.services.verdicts import Verdicts
from app.storage import workers
from app.storage.database import Database

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """`limit` None: all rows. `cursor` is the id after which the page begins."""

    model_name: str | None = None
    owner: str | None = None
    status: Status | None = None
    limit: int | None = None
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """`next_cursor` is None on the last page."""

    rows: list[dict[str, Any]]
    next_cursor: int | None


def page(database: Database, fleet: Fleet, verdicts: Verdicts, query: Query) -> Page:
    """Raises StorageUnavailable: times are read from the database, never guessed from the snapshot."""
    fleet.refresh()
    snapshot = fleet.snapshot()
    known: dict[str, Seen] = {}

    def live(worker: Worker) -> Seen:
        if worker.model_name not in known:
            known[worker.model_name] = seen(verdicts, snapshot.pools.get(worker.model_name))
        return known[worker.model_name]

    rows: list[dict[str, Any]] = []
    for worker in _matching(database, snapshot, live, query):
        if query.limit is not None and len(rows) == query.limit:
            return Page(rows, rows[-1]["id"])
        rows.append(explain.row(worker, snapshot.pools.get(worker.model_name), live(worker)))
    return Page(rows, None)


def _matching(database: Database, snapshot: Snapshot, live: Callable[[Worker], Seen], query: Query) -> Iterator[Worker]:
    for worker in map(snapshot.judged, _all(database, query)):
        if query.status is None or standing(worker, live(worker).said.get(worker.id)).status == query.status:
            yield worker


def _all(database: Database, query: Query) -> Iterator[Worker]:
    """In batches, so that no transaction stays open while rows are made of them."""
    after = query.cursor
    size = min(BATCH, query.limit + 1) if query.limit is not None and query.status is None else BATCH
    while True:
        with database.read() as tx:
            batch = workers.find_all(tx, model_name=query.model_name, owner=query.owner, after_id=after, limit=size)
        yield from batch
        if len(batch) < size:
            return
        after = batch[-1].id
