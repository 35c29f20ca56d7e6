"""All workers as one process sees them at one moment: made whole, or from the one before and what changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from app.core.selection import Pool
from app.core.worker import Worker


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All workers at one revision. `pools` is by model name, `workers` by id; both are read-only.

    `expired`: the ids of those whose registration has ended, as this process sees it.
    """

    revision: int
    pools: Mapping[str, Pool]
    workers: Mapping[int, Worker]
    count: int
    expired: frozenset[int] = frozenset()

    def judged(self, worker: Worker) -> Worker:
        """A worker as it was read from the database, with what only this process can tell."""
        return _marked(worker, self.expired)


def build(number: int, everyone: Iterable[Worker]) -> Snapshot:
    by_id = {worker.id: worker for worker in everyone}
    members: dict[str, list[Worker]] = {}
    for worker in by_id.values():
        members.setdefault(worker.model_name, []).append(worker)
    pools = {name: Pool(name, group) for name, group in members.items()}
    return Snapshot(number, MappingProxyType(pools), MappingProxyType(by_id), len(by_id))


def rebuild(
    old: Snapshot, number: int, workers: Mapping[int, Worker], touched: Iterable[int], expired: frozenset[int]
) -> Snapshot:
    """`workers` are all there are now, `touched` the ids of those that changed or went since.

    Only the pools of those are built anew, and of workers whose registration ended or began anew.
    """
    turned = old.expired ^ expired
    merged = dict(workers)
    ids_of: dict[str, set[int]] = {}
    for worker_id in {*touched, *turned}:
        if worker_id in merged:
            merged[worker_id] = _marked(merged[worker_id], expired)
        if worker := merged.get(worker_id) or old.workers.get(worker_id):
            ids_of.setdefault(worker.model_name, set()).add(worker_id)
    pools = dict(old.pools)
    for name, ids in ids_of.items():
        if name in pools:
            ids.update(worker.id for worker in pools[name].workers)
        if members := [merged[worker_id] for worker_id in sorted(ids) if worker_id in merged]:
            pools[name] = Pool(name, members)
        else:
            del pools[name]
    return Snapshot(number, MappingProxyType(pools), MappingProxyType(merged), len(merged), expired)


def aged(snapshot: Snapshot, expired: frozenset[int]) -> Snapshot:
    """The snapshot in which just these registrations have ended; most often it is the same."""
    if snapshot.expired == expired:
        return snapshot
    return rebuild(snapshot, snapshot.revision, snapshot.workers, (), expired)


def _marked(worker: Worker, expired: frozenset[int]) -> Worker:
    return worker if worker.expired == (worker.id in expired) else replace(worker, expired=worker.id in expired)
