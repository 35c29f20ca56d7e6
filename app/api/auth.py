"""The door: every request shows a key whose scope opens its route, before anything else of it is looked at.

Who calls is checked from memory (services/keys.py). Without any key, on loopback, everyone may do everything.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from flask import Response, g, request
from flask.sansio.scaffold import Scaffold

from app.api.rate_limits import enter, tell
from app.api.runtime import rollcall
from app.api.scopes import OPEN, needed
from app.core.api_keys import Key, presented_in
from app.core.errors import KeyRefused, ScopeRefused
from app.services.keys import Keys
from app.services.registration import Registry

_MISSING = (
    "This server wants an API key, as Authorization: Bearer KEY or x-api-key: KEY; `manage.py key create` makes one."
)
_UNKNOWN = "This API key is not known here, or not any more; `manage.py key list` shows those that are."


def register_auth(scaffold: Scaffold, keys: Keys, *, only: Container[str] | None = None) -> None:
    """Guard every request of an application; in a foreign one `only` those to the blueprints of these names."""

    def check() -> None:
        if only is None or request.blueprint in only:
            _check(keys)

    def tell_all(response: Response) -> Response:
        if response.status_code == 401 and (only is None or request.blueprint in only):
            response.headers["WWW-Authenticate"] = "Bearer"
        tell(response)
        return response

    scaffold.before_request(check)
    scaffold.after_request(tell_all)


def calling_key() -> Key | None:
    """The key of this request; None: there is none, and none is needed."""
    key: Key | None = g.get("api_key")
    return key


def registry() -> Registry:
    """For what the caller of this request changes: a key that is bound to an owner changes that owner's workers."""
    key = calling_key()
    whole = rollcall().registry
    return whole.bound_to(key.owner) if key is not None and key.owner else whole


def check_model(model: str) -> None:
    """May the caller of this request ask this model? Raises ScopeRefused."""
    key: Key | None = g.get("api_key")
    if key is not None and not key.may_ask(model):
        raise ScopeRefused(
            f"This API key may not ask the model {model[:100]!r}; it was made for: {_listed(key.models or ())}.",
            field="model",
            code="model_not_allowed",
        )


def may_see(model: str) -> bool:
    """Is this model shown to the caller of this request?"""
    key: Key | None = g.get("api_key")
    return key is None or key.may_ask(model)


def _check(keys: Keys) -> None:
    environ = request.environ  # once: each look through Flask's proxy costs
    if environ.get("PATH_INFO") in OPEN or keys.is_open():
        return
    presented = presented_in(environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", ""))
    if not presented:
        raise KeyRefused(_MISSING)
    key = keys.check(presented)
    if key is None:
        raise KeyRefused(_UNKNOWN)
    rule = request.url_rule
    scopes = needed(environ["REQUEST_METHOD"], None if rule is None else rule.rule)
    if not key.may(scopes):
        raise ScopeRefused(
            f"This needs an API key with the scope {' or '.join(scopes)}; this one has {_listed(key.scopes)}."
        )
    g.api_key = key
    enter(keys.limits, key, environ)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)[:20]) or "none"
