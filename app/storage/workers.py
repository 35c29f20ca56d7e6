"""Registered workers. Every function works inside its caller's transaction; every change bumps the revision."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy import insert as insert_into
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.core.registration import Registration
from app.core.worker import Admin, Worker
from app.storage import health, revision
from app.storage.models import WORKER
from app.storage.rows import LARGEST_ID, WORKERS, identity, to_worker

_FIND = WORKERS.where(WORKER.c.id == bindparam("worker_id"))
_FIND_IDENTITY = WORKERS.where(WORKER.c.identity == bindparam("identity"))
_CHANGED_SINCE = WORKERS.where(WORKER.c.changed > bindparam("revision"))
_COUNT = select(func.count()).select_from(WORKER)
_IDS = select(WORKER.c.id)


def find(tx: Session, worker_id: int) -> Worker | None:
    # PostgreSQL refuses to compare an id with a number that none can have.
    return _one(tx, _FIND, worker_id=worker_id) if 0 < worker_id <= LARGEST_ID else None


def find_identity(tx: Session, model_name: str, url: str, instance: str) -> Worker | None:
    return _one(tx, _FIND_IDENTITY, identity=identity(model_name, url, instance))


def find_all(
    tx: Session,
    *,
    model_name: str | None = None,
    owner: str | None = None,
    url: str | None = None,
    instance: str | None = None,
    after_id: int = 0,
    limit: int | None = None,
) -> list[Worker]:
    """In the order of their ids, at most `limit`, beginning after `after_id`; None filters nothing."""
    wanted = {"model_name": model_name, "owner": owner, "url": url, "instance": instance}
    conditions = [WORKER.c[name] == value for name, value in wanted.items() if value is not None]
    conditions.append(WORKER.c.id > max(0, min(after_id, LARGEST_ID)))
    query = WORKERS.where(*conditions).order_by(WORKER.c.id).limit(limit)
    return [to_worker(row) for row in tx.execute(query)]


def changed_since(tx: Session, number: int) -> list[Worker]:
    """Workers with a change after revision `number`. What was deleted is missing: compare count(), then ids()."""
    return [to_worker(row) for row in tx.execute(_CHANGED_SINCE, {"revision": number})]


def count(tx: Session) -> int:
    return int(tx.execute(_COUNT).scalar_one())


def ids(tx: Session) -> set[int]:
    return set(tx.execute(_IDS).scalars())


def insert(tx: Session, registration: Registration, weight: int, now: float) -> Worker:
    """A new worker, enabled, due to be probed. Raises Conflict when its identity is taken; then nothing is left."""
    values = {
        **_registered(registration, now),
        "identity": identity(registration.model_name, registration.url, registration.instance),
        "model_name": registration.model_name,
        "url": registration.url,
        "instance": registration.instance,
        "weight": weight,
        "admin": "enabled",
        "admin_changed_at": now,
        "created_at": now,
        "updated_at": now,
        "changed": revision.bump(tx),
    }
    try:
        worker_id = tx.execute(insert_into(WORKER).values(values).returning(WORKER.c.id)).scalar_one()
    except IntegrityError as failure:
        raise Conflict(
            f"Model {registration.model_name!r} is already registered with this URL and instance.",
            field="req_url_template",
        ) from failure
    health.start(tx, worker_id, now)
    return _get(tx, worker_id)


def replace(tx: Session, worker_id: int, registration: Registration, now: float) -> Worker:
    """A new registration of the same identity. Weight None keeps the weight; the admin state is kept.

    Its time limit, if it has one, begins anew.

    Raises NotFound. The verdict stays until the next probe, which is due at once; of one that was over it is forgotten.
    """
    before = _get(tx, worker_id)
    values = _registered(registration, now)
    if registration.weight is not None:
        values["weight"] = registration.weight
    _change(tx, worker_id, now, **values)
    health.lower_due(tx, [worker_id], now)
    _forget_if_over(tx, before, now)
    return _get(tx, worker_id)


def renew(tx: Session, worker_id: int, now: float) -> Worker:
    """Its time limit, if it has one, begins anew. Raises NotFound. That is a sign of life and no update."""
    worker = _get(tx, worker_id)
    if worker.ttl_s is not None:
        stamped = {"expires_at": now + worker.ttl_s, "changed": revision.bump(tx)}
        tx.execute(update(WORKER).where(WORKER.c.id == worker_id).values(stamped))
        _forget_if_over(tx, worker, now)
    return _get(tx, worker_id)


def expire(tx: Session, worker_id: int, now: float) -> Worker:
    """A registration with a time limit is over now: whoever made it says so. Raises NotFound."""
    if _get(tx, worker_id).ttl_s is not None:
        _change(tx, worker_id, now, expires_at=now)
    return _get(tx, worker_id)


def set_weight(tx: Session, worker_id: int, value: int, now: float) -> Worker:
    """Raises NotFound."""
    _change(tx, worker_id, now, weight=value)
    return _get(tx, worker_id)


def set_admin(tx: Session, worker_id: int, value: Admin, now: float) -> Worker:
    """Raises NotFound. A worker that is offline already stays so since it was; what is offline is not probed."""
    worker = _get(tx, worker_id)
    if worker.admin == value:
        return worker
    _change(tx, worker_id, now, admin=value, admin_changed_at=now)
    if value == "offline":
        health.rest(tx, worker_id)
    elif worker.admin == "offline":
        health.wake(tx, worker_id)
    return _get(tx, worker_id)


def delete(tx: Session, worker_id: int) -> bool:
    """For good, with its health. False when there is no such worker."""
    if find(tx, worker_id) is None:
        return False
    revision.bump(tx)
    tx.execute(delete_from(WORKER).where(WORKER.c.id == worker_id))
    return True


def offline_since(tx: Session, before: float) -> list[int]:
    """Ids of what was taken offline before that time and not brought back."""
    conditions: list[ColumnElement[bool]] = [WORKER.c.admin == "offline", WORKER.c.admin_changed_at < before]
    return list(tx.execute(select(WORKER.c.id).where(*conditions).order_by(WORKER.c.id)).scalars())


def expired_since(tx: Session, before: float) -> list[int]:
    """Ids of the registrations whose time limit ended before that time."""
    query = select(WORKER.c.id).where(WORKER.c.expires_at < before).order_by(WORKER.c.id)
    return list(tx.execute(query).scalars())


def _forget_if_over(tx: Session, worker: Worker, now: float) -> None:
    """Whoever comes back answers already: to wait for its first good probes would cost it seconds of traffic."""
    if worker.expires_at is not None and worker.expires_at <= now and worker.admin != "offline":
        health.forget(tx, worker.id, now)


def _registered(registration: Registration, now: float) -> dict[str, Any]:
    """What a registration says besides identity, weight and admin state."""
    names = ("owner", "worker_type", "upstream_model", "spec", "ttl_s")
    said = {name: getattr(registration, name) for name in names}
    return {**said, "expires_at": None if registration.ttl_s is None else now + registration.ttl_s}


def _change(tx: Session, worker_id: int, now: float, **values: Any) -> None:
    _get(tx, worker_id)
    stamped = {**values, "updated_at": now, "changed": revision.bump(tx)}
    tx.execute(update(WORKER).where(WORKER.c.id == worker_id).values(stamped))


def _one(tx: Session, query: Any, **values: Any) -> Worker | None:
    row = tx.execute(query, values).one_or_none()
    return to_worker(row) if row else None


def _get(tx: Session, worker_id: int) -> Worker:
    worker = find(tx, worker_id)
    if worker is None:
        raise NotFound(f"There is no worker {worker_id}.", field="id")
    return worker
