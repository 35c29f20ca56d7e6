"""The edge: what every request must pass before a view sees it, and the request id that every reply carries."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from flask import Response, current_app, g, request
from flask.sansio.scaffold import Scaffold

from app.core.caller import Caller, Watch, arrived
from app.core.errors import BodyTooLarge, HostRefused, InvalidJson, OriginRefused, WrongMediaType
from app.core.json_input import parse_json
from app.settings import Settings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
JSON = "application/json"
FORM = "multipart/form-data"
WRITES = ("POST", "PUT", "PATCH", "DELETE")
OPEN_TO_EVERY_HOST = ("/healthz", "/readyz")
DRAIN_BYTES = 16_000_000
_CUT_SHORT = "The body could not be read to its end."
_with_forms: set[Callable[..., Any]] = set()

View = TypeVar("View", bound=Callable[..., Any])


def takes_forms(view: View) -> View:
    """Lets the bodies of this view be multipart/form-data as well."""
    _with_forms.add(view)
    return view


def register_edge(scaffold: Scaffold, settings: Settings, watch: Watch, *, only: Container[str] | None = None) -> None:
    """Guard every request of an application; in a foreign one `only` those to the blueprints of these names.

    `watch` is told who asks, where the server (gunicorn) shows the caller's connection.
    """
    guard = _Guard(settings, watch)

    def check() -> None:
        if only is None or request.blueprint in only:
            guard.check()

    def stamp(response: Response) -> Response:
        if only is None or request.blueprint in only:
            response.headers["X-Request-Id"] = request_id()
        return response

    scaffold.before_request(check)
    scaffold.after_request(stamp)


def request_id() -> str:
    """The caller's X-Request-Id where it is one, else an id of our own; the same for the whole request."""
    known: str | None = g.get("request_id")
    if known is None:
        sent = request.environ.get("HTTP_X_REQUEST_ID", "")
        known = g.request_id = sent if REQUEST_ID.fullmatch(sent) else os.urandom(16).hex()
    return known


def read_json() -> Any:
    """The request's body. Raises BodyTooLarge, InvalidJson, or InvalidRequest naming the field with impossible text."""
    return parse_json(read_body())


def read_body() -> bytes:
    """Whatever was sent, whole. Raises BodyTooLarge, and InvalidJson where it breaks off."""
    try:
        raw = request.get_data()
    except Exception:  # each server raises its own for a broken chunk or a client that left
        raise InvalidJson(_CUT_SHORT) from None
    if len(raw) == request.max_content_length:
        _drain()
        raise _too_large(len(raw) - 1)
    if len(raw) < (request.content_length or 0):
        raise InvalidJson(_CUT_SHORT)
    return raw


class _Guard:
    def __init__(self, settings: Settings, watch: Watch) -> None:
        self._watch = watch
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._any_host = "*" in self._hosts
        self._max_body_bytes = settings.max_body_bytes

    def check(self) -> None:
        environ = request.environ  # once: each look through Flask's proxy costs
        connection = environ.get("gunicorn.socket")
        arrived(None if connection is None else Caller(connection, request_id(), self._watch))
        if not self._any_host and environ.get("PATH_INFO") not in OPEN_TO_EVERY_HOST:
            self._check_host(environ.get("HTTP_HOST", ""))
        if environ["REQUEST_METHOD"] in WRITES and request.routing_exception is None:
            self._check_body(environ)

    def _check_host(self, host: str) -> None:
        name, colon, port = host.rpartition(":")
        name = (name if colon and port.isdigit() else host).lower()
        if name not in self._hosts and name.strip("[]") not in self._hosts:
            raise HostRefused(
                f"This server does not answer to the Host {host[:100]!r}; add it to ROLLCALL_ALLOWED_HOSTS to allow it."
            )

    def _check_body(self, environ: Mapping[str, Any]) -> None:
        # one more than the cap: Werkzeug cuts a chunked body off there, and says nothing
        request.max_content_length = self._max_body_bytes + 1
        length = request.content_length
        if length is not None and length > self._max_body_bytes:
            _drain(length)
            raise _too_large(self._max_body_bytes)
        bare = not length and "HTTP_TRANSFER_ENCODING" not in environ
        if not (bare and environ["REQUEST_METHOD"] == "DELETE"):
            _check_media_type(environ)


def _check_media_type(environ: Mapping[str, Any]) -> None:
    """Also of writes without a body, so that no web page can send any without a preflight."""
    if environ.get("CONTENT_TYPE") != JSON and request.mimetype != JSON:
        _check_form(environ)
    coding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if coding != "identity":
        raise WrongMediaType(f"The body must not be compressed (Content-Encoding: {coding[:100]}).")


def _check_form(environ: Mapping[str, Any]) -> None:
    """A form is what web pages of strangers may send here; their browsers say whose page it is."""
    taken = current_app.view_functions.get(request.endpoint or "") in _with_forms
    if not taken or request.mimetype != FORM:
        sent = f"not {request.mimetype[:100]}" if request.mimetype else "and names none"
        wanted = f"{JSON} or {FORM}" if taken else JSON
        raise WrongMediaType(f"The request needs the header Content-Type: {wanted}, {sent}.")
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.partition("://")[2] != environ.get("HTTP_HOST"):
        raise OriginRefused("A web page of another origin sent this form; forms are taken from programs only.")


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit} bytes (ROLLCALL_MAX_BODY_BYTES).")


def _drain(length: int = DRAIN_BYTES) -> None:
    """Reads on for a while: a client that is still sending sees a reset instead of our answer."""
    left = length if length <= DRAIN_BYTES else 0
    with suppress(Exception):  # our answer stands, whatever the server makes of the rest
        while left > 0 and (piece := request.environ["wsgi.input"].read(min(left, 65_536))):
            left -= len(piece)
