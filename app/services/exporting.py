"""All registrations as a list that `apply` reads again: secrets masked, what is usual left out."""

from __future__ import annotations

import json
from typing import Any

from app.core.worker import Worker
from app.services.masking import exported_spec, masked_url
from app.storage import workers
from app.storage.database import Database

_USUAL: dict[str, Any] = {
    "req_type": "POST",
    "req_param": {},
    "header": {},
    "body": None,
    "response_extract": "",
    "is_stream": False,
    "instance": "",
    "owner": "",
    "worker_type": "REMOTE",
    "upstream_model": None,
    "admin": "enabled",
}


def export(database: Database) -> tuple[list[dict[str, Any]], int]:
    """The registrations, and how many with a time limit are left out: those register themselves again."""
    with database.read() as tx:
        found = workers.find_all(tx)
    lasting = [worker for worker in found if worker.ttl_s is None]
    return [exported(worker) for worker in lasting], len(found) - len(lasting)


def exported(worker: Worker) -> dict[str, Any]:
    words = words_of(worker)
    return {**exported_spec(words), "req_url_template": masked_url(worker.url)}


def words_of(worker: Worker) -> dict[str, Any]:
    """The registration that makes this worker, in the order in which people read it; nothing is masked."""
    words = {
        "model_name": worker.model_name,
        "req_url_template": worker.url,
        "instance": worker.instance,
        "upstream_model": worker.upstream_model,
        "owner": worker.owner,
        "worker_type": worker.worker_type,
        "weight": worker.weight,
        "admin": worker.admin,
        **json.loads(worker.spec),
    }
    return {word: value for word, value in words.items() if word not in _USUAL or value != _USUAL[word]}
