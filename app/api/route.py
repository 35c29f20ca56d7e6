"""GET /api/server/route: who would get the next request for a model, and why the others would not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.arguments import Blueprint
from app.api.chat_schemas import SeedErrorSchema
from app.api.replies import RouteReply
from app.api.runtime import rollcall
from app.api.schemas import RouteQuery

blueprint = Blueprint("rollcall-route", __name__, url_prefix="/api/server", description="The route, explained.")


@blueprint.route("/route", methods=["GET"])
@blueprint.arguments(RouteQuery, location="query")
@blueprint.response(200, RouteReply)
@blueprint.alt_response(404, schema=SeedErrorSchema, description="No worker is registered for this model.")
def route(query: Mapping[str, Any]) -> dict[str, Any]:
    """For each worker of a model, as this process sees it now: may it get traffic, why not, and its share."""
    return {"model_name": query["model_name"], "data": rollcall().registry.route(query["model_name"])}
