"""Workers as operators read them: every row says whether it may get traffic, why not, and its share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from app.core.selection import Pool
from app.core.worker import Standing, Worker, standing
from app.services.explain_live import Seen
from app.services.masking import masked_spec, masked_url


def row(worker: Worker, pool: Pool | None, live: Seen) -> dict[str, Any]:
    """A worker with its registration (secrets masked), standing and times (ISO 8601, UTC)."""
    health = worker.health
    return {
        "id": worker.id,
        "model_name": worker.model_name,
        "req_url_template": masked_url(worker.url),
        **masked_spec(json.loads(worker.spec)),
        "owner": worker.owner,
        "worker_type": worker.worker_type,
        "instance": worker.instance,
        "upstream_model": worker.upstream_model,
        **_traffic(worker, pool, live),
        "admin": worker.admin,
        "probe": health.probe,
        "last_probe_at": iso(health.last_probe_at),
        "last_ok_at": iso(health.last_ok_at),
        "last_fail_at": iso(health.last_fail_at),
        "last_error": health.last_error,
        "ttl_s": worker.ttl_s,
        "expires_at": iso(worker.expires_at),
        "created_at": iso(worker.created_at),
        "updated_at": iso(worker.updated_at),
    }


def route(pool: Pool, live: Seen) -> list[dict[str, Any]]:
    """For each worker of the pool: may it get traffic, why (not), and its share of the next requests."""
    return [
        {
            "id": worker.id,
            "url": masked_url(worker.url),
            "instance": worker.instance,
            **_traffic(worker, pool, live),
        }
        for worker in pool.workers
    ]


def iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traffic(worker: Worker, pool: Pool | None, live: Seen) -> dict[str, Any]:
    now = standing(worker, live.said.get(worker.id))
    share = pool.share(worker, live.without_share, live.parts) if pool is not None and now.available else 0.0
    return {
        "available": now.available,
        "status": now.status,
        "why": _why(worker, now, share),
        "seconds_left": None if now.left_s is None else round(now.left_s, 1),
        "weight": worker.weight,
        "share": round(share, 4),
    }


def _why(worker: Worker, now: Standing, share: float) -> str:
    if now.available and worker.weight == 0:
        chosen = (
            "gets traffic because no worker with a weight can" if share else "waits until no worker with a weight can"
        )
        return f"standby (weight 0): {chosen}"
    return now.why
