"""POST and PUT /api/server/register."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.arguments import Blueprint
from app.api.auth import registry
from app.api.chat_schemas import SeedErrorSchema
from app.api.replies import RegisteredReply
from app.api.runtime import rollcall
from app.api.schemas import RegisterQuery, RegistrationWords, UpsertWords
from app.services.registration import Registered

blueprint = Blueprint("rollcall-register", __name__, url_prefix="/api/server", description="Who serves which model.")


@blueprint.route("/register", methods=["POST"])
@blueprint.arguments(RegisterQuery, location="query")
@blueprint.arguments(RegistrationWords)
@blueprint.response(200, RegisteredReply)
@blueprint.alt_response(409, schema=SeedErrorSchema, description="This model, URL and instance are registered already.")
def register(query: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Register an endpoint, or bring back one that was taken offline or has expired.

    With `dry_run=true` nothing is stored: the answer is the request that would be sent for a sample prompt.
    """
    if query["dry_run"] == "true":
        return {"msg": "dry run: nothing is stored", **rollcall().registry.preview(raw)}
    return _reply(registry().register(raw))


@blueprint.route("/register", methods=["PUT"])
@blueprint.arguments(UpsertWords)
@blueprint.response(200, RegisteredReply)
def upsert(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Register an endpoint or change its registration; repeating it changes nothing.

    For endpoints that register themselves at each start. Weight and admin state stay unless named.
    """
    return _reply(registry().register(raw, upsert=True))


def _reply(done: Registered) -> dict[str, Any]:
    return {
        "msg": f"register LLM {done.worker.model_name} succeed!",
        "id": done.worker.id,
        "revision": done.revision,
        "outcome": done.outcome,
        "notes": list(done.notes),
    }
