"""GET /api/server/workers and GET, PATCH, DELETE /api/server/workers/ID, and its /expire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.arguments import Blueprint
from app.api.auth import registry
from app.api.chat_schemas import SeedErrorSchema
from app.api.replies import Done, WorkerReply, WorkersReply
from app.api.runtime import rollcall
from app.api.schemas import ChangeWords, NoWords, WorkersQuery
from app.services.listing import Query

blueprint = Blueprint("rollcall-workers", __name__, url_prefix="/api/server", description="The fleet and its health.")


@blueprint.route("/workers", methods=["GET"])
@blueprint.arguments(WorkersQuery, location="query")
@blueprint.response(200, WorkersReply)
def workers(query: Mapping[str, Any]) -> dict[str, Any]:
    """All workers, or pages of them. Values of headers are never shown."""
    page = rollcall().registry.page(Query(**query))
    return {"data": page.rows, "next_cursor": page.next_cursor}


@blueprint.route("/workers/<int:worker_id>", methods=["GET"])
@blueprint.response(200, WorkerReply)
@blueprint.alt_response(404, schema=SeedErrorSchema, description="No such worker.")
def worker(worker_id: int) -> dict[str, Any]:
    """One worker."""
    return {"data": rollcall().registry.get(worker_id)}


@blueprint.route("/workers/<int:worker_id>", methods=["PATCH"])
@blueprint.arguments(ChangeWords)
@blueprint.response(200, WorkerReply)
@blueprint.alt_response(404, schema=SeedErrorSchema, description="No such worker.")
def change(words: Mapping[str, Any], worker_id: int) -> dict[str, Any]:
    """Change the weight or the admin state: enabled, draining or offline."""
    return {"data": registry().change(worker_id, **words)}


@blueprint.route("/workers/<int:worker_id>", methods=["DELETE"])
@blueprint.response(200, Done)
@blueprint.alt_response(404, schema=SeedErrorSchema, description="No such worker.")
def remove(worker_id: int) -> dict[str, Any]:
    """Delete a worker for good, with its history."""
    registry().remove(worker_id)
    return {"msg": f"delete llm worker(id={worker_id}) succeed!"}


@blueprint.route("/workers/<int:worker_id>/expire", methods=["POST"])
@blueprint.arguments(NoWords)
@blueprint.response(200, WorkerReply)
@blueprint.alt_response(404, schema=SeedErrorSchema, description="No such worker.")
def expire(words: Mapping[str, Any], worker_id: int) -> dict[str, Any]:
    """End a registration with a time limit now, until it is registered again.

    For endpoints that register themselves and stop. It gets no new requests, open ones finish; the admin state stays
    as it is. A registration without `ttl_s` does not end.
    """
    return {"data": registry().expire(worker_id)}
