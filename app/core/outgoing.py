"""The request words of a registration, compiled: from a caller's request to the bytes that a worker is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.body_encoding import BodyType, encode_form, encode_json, encode_multipart
from app.core.call_headers import CallHeaders, compile_headers
from app.core.carrying import Carried, FieldBounds, carried_by, field_bounds, passed_on, taken_by
from app.core.conversation import ChatRequest, UpstreamRequest
from app.core.errors import InvalidRequest
from app.core.headers import merged
from app.core.language import LanguageError
from app.core.limits import Limits
from app.core.messages import MessagePlan
from app.core.template import ABSENT, Secrets, Template, Values, compile_tree, compile_url
from app.core.urls import ascii_url, is_template, with_query
from app.core.values import named_values
from app.core.worker import Worker

_CONTENT_TYPES: Mapping[BodyType, str] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One way to call a worker. `url` None: the worker's registered URL, which holds no placeholder.

    `taken`: the caller's fields that are not passed on as they came; None: none is passed on at all. `bounds` hold
    the numbers of those that are.
    """

    method: str
    url: Template | None
    params: Template | None
    header: Template | None
    body: Template | None
    carried: Carried
    taken: frozenset[str] | None
    headers: CallHeaders
    body_type: BodyType = "json"
    bounds: FieldBounds | None = None

    def build(
        self,
        worker: Worker,
        request: ChatRequest,
        plan: MessagePlan,
        stream: bool,
        secrets: Secrets,
        access_token: str | None = None,
    ) -> UpstreamRequest:
        """Raises InvalidRequest when the caller's values cannot be sent, and what `secrets` raises."""
        values = named_values(worker.upstream_model or worker.model_name, request, plan, stream, self.carried.names)
        values["ACCESS_TOKEN"] = access_token
        return self.rendered(worker.url, values, secrets, request)

    def rendered(self, url: str, values: Values, secrets: Secrets, request: ChatRequest | None) -> UpstreamRequest:
        """`url` where the call has none of its own; `request` None: no caller asked for it, as in a token exchange."""
        if self.url is not None:
            url = self.url.render(values, secrets)
        if self.params is not None and (params := self.params.render(values, secrets)) is not ABSENT:
            url = with_query(url, params)
        headers = self.headers.render(values, secrets, None if request is None else request.request_id)
        body = None
        if self.body is not None:
            body, boundary = self._body(self.body, request, values, secrets)
            if boundary:
                headers = merged(headers, {"Content-Type": boundary})
        return UpstreamRequest(self.method, ascii_url(url), headers, body)

    def _body(
        self, template: Template, request: ChatRequest | None, values: Values, secrets: Secrets
    ) -> tuple[bytes, str]:
        """The bytes, and the Content-Type that must go with them; empty: whichever is named."""
        body = template.render(values, secrets)
        if body is ABSENT:
            body = {}
        if self.taken is not None and request is not None:
            body = {**body, **passed_on(request.body, self.taken, self.bounds)}
        if self.body_type == "multipart":
            return encode_multipart(body)
        if self.body_type == "form":
            return encode_form(body), ""
        try:
            return encode_json(body), ""
        except (ValueError, RecursionError):
            raise InvalidRequest("The request holds a value that JSON cannot carry, or is nested too deep.") from None

    def parts(self) -> Iterator[Template]:
        yield from (part for part in (self.url, self.params, self.header, self.body) if part is not None)


def overlaid(spec: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The request words of `spec` with those of its `stream` block laid over them."""
    words = {word: over[word] if over.get(word) else spec.get(word) for word in ("req_type", "req_url_template")}
    words["header"] = merged(spec.get("header") or {}, over.get("header") or {})
    words["body_type"] = spec.get("body_type")
    for word in ("req_param", "body"):
        words[word] = _laid_over(spec.get(word), over.get(word))
    return words


def _laid_over(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: _laid_over(under.get(key), value) for key, value in over.items()}}
    return under if over is None else over


def compile_call(
    words: Mapping[str, Any], url: str, where: str, *, openai_shaped: bool, limits: Limits | None = None
) -> Call:
    """`words` are the request words; `url` is the registered one, used where they name none. Raises LanguageError."""
    method = words.get("req_type") or "POST"
    own_url = words.get("req_url_template")
    header, body = words.get("header") or {}, words.get("body") if method != "GET" else None
    target = compile_url_at(own_url or url, where + "req_url_template", limits) if own_url or is_template(url) else None
    params = compile_tree(words["req_param"], where + "req_param", limits) if words.get("req_param") else None
    head = compile_tree(dict(header), where + "header", limits) if header else None
    content = None if body is None else compile_tree(body, where + "body", limits)
    told = [part for part in (target, params, head, content) if part is not None]
    carried = carried_by(
        (name for part in told for name in part.placeholders), (path for part in told for path in part.request_paths)
    )
    taken = taken_by(carried, body if isinstance(body, dict) else ()) if openai_shaped else None
    names = frozenset(name.lower() for name in header)
    body_type: BodyType = words.get("body_type") or "json"
    headers = compile_headers(head, names, None if content is None else _CONTENT_TYPES[body_type])
    bounds = field_bounds(limits) if limits and openai_shaped else None
    return Call(method, target, params, head, content, carried, taken, headers, body_type, bounds)


def compile_url_at(url: str, where: str, limits: Limits | None = None) -> Template:
    try:
        return compile_url(url, limits)
    except LanguageError as error:
        raise error.moved(where=where) from None
