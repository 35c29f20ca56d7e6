"""GET /healthz: this process is alive. GET /readyz: it knows the fleet and the API keys, and the schema is the
one it was written for.

Neither asks the database: an outage that changes nothing for completions must not take the process out of rotation.
"""

from __future__ import annotations

from typing import Any

from app.api.arguments import Blueprint
from app.api.chat_schemas import SeedErrorSchema
from app.api.replies import HealthReply, ReadyReply
from app.api.runtime import rollcall

blueprint = Blueprint("rollcall-health", __name__, description="Is this process alive, is it ready?")


@blueprint.route("/healthz", methods=["GET"])
@blueprint.response(200, HealthReply)
def healthz() -> dict[str, Any]:
    """Alive."""
    return {"status": "ok"}


@blueprint.route("/readyz", methods=["GET"])
@blueprint.response(200, ReadyReply)
@blueprint.alt_response(
    503, schema=SeedErrorSchema, description="Fleet or API keys are not known yet, or about to stop."
)
def readyz() -> dict[str, Any]:
    """Ready for completions."""
    rollcall().lifetime.check()
    snapshot = rollcall().fleet.snapshot()
    rollcall().keys.known()
    return {"status": "ready", "revision": snapshot.revision, "workers": snapshot.count}
