"""Web pages of configured origins may call with a key; without configuration no page of another origin may."""

from __future__ import annotations

from collections.abc import Container

from flask import Response, request
from flask.sansio.scaffold import Scaffold

_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_HEADERS = "Authorization, Content-Type, X-Api-Key, X-Request-Id, Anthropic-Version"
_SHOWN = (
    "X-Request-Id, X-Rollcall-Worker, X-Rollcall-Attempts, X-Rollcall-Notice, Retry-After, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests"
)
_KEEP_S = 600


def register_cors(scaffold: Scaffold, origins: tuple[str, ...], *, only: Container[str] | None = None) -> None:
    """Before anything else: a preflight shows no key. No cookies are ever meant, so none are allowed along."""
    if not origins:
        return

    def is_ours() -> bool:
        return only is None or request.blueprint in only

    def preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asks and is_ours() and _allowed(origins) else None

    def allow(response: Response) -> Response:
        if is_ours():
            response.headers.add("Vary", "Origin")
            if (origin := _allowed(origins)) is not None:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = _SHOWN
                if request.method == "OPTIONS":
                    response.headers["Access-Control-Allow-Methods"] = _METHODS
                    response.headers["Access-Control-Allow-Headers"] = _HEADERS
                    response.headers["Access-Control-Max-Age"] = str(_KEEP_S)
        return response

    scaffold.before_request(preflight)
    scaffold.after_request(allow)


def _allowed(origins: tuple[str, ...]) -> str | None:
    origin = request.environ.get("HTTP_ORIGIN")
    if origin is None:
        return None
    return "*" if "*" in origins else origin if origin in origins else None
