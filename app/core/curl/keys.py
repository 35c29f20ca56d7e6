"""Where a call holds a key, and the reference to an environment variable that stands there in a registration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from app.core.curl.command import CurlCall
from app.core.preset import REFERENCE
from app.core.secret_names import names_a_secret

_CONNECTION = frozenset(("content-length", "host", "connection", "accept-encoding", "transfer-encoding", "expect"))
_OWN_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9-]{1,20}) +(?P<key>\S.*)", re.DOTALL)
_DULL_LABELS = frozenset(("api", "www", "openapi", "gateway", "com", "net", "org", "co"))
_MODEL_SEGMENT = re.compile(
    r"(?P<lead>/(?:models?|engines|deployments)/)(?P<model>[^/:]+)(?P<rest>(?::[^/]*)?(?:/[a-z-]+)?)\Z"
)


def headers(call: CurlCall, reference: str | None, left_out: Mapping[str, Any]) -> dict[str, str]:
    """The call's headers without what Rollcall sets itself, and without those of `left_out`."""
    extra = {(name.lower(), str(value).lower()) for name, value in left_out.items()}
    return {
        name: hidden_header(call, name, value, reference)
        for name, value in call.headers.items()
        if not _is_ours(name.lower(), value.lower()) and (name.lower(), value.lower()) not in extra
    }


def _is_ours(name: str, value: str) -> bool:
    return (
        name in _CONNECTION
        or (name == "content-type" and value.startswith(_OWN_TYPES))
        or (name == "accept" and value == "*/*")
    )


def hidden_header(call: CurlCall, name: str, value: str, reference: str | None) -> str:
    split = _SCHEME.match(value)
    scheme = split["scheme"] if split else ""
    if scheme.lower() == "basic":
        encoded = REFERENCE.fullmatch(split["key"]) if split else None
        basic = f"{label(call.url)}_BASIC"
        if encoded is None:
            call.notes.append(f"the environment variable {basic} must hold the base64 of user:password")
        return f"{scheme} {encoded[0] if encoded else f'${{env:{basic}}}'}"
    if REFERENCE.search(value) or not (names_a_secret(name) or name.lower() == "cookie" or scheme.lower() == "bearer"):
        return value
    return f"{scheme} {reference or own_reference(call)}".strip()


def params(call: CurlCall, reference: str | None) -> dict[str, Any]:
    return {name: hidden(call, name, value, reference) for name, value in call.params.items()}


def hidden(call: CurlCall, name: str, value: Any, reference: str | None = None) -> Any:
    """A value of a parameter or field; where its name is that of a secret, the reference."""
    if not isinstance(value, str) or not names_a_secret(name) or REFERENCE.search(value):
        return value
    return reference or own_reference(call)


def own_reference(call: CurlCall) -> str:
    return f"${{env:{label(call.url)}_API_KEY}}"


def label(url: str) -> str:
    """A name for the host: ACME of api.acme.com, MODEL of a number or of this machine."""
    host = urlsplit(url).hostname or ""
    parts = host.split(".")
    labels = [part for part in (parts[:-1] or parts) if part not in _DULL_LABELS]
    if not labels or host == "localhost" or ":" in host or re.fullmatch(r"[0-9.]+", host):
        return "MODEL"
    name = re.sub(r"[^A-Z0-9]+", "_", labels[-1].upper()).strip("_")
    return name if name[:1].isalpha() else f"MODEL_{name}"


def model_in_path(url: str) -> tuple[str, str | None]:
    """The URL with {MODEL_NAME} where a path like /models/NAME:generate holds the model's name, and that name."""
    match = _MODEL_SEGMENT.search(url)
    if match is None or (match["lead"] == "/models/" and match["rest"][:1] not in (":", "")):
        return url, None
    return f"{url[: match.start('model')]}{{MODEL_NAME}}{match['rest']}", match["model"]
