"""The headers of a call, compiled: those that are the same in every request are made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from app.core.errors import InvalidRequest, UpstreamError
from app.core.headers import header_value
from app.core.template import ABSENT, Secrets, Template, Values


@dataclass(frozen=True, slots=True)
class CallHeaders:
    """`moving` are the registered ones where a value is filled in; None: there is none to fill in.

    `tells_id`: X-Request-Id is the request's own, because the registration does not name that header.
    """

    fixed: Mapping[str, str]
    moving: Template | None
    tells_id: bool

    def render(self, values: Values, secrets: Secrets, request_id: str | None) -> dict[str, str]:
        """`request_id` None: no caller asked for it. Raises as `rendered_headers`."""
        headers = dict(self.fixed)
        if request_id is not None and self.tells_id:
            headers["X-Request-Id"] = request_id
        if self.moving is not None:
            headers.update(rendered_headers(self.moving, values, secrets))
        return headers


def compile_headers(header: Template | None, names: frozenset[str], content_type: str | None) -> CallHeaders:
    """`names` are those of the header, in lower case; `content_type` is that of the body where they name none."""
    fixed = {} if content_type is None or "content-type" in names else {"Content-Type": content_type}
    is_fixed = header is not None and not header.placeholders and not header.secrets
    if header is not None and is_fixed:
        fixed |= rendered_headers(header, {}, _no_secret)
    return CallHeaders(fixed, None if is_fixed else header, "x-request-id" not in names)


def rendered_headers(header: Template, values: Values, secrets: Secrets) -> dict[str, str]:
    """Raises InvalidRequest or UpstreamError for a value with a line break, depending on who brought it."""
    rendered = header.render(values, secrets)
    headers = {}
    for name, value in {} if rendered is ABSENT else rendered.items():
        try:
            headers[name] = header_value(value)
        except ValueError as error:
            fault = f"The header {name} of this model's worker cannot be sent: its value holds a {error}."
            raise InvalidRequest(fault) if header.placeholders else UpstreamError(fault) from None
    return headers


def _no_secret(kind: str, name: str) -> NoReturn:
    raise LookupError(f"a header without secrets asked for {kind}:{name}")
