"""Rows to Workers, and the value of an identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from sys import intern
from typing import Any

from sqlalchemy import Select, select

from app.core.worker import UNPROBED, Health, Worker
from app.storage.models import HEALTH, WORKER

LARGEST_ID = 2**31 - 1

_HEALTH_NAMES = (
    "probe",
    "streak",
    "since",
    "last_probe_at",
    "last_ok_at",
    "last_fail_at",
    "last_error",
    "due_at",
    "interval_s",
)
_WORKER_NAMES = (
    "id",
    "model_name",
    "url",
    "instance",
    "owner",
    "worker_type",
    "weight",
    "upstream_model",
    "spec",
    "admin",
    "created_at",
    "updated_at",
    "ttl_s",
    "expires_at",
)
_SHARED_NAMES = ("model_name", "instance", "owner", "worker_type", "upstream_model", "spec")
WORKERS: Select[Any] = select(
    *(WORKER.c[name] for name in _WORKER_NAMES), *(HEALTH.c[name] for name in _HEALTH_NAMES)
).join_from(WORKER, HEALTH, HEALTH.c.worker_id == WORKER.c.id)


def to_worker(row: Sequence[Any]) -> Worker:
    """Texts that many workers have in common become one string in memory, however often they are loaded."""
    worker = dict(zip(_WORKER_NAMES, row, strict=False))
    seen = dict(zip(_HEALTH_NAMES, row[len(_WORKER_NAMES) :], strict=True))
    for name in _SHARED_NAMES:
        worker[name] = worker[name] and intern(worker[name])
    seen["due_at"] = seen["due_at"] or UNPROBED.due_at
    return Worker(**worker, health=Health(**seen))


def identity(model_name: str, url: str, instance: str) -> str:
    """JSON keeps the three apart, whatever they hold."""
    return hashlib.sha256(json.dumps([model_name, url, instance]).encode()).hexdigest()
