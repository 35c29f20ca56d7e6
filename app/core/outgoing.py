"""The request words of a registration, compiled: from a caller's request to the bytes that a worker is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.carrying import Carried, carried_by, passed_on, taken_by
from app.core.conversation import ChatRequest, UpstreamRequest
from app.core.errors import InvalidRequest, UpstreamError
from app.core.headers import header_value, merged
from app.core.language import LanguageError
from app.core.messages import MessagePlan
from app.core.template import ABSENT, Secrets, Template, Values, compile_tree, compile_url
from app.core.urls import ascii_url, is_template, with_query
from app.core.worker import Worker

_json = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Call:
    """One way to call a worker. `url` None: the worker's registered URL, which holds no placeholder.

    `taken`: the caller's fields that are not passed on as they came; None: none is passed on at all.
    """

    method: str
    url: Template | None
    params: Template | None
    header: Template | None
    body: Template | None
    carried: Carried
    taken: frozenset[str] | None
    header_names: frozenset[str]

    def build(
        self, worker: Worker, request: ChatRequest, plan: MessagePlan, stream: bool, secrets: Secrets
    ) -> UpstreamRequest:
        """Raises InvalidRequest when the caller's values cannot be sent, and what `secrets` raises."""
        values = self._values(worker, request, plan, stream)
        url = worker.url if self.url is None else self.url.render(values, secrets)
        if self.params is not None and (params := self.params.render(values, secrets)) is not ABSENT:
            url = with_query(url, params)
        headers = self._headers(request, values, secrets)
        body = None if self.body is None else self._body(request, values, secrets)
        return UpstreamRequest(self.method, ascii_url(url), headers, body)

    def _values(self, worker: Worker, request: ChatRequest, plan: MessagePlan, stream: bool) -> Values:
        body, names = request.body, self.carried.names
        tokens = body.get("max_completion_tokens")
        values = {
            "REQUEST": body,
            "MODEL_NAME": worker.upstream_model or worker.model_name,
            "MODEL_TEMPERATURE": body.get("temperature"),
            "TOP_P": body.get("top_p"),
            "SEED": body.get("seed"),
            "N": body.get("n"),
            "MAX_TOKENS": body.get("max_tokens") if tokens is None else tokens,
            "STREAM": stream,
            "REQUEST_ID": request.request_id,
        }
        if "MESSAGES" in names:
            values["MESSAGES"] = plan.messages(request.messages)
        if "SYSTEM_PROMPT" in names:
            values["SYSTEM_PROMPT"] = plan.system_prompt(request.messages)
        if "USER_PROMPT" in names or "INPUT" in names:
            values["USER_PROMPT"] = plan.user_prompt(request.messages)
            values["INPUT"] = body.get("input", values["USER_PROMPT"])
        return values

    def _headers(self, request: ChatRequest, values: Values, secrets: Secrets) -> Mapping[str, str]:
        headers = {}
        if self.body is not None and "content-type" not in self.header_names:
            headers["Content-Type"] = "application/json"
        if "x-request-id" not in self.header_names:
            headers["X-Request-Id"] = request.request_id
        if self.header is not None:
            headers.update(rendered_headers(self.header, values, secrets))
        return headers

    def _body(self, request: ChatRequest, values: Values, secrets: Secrets) -> bytes:
        assert self.body is not None
        body = self.body.render(values, secrets)
        if body is ABSENT:
            body = {}
        if self.taken is not None:
            body = {**body, **passed_on(request.body, self.taken)}
        try:
            return _json(body).encode("ascii")
        except (ValueError, RecursionError):
            raise InvalidRequest("The request holds a value that JSON cannot carry, or is nested too deep.") from None

    def parts(self) -> Iterator[Template]:
        yield from (part for part in (self.url, self.params, self.header, self.body) if part is not None)


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


def overlaid(spec: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The request words of `spec` with those of its `stream` block laid over them."""
    words = {word: over[word] if over.get(word) else spec.get(word) for word in ("req_type", "req_url_template")}
    words["header"] = merged(spec.get("header") or {}, over.get("header") or {})
    for word in ("req_param", "body"):
        words[word] = _laid_over(spec.get(word), over.get(word))
    return words


def _laid_over(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: _laid_over(under.get(key), value) for key, value in over.items()}}
    return under if over is None else over


def compile_call(words: Mapping[str, Any], url: str, where: str, *, openai_shaped: bool) -> Call:
    """`words` are the request words; `url` is the registered one, used where they name none. Raises LanguageError."""
    method = words.get("req_type") or "POST"
    own_url = words.get("req_url_template")
    header, body = words.get("header") or {}, words.get("body") if method != "GET" else None
    target = compile_url_at(own_url or url, where + "req_url_template") if own_url or is_template(url) else None
    params = compile_tree(words["req_param"], where + "req_param") if words.get("req_param") else None
    head = compile_tree(dict(header), where + "header") if header else None
    content = None if body is None else compile_tree(body, where + "body")
    told = [part for part in (target, params, head, content) if part is not None]
    carried = carried_by(
        (name for part in told for name in part.placeholders), (path for part in told for path in part.request_paths)
    )
    taken = taken_by(carried, body if isinstance(body, dict) else ()) if openai_shaped else None
    return Call(method, target, params, head, content, carried, taken, frozenset(name.lower() for name in header))


def compile_url_at(url: str, where: str) -> Template:
    try:
        return compile_url(url)
    except LanguageError as error:
        raise error.moved(where=where) from None
