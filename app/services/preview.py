"""The dry run of a registration: what would be sent for a sample prompt. Nothing is stored, sent or revealed."""

from __future__ import annotations

import json
from typing import Any

from app.core.conversation import ChatRequest, UpstreamRequest
from app.core.dialect import build_request, dialect_of
from app.core.errors import RollcallError
from app.core.registration import Registration
from app.core.template import Secrets
from app.core.worker import Worker
from app.services.masking import MASK, masked_tree, masked_url

SAMPLE_PROMPT = "Who are you?"
_ENCODED_MASK = "%2A%2A%2A"


def preview(wanted: Registration, secrets: Secrets) -> dict[str, Any]:
    """`request`, `stream_request` where the worker can do both, and `notes`, also on secrets that are not there."""
    missing: list[str] = []

    def hidden(kind: str, name: str) -> str:
        try:
            secrets(kind, name)
        except RollcallError as error:
            missing.append(error.message)
        return MASK

    worker = unstored(wanted)
    dialect = dialect_of(worker)

    def request(stream: bool) -> dict[str, Any]:
        return _shown(build_request(worker, _sample(wanted, stream), stream=stream, secrets=hidden), wanted)

    shown = {"request": request(dialect.only_streams)}
    if dialect.streams and not dialect.only_streams:
        shown["stream_request"] = request(True)
    return {**shown, "notes": [*wanted.notes, *dict.fromkeys(missing)]}


def _shown(request: UpstreamRequest, wanted: Registration) -> dict[str, Any]:
    """Headers that Rollcall adds itself are shown; what the registration brought is masked."""
    registered = _registered_headers(json.loads(wanted.spec))
    return {
        "method": request.method,
        "url": masked_url(request.url.replace(_ENCODED_MASK, MASK)),
        "headers": {name: MASK if name.lower() in registered else value for name, value in request.headers.items()},
        "body": _shown_body(request),
    }


def _shown_body(request: UpstreamRequest) -> Any:
    """JSON as JSON; a form as the text that is sent."""
    if request.body is None:
        return None
    kind = next((value for name, value in request.headers.items() if name.lower() == "content-type"), "")
    return masked_tree(json.loads(request.body)) if "json" in kind else request.body.decode("utf-8", "replace")


def _registered_headers(spec: dict[str, Any]) -> set[str]:
    blocks = (spec.get("header"), (spec.get("stream") or {}).get("header"))
    return {name.lower() for block in blocks for name in block or {}}


def _sample(wanted: Registration, stream: bool) -> ChatRequest:
    message = {"role": "user", "content": SAMPLE_PROMPT}
    body = {"model": wanted.model_name, "messages": [message], "stream": stream}
    return ChatRequest(wanted.model_name, (message,), body, stream, "dry-run")


def unstored(wanted: Registration) -> Worker:
    """The worker that this registration would be, with the id 0."""
    return Worker(
        id=0,
        model_name=wanted.model_name,
        url=wanted.url,
        instance=wanted.instance,
        owner=wanted.owner,
        worker_type=wanted.worker_type,
        weight=1,
        upstream_model=wanted.upstream_model,
        spec=wanted.spec,
        admin="enabled",
        created_at=0.0,
        updated_at=0.0,
    )
