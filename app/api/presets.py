"""GET /api/server/presets: registrations that ship with Rollcall, each to be used by name."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from app.api.arguments import Blueprint
from app.services.presets import presets as shipped

blueprint = Blueprint("rollcall-presets", __name__, url_prefix="/api/server", description="Ready-made registrations.")


class PresetRow(Schema):
    name = fields.String(metadata={"example": "llmserver", "description": 'What `"preset"` in a registration names.'})
    summary = fields.String()
    task = fields.String()
    source = fields.String(metadata={"description": "Where its facts were read."})
    date = fields.String(metadata={"description": "When."})
    registration = fields.Dict(metadata={"description": "What is registered, under the words that the caller gives."})
    key = fields.Dict(metadata={"description": "Headers to add where the system asks for a key."})
    generic = fields.Boolean(metadata={"description": "The dialect of many systems, not one of them."})


class PresetsReply(Schema):
    success = fields.Constant(True, metadata={"type": "boolean"})
    data = fields.List(fields.Nested(PresetRow))


@blueprint.route("/presets", methods=["GET"])
@blueprint.response(200, PresetsReply)
def presets() -> dict[str, Any]:
    """All presets: register one with `{"preset": "llmserver", "req_url_template": "http://gpu-7:8008"}`."""
    return {"data": list(shipped().values())}
