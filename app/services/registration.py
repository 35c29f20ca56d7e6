"""Everything that operators do to the fleet. Owns the transactions; whoever asked sees the change before the answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from app.core.errors import Conflict, InvalidRequest, ModelNotFound, NotFound, StorageUnavailable
from app.core.registration import Registration, parse_registration
from app.core.worker import Admin, Worker
from app.services import changes, explain, listing, ownership, preview
from app.services.changes import Outcome, Transaction
from app.services.explain_live import seen
from app.services.fleet import Fleet
from app.services.masking import masked_url
from app.services.verdicts import Verdicts
from app.settings import Settings
from app.storage import revision, workers
from app.storage.database import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    worker: Worker
    revision: int
    outcome: Outcome
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """The workers after the change, and the fleet's revision that holds it."""

    workers: tuple[Worker, ...]
    revision: int


class Registry:
    """Every method raises StorageUnavailable when the database is away; nothing is then half done."""

    def __init__(self, database: Database, fleet: Fleet, settings: Settings, verdicts: Verdicts | None = None) -> None:
        self._database = database
        self._fleet = fleet
        self._settings = settings
        self._verdicts = verdicts or Verdicts(settings)
        self._owner = ""

    def bound_to(self, owner: str) -> Registry:
        """The same, for who may register and change only the workers of this owner ('': of anyone).

        Every method that changes something then raises ScopeRefused as well.
        """
        bound = copy(self)
        bound._owner = owner
        return bound

    def register(self, raw: Mapping[str, Any], *, upsert: bool = False) -> Registered:
        """Raises InvalidField, and Conflict when the identity is taken by a worker that is neither offline nor
        expired.

        With `upsert` the identity's worker takes the new registration; its weight and admin state stay unless named.
        """
        wanted = parse_registration(raw, self._settings.may_read_env, self._settings.targets)
        wanted = ownership.claimed(wanted, self._owner)
        try:
            done = self._store(wanted, upsert)
        except Conflict:
            if not upsert:
                raise
            done = self._store(wanted, upsert)  # someone else registered it between our look and our insert
        self._show()
        return done

    def preview(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The request that would be sent for a sample prompt; touches no database."""
        wanted = parse_registration(raw, self._settings.may_read_env, self._settings.targets)
        return preview.preview(wanted, self._settings.secret)

    def offline(
        self,
        *,
        worker_id: int | None = None,
        model_name: str | None = None,
        url: str | None = None,
        instance: str | None = None,
        drain: bool = False,
    ) -> Changed:
        """By id, or by model name and URL (without `instance`: all of that URL). Raises NotFound; may be repeated."""
        by_id = worker_id is not None and (model_name, url, instance) == (None, None, None)
        if not by_id and (worker_id is not None or model_name is None or url is None):
            raise InvalidRequest("Name the worker either by id, or by model_name and req_url_template.", field="id")
        with self._database.write() as tx:
            now = self._database.now(tx)
            if worker_id is not None:
                found = [changes.get(tx, worker_id)]
            else:
                found = workers.find_all(tx, model_name=model_name, url=url, instance=instance)
            for worker in found:
                ownership.check(worker, self._owner)
            if not found:
                raise NotFound(f"No such worker of model {model_name!r} is registered at {masked_url(url or '')}.")
            done = Changed(
                tuple(changes.retire(tx, worker, drain, now) for worker in found), revision=revision.current(tx)
            )
        self._show()
        return done

    def change(self, worker_id: int, *, weight: int | None = None, admin: Admin | None = None) -> dict[str, Any]:
        """Weight and admin state; None leaves as it is. The worker's row. Raises NotFound."""
        if weight is None and admin is None:
            raise InvalidRequest("Name what to change: weight, admin, or both.", field="weight")
        with self._database.write() as tx:
            worker = changes.change(tx, self._get(tx, worker_id), weight, admin, self._database.now(tx))
        self._show()
        return self._row(worker)

    def expire(self, worker_id: int) -> dict[str, Any]:
        """Whoever registered it with a time limit says that it is over; its admin state stays. Raises NotFound."""
        with self._database.write() as tx:
            if self._owner:
                self._get(tx, worker_id)
            worker = workers.expire(tx, worker_id, self._database.now(tx))
        self._show()
        return self._row(worker)

    def remove(self, worker_id: int) -> Worker:
        """For good, with its history. The worker as it was. Raises NotFound."""
        with self._database.write() as tx:
            worker = self._get(tx, worker_id)
            workers.delete(tx, worker_id)
        self._show()
        return worker

    def purge(self, offline_for_s: float) -> list[int]:
        """Delete what has been offline for that long, or whose time limit ended that long ago; the ids."""
        with self._database.write() as tx:
            before = self._database.now(tx) - offline_for_s
            ids = sorted({*workers.offline_since(tx, before), *workers.expired_since(tx, before)})
            for worker_id in ids:
                workers.delete(tx, worker_id)
        self._show()
        return ids

    def get(self, worker_id: int) -> dict[str, Any]:
        """One row as operators read it. Raises NotFound."""
        self._fleet.refresh()
        with self._database.read() as tx:
            worker = changes.get(tx, worker_id)
        return self._row(worker)

    def page(self, query: listing.Query) -> listing.Page:
        return listing.page(self._database, self._fleet, self._verdicts, query)

    def route(self, model_name: str) -> list[dict[str, Any]]:
        """As this process sees it now, also while the database is away. Raises ModelNotFound."""
        if not self._fleet.ready:
            self._fleet.refresh()
        pool = self._fleet.pool(model_name)
        if pool is None:
            raise ModelNotFound(f"No worker is registered for model {model_name!r}.", field="model_name")
        return explain.route(pool, seen(self._verdicts, pool))

    def _store(self, wanted: Registration, upsert: bool) -> Registered:
        with self._database.write() as tx:
            now = self._database.now(tx)
            found = workers.find_identity(tx, wanted.model_name, wanted.url, wanted.instance)
            if found is None:
                worker, outcome = changes.create(tx, wanted, now)
            else:
                ownership.check(found, self._owner)
                change = changes.upsert if upsert else changes.revive
                worker, outcome = change(tx, found, wanted, now)
            return Registered(worker, revision.current(tx), outcome, changes.notes(worker, wanted))

    def _get(self, tx: Transaction, worker_id: int) -> Worker:
        """To be changed."""
        worker = changes.get(tx, worker_id)
        ownership.check(worker, self._owner)
        return worker

    def _row(self, worker: Worker) -> dict[str, Any]:
        pool = None
        if self._fleet.ready:
            snapshot = self._fleet.snapshot()
            worker, pool = snapshot.judged(worker), snapshot.pools.get(worker.model_name)
        return explain.row(worker, pool, seen(self._verdicts, pool))

    def _show(self) -> None:
        """What was committed is acknowledged, even when the database goes away right after it."""
        try:
            self._fleet.refresh()
        except StorageUnavailable as error:
            log.warning("The change is stored, but this process cannot read it yet: %s", error.message)
