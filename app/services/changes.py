"""The steps that change workers, each inside its caller's transaction. What is already so is not written again."""

from __future__ import annotations

from typing import Any, Literal

from app.core.errors import Conflict, NotFound
from app.core.registration import Registration
from app.core.worker import Admin, Worker
from app.services.masking import masked_url
from app.storage import workers

Transaction = Any
"""What Database.read() and write() give; only storage/ looks inside."""

Outcome = Literal["created", "revived", "updated", "unchanged"]

DEFAULT_WEIGHT = 1


def get(tx: Transaction, worker_id: int) -> Worker:
    worker = workers.find(tx, worker_id)
    if worker is None:
        raise NotFound(f"There is no worker {worker_id}; GET /api/server/workers lists them.", field="id")
    return worker


def create(tx: Transaction, wanted: Registration, now: float) -> tuple[Worker, Outcome]:
    weight = DEFAULT_WEIGHT if wanted.weight is None else wanted.weight
    return set_admin(tx, workers.insert(tx, wanted, weight, now), wanted.admin, now), "created"


def upsert(tx: Transaction, found: Worker, wanted: Registration, now: float) -> tuple[Worker, Outcome]:
    """Weight and admin state stay unless named. The same again renews a registration with a time limit."""
    if _same(found, wanted):
        return (found if wanted.ttl_s is None else workers.renew(tx, found.id, now)), "unchanged"
    return set_admin(tx, workers.replace(tx, found.id, wanted, now), wanted.admin, now), "updated"


def revive(tx: Transaction, found: Worker, wanted: Registration, now: float) -> tuple[Worker, Outcome]:
    """Of one that is offline, or whose time limit is over; Conflict where one lives.

    The history stays, the registration is the new one, as if it were the first: an unnamed weight is the default. Only
    an operator who drains a worker is not overruled by its coming back.
    """
    if found.admin != "offline" and (found.expires_at is None or found.expires_at > now):
        raise Conflict(
            f"Model {found.model_name!r} at {masked_url(found.url)} is already registered as worker {found.id}; "
            "change it with PUT /api/server/register (manage.py register --update), "
            "or register another `instance` of it.",
            field="req_url_template",
        )
    back = workers.replace(tx, found.id, wanted, now)
    if wanted.weight is None and found.weight != DEFAULT_WEIGHT:
        back = workers.set_weight(tx, found.id, DEFAULT_WEIGHT, now)
    return set_admin(tx, back, "enabled" if found.admin == "offline" else None, now), "revived"


def set_admin(tx: Transaction, worker: Worker, admin: Admin | None, now: float) -> Worker:
    return worker if admin in (None, worker.admin) else workers.set_admin(tx, worker.id, admin, now)


def change(tx: Transaction, worker: Worker, weight: int | None, admin: Admin | None, now: float) -> Worker:
    if weight is not None and weight != worker.weight:
        worker = workers.set_weight(tx, worker.id, weight, now)
    return set_admin(tx, worker, admin, now)


def retire(tx: Transaction, worker: Worker, drain: bool, now: float) -> Worker:
    """Out of selection; what is offline already has nothing to drain."""
    wanted: Admin = "draining" if drain and worker.admin != "offline" else "offline"
    return set_admin(tx, worker, wanted, now)


def notes(worker: Worker, wanted: Registration) -> tuple[str, ...]:
    if worker.admin == "enabled":
        return wanted.notes
    return (*wanted.notes, f"the worker stays {worker.admin}; PUT or PATCH `admin` enabled to give it traffic")


def _same(found: Worker, wanted: Registration) -> bool:
    return (
        (found.owner, found.worker_type, found.upstream_model, found.spec, found.ttl_s)
        == (wanted.owner, wanted.worker_type, wanted.upstream_model, wanted.spec, wanted.ttl_s)
        and wanted.weight in (None, found.weight)
        and wanted.admin in (None, found.admin)
    )
