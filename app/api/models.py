"""GET /v1/models: one entry for each model name that has an enabled worker. No SQL but for a name nobody knows."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g

from app.api.auth import may_see
from app.api.runtime import rollcall
from app.core.dialects.fields import MODEL_NAME_LENGTH
from app.core.errors import ModelNotFound
from app.core.json_text import json_bytes
from app.core.selection import Pool
from app.services.tasks import tasks_of

blueprint = Blueprint("rollcall-models", __name__)


@blueprint.get("/v1/models")
@blueprint.get("/api/v1/models")
def list_models() -> Response:
    g.surface = "openai"
    pools = rollcall().fleet.snapshot().pools
    return _json({"object": "list", "data": [_entry(pools[name]) for name in sorted(pools) if _is_shown(pools[name])]})


@blueprint.get("/v1/models/<path:name>")
@blueprint.get("/api/v1/models/<path:name>")
def show_model(name: str) -> Response:
    g.surface = "openai"
    # what could not be registered is not looked up: PostgreSQL refuses a NUL
    possible = len(name) <= MODEL_NAME_LENGTH and "\x00" not in name
    pool = rollcall().fleet.pool(name) if possible else None
    if pool is None or not _is_shown(pool):
        raise ModelNotFound(f"There is no model {name[:MODEL_NAME_LENGTH]!r}; /v1/models lists them.", field="model")
    return _json(_entry(pool))


def _is_shown(pool: Pool) -> bool:
    return bool(pool.enabled) and may_see(pool.model_name)


def _entry(pool: Pool) -> dict[str, Any]:
    """`task` is that of the first enabled worker, `tasks` are all: workers of one name may do different things."""
    tasks = tasks_of(worker for worker in pool.workers if worker.admin == "enabled")
    return {
        "id": pool.model_name,
        "object": "model",
        "created": int(pool.created_at),
        "owned_by": pool.owner or "rollcall",
        "task": tasks[0],
        "tasks": tasks,
    }


def _json(body: dict[str, Any]) -> Response:
    return Response(json_bytes(body), 200, content_type="application/json")
