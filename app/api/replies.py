"""The JSON that the management routes answer, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import get_args

from marshmallow import Schema, fields

from app.api.schemas import RegistrationWords
from app.core.worker import Status


class Done(Schema):
    success = fields.Constant(True, metadata={"type": "boolean"})
    msg = fields.String(metadata={"example": "register LLM proxyllm succeed!"})


class RequestShown(Schema):
    method = fields.String()
    url = fields.String()
    headers = fields.Dict(keys=fields.String(), values=fields.String())
    body = fields.Raw(allow_none=True)


class RegisteredReply(Done):
    id = fields.Integer()
    revision = fields.Integer(metadata={"description": "The fleet's revision that holds the change."})
    outcome = fields.String(metadata={"enum": ["created", "revived", "updated", "unchanged"]})
    notes = fields.List(fields.String(), metadata={"description": "What to know about this registration."})
    request = fields.Nested(RequestShown, metadata={"description": "Dry run: what would be sent."})
    stream_request = fields.Nested(RequestShown, metadata={"description": "Dry run: what would be sent to stream."})


class OfflineReply(Done):
    ids = fields.List(fields.Integer())
    revision = fields.Integer()


class SecondsLeft(fields.Float):
    """A field of its own, because every row has it."""

    def __init__(self) -> None:
        about = "For how long it gets no traffic (refused, ejected, backing off), as the answering process sees it."
        super().__init__(allow_none=True, metadata={"description": about})


class WorkerRow(RegistrationWords):
    """The registration with every header value and literal secret masked, what operators want and what probes saw."""

    id = fields.Integer()
    admin = fields.String(metadata={"enum": ["enabled", "draining", "offline"]})
    probe = fields.String(metadata={"enum": ["unknown", "up", "down"]})
    available = fields.Boolean(metadata={"description": "May it get traffic now?"})
    status = fields.String(metadata={"enum": [*get_args(Status)]})
    why = fields.String(metadata={"description": "Why it may not get traffic; empty when it may."})
    share = fields.Float(metadata={"description": "Its share of the model's next requests, 0 to 1."})
    seconds_left = SecondsLeft()
    last_probe_at = fields.String(allow_none=True, metadata={"format": "date-time"})
    last_ok_at = fields.String(allow_none=True, metadata={"format": "date-time"})
    last_fail_at = fields.String(allow_none=True, metadata={"format": "date-time"})
    last_error = fields.String(allow_none=True)
    created_at = fields.String(metadata={"format": "date-time"})
    updated_at = fields.String(metadata={"format": "date-time"})
    expires_at = fields.String(
        allow_none=True,
        metadata={"format": "date-time", "description": "When it ends unless it is renewed; null without ttl_s."},
    )


class WorkersReply(Schema):
    success = fields.Constant(True, metadata={"type": "boolean"})
    data = fields.List(fields.Nested(WorkerRow))
    next_cursor = fields.Integer(allow_none=True, metadata={"description": "null on the last page."})


class WorkerReply(Schema):
    success = fields.Constant(True, metadata={"type": "boolean"})
    data = fields.Nested(WorkerRow)


class RouteRow(Schema):
    id = fields.Integer()
    url = fields.String()
    instance = fields.String()
    available = fields.Boolean()
    status = fields.String(metadata={"enum": [*get_args(Status)]})
    why = fields.String()
    weight = fields.Integer()
    share = fields.Float()
    seconds_left = SecondsLeft()


class RouteReply(Schema):
    success = fields.Constant(True, metadata={"type": "boolean"})
    model_name = fields.String()
    data = fields.List(fields.Nested(RouteRow))


class HealthReply(Schema):
    status = fields.String(metadata={"example": "ok"})


class ReadyReply(HealthReply):
    revision = fields.Integer()
    workers = fields.Integer()
