"""POST /api/server/offline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.arguments import Blueprint
from app.api.auth import registry
from app.api.chat_schemas import SeedErrorSchema
from app.api.replies import OfflineReply
from app.api.schemas import OfflineWords
from app.services.masking import masked_url

blueprint = Blueprint("rollcall-offline", __name__, url_prefix="/api/server", description="Taking endpoints out.")


@blueprint.route("/offline", methods=["POST"])
@blueprint.arguments(OfflineWords)
@blueprint.response(200, OfflineReply)
@blueprint.alt_response(404, schema=SeedErrorSchema, description="No such worker.")
def offline(words: Mapping[str, Any]) -> dict[str, Any]:
    """Take workers out of selection, by `id` or by `model_name` and `req_url_template`. Their history stays."""
    done = registry().offline(**words)
    first = done.workers[0]
    verb = "drain" if words["drain"] else "remove"
    return {
        "msg": f"{verb} llm worker(model_name={first.model_name}, url={masked_url(first.url)}) succeed!",
        "ids": [worker.id for worker in done.workers],
        "revision": done.revision,
    }
