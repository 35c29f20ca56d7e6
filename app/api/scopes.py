"""Which key may call which route: one row each, and nothing else decides. A route without a row is for admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.core.api_keys import Scope

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Answered without a key, also while keys are not known: for load balancers."""

ASKING: Final[tuple[Scope, ...]] = ("infer",)
LISTING: Final[tuple[Scope, ...]] = ("infer", "read")
READING: Final[tuple[Scope, ...]] = ("read",)
STEERING: Final[tuple[Scope, ...]] = ("admin",)
ANY_KEY: Final[tuple[Scope, ...]] = ()

# Any one of the scopes will do. /v1/… stands for /api/v1/… too, GET for HEAD.
NEEDED: Final[Mapping[tuple[str, str], tuple[Scope, ...]]] = {
    ("POST", "/v1/chat/completions"): ASKING,
    ("POST", "/v1/completions"): ASKING,
    ("POST", "/v1/messages"): ASKING,
    ("POST", "/v1/embeddings"): ASKING,
    ("POST", "/v1/images/generations"): ASKING,
    ("GET", "/v1/images/generations/<job_id>"): ASKING,
    ("GET", "/v1/media/<media_id>"): ASKING,
    ("POST", "/v1/videos"): ASKING,
    ("GET", "/v1/videos"): ASKING,
    ("GET", "/v1/videos/<video_id>"): ASKING,
    ("DELETE", "/v1/videos/<video_id>"): ASKING,
    ("GET", "/v1/videos/<video_id>/content"): ASKING,
    ("GET", "/v1/models"): LISTING,
    ("GET", "/v1/models/<path:name>"): LISTING,
    ("GET", "/api/server/presets"): READING,
    ("GET", "/api/server/route"): READING,
    ("GET", "/api/server/workers"): READING,
    ("GET", "/api/server/workers/<int:worker_id>"): READING,
    ("POST", "/api/server/register"): STEERING,
    ("PUT", "/api/server/register"): STEERING,
    ("POST", "/api/server/offline"): STEERING,
    ("PATCH", "/api/server/workers/<int:worker_id>"): STEERING,
    ("DELETE", "/api/server/workers/<int:worker_id>"): STEERING,
    ("POST", "/api/server/workers/<int:worker_id>/expire"): STEERING,
    ("GET", "/docs"): ANY_KEY,
    ("GET", "/openapi.json"): ANY_KEY,
}


def needed(method: str, rule: str | None) -> tuple[Scope, ...]:
    """The scopes that open a route; `rule` None: there is no such route, which is told to any key."""
    if rule is None or method == "OPTIONS":
        return ANY_KEY
    return NEEDED.get(("GET" if method == "HEAD" else method, _short(rule)), STEERING)


def _short(rule: str) -> str:
    return rule.removeprefix("/api") if rule.startswith("/api/v1/") else rule
