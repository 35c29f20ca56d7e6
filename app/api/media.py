"""GET /v1/media/ID: copied and decoded images and videos. Who knows an id may read the file; nobody guesses one."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from app.api.media_file import send_media
from app.api.runtime import rollcall
from app.core.errors import NotFound
from app.services.handing_out import Address

blueprint = Blueprint("rollcall-media", __name__)


@blueprint.get("/v1/media/<media_id>")
@blueprint.get("/api/v1/media/<media_id>")
def fetch_media(media_id: str) -> Response:
    g.surface = "openai"
    file = rollcall().media.find(media_id)
    if file is None:
        days = rollcall().settings.media_keep_s / 86_400
        raise NotFound(f"There is no such file, or not any more: files are kept for {days:g} days.", field="id")
    return send_media(file)


def link(address: Address) -> str:
    """A URL for the caller of this request: of a file of ours, behind the very host that the caller asked."""
    return request.root_url.rstrip("/") + address.text if address.ours else address.text
