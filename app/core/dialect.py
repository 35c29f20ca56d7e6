"""A worker's dialect: its registration compiled. How it is asked, how its answers are read, how it is probed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.core.answer import condition_of
from app.core.auth import AuthPlan
from app.core.carrying import Carried
from app.core.conversation import ChatRequest, Task, UpstreamRequest
from app.core.extract import Condition
from app.core.frames import OPENAI_DELTA
from app.core.job import JobPlan
from app.core.messages import MessagePlan, compile_messages
from app.core.outgoing import Call, compile_call, compile_url_at, overlaid, rendered_headers
from app.core.reading import Reader, compile_reader
from app.core.template import Secrets, Template, compile_tree
from app.core.urls import ascii_url, is_template
from app.core.worker import Worker

_OPENAI_ANSWER = "choices[].message.content"


@dataclass(frozen=True, slots=True)
class HealthSpec:
    """The `health` block. Seconds; None: as the settings say. `header` is the registration's where it names none."""

    req_url_template: Template | None
    req_type: str
    header: Template | None
    expect: Condition | None
    interval_s: float | None
    timeout_s: float | None
    fall: int | None
    rise: int | None
    tcp: bool


@dataclass(frozen=True, slots=True)
class Dialect:
    """Shared by all workers of one spec; immutable.

    `makes_n`: one call gives as many answers as {N} says. `concurrency`: how many calls each host may have open.
    `output_as`: text, url, b64, binary, json or path.
    `streams`: it can stream; `only_streams`: it always does. `timeout_s`: the whole request, seconds.
    `retry`: failures after which another worker may be asked although the request was sent.
    """

    streams: bool
    only_streams: bool
    openai_shaped: bool
    timeout_s: float | None
    retry: frozenset[str]
    health: HealthSpec | None
    plan: MessagePlan
    plain: Call
    streamed: Call
    _plain_reader: Reader
    _stream_reader: Reader
    task: Task = "text"
    makes_n: bool = False
    concurrency: int | None = None
    job: JobPlan | None = None
    auth: AuthPlan | None = None
    output_as: str = "text"

    @property
    def carries_conversation(self) -> bool:
        return self.plain.carried.conversation

    def call(self, stream: bool) -> Call:
        return self.streamed if stream and self.streams else self.plain

    def reader(self, stream: bool, request: ChatRequest | None = None) -> Reader:
        """The reader of what `build_request(…, stream=stream)` asks for; `request` where the worker may echo it."""
        return self._stream_reader if stream and self.streams else self._plain_reader

    def unsupported(self, request: ChatRequest) -> str | None:
        """The field of the request that this worker cannot carry; None: it carries all that matters."""
        return None if self.openai_shaped else self._carried(request).unsupported(request)

    def notices(self, request: ChatRequest) -> tuple[str, ...]:
        """What the worker is not told, in words for the caller."""
        if self.openai_shaped:
            return ()
        return self._carried(request).notices(request, system_leads=self.plan.system == "first_user")

    def _carried(self, request: ChatRequest) -> Carried:
        return self.call(request.stream or self.only_streams).carried

    def parts(self) -> Iterator[Template]:
        """Every template of a request, for the checks at registration."""
        yield from self.plain.parts()
        yield from self.streamed.parts()


def compile_dialect(spec: str, url: str = "") -> Dialect:
    """`spec` is a worker's `spec`, `url` its URL where that holds placeholders. Raises LanguageError."""
    return _compiled(spec, url)


@lru_cache(maxsize=4096)
def _compiled(spec: str, url: str) -> Dialect:
    return compile_words(json.loads(spec), url)


def dialect_of(worker: Worker) -> Dialect:
    """The dialect that also knows the placeholders of the worker's URL."""
    return compile_dialect(worker.spec, worker.url if is_template(worker.url) else "")


def compile_words(words: Mapping[str, Any], url: str) -> Dialect:
    """Raises LanguageError, whose `where` names the word."""
    block, always = words.get("stream"), bool(words.get("is_stream"))
    shaped = _is_openai_shaped(words)
    plain = compile_call(words, url, "", openai_shaped=shaped)
    streamed = plain
    if block is not None:
        if block.get("body") is not None:
            compile_tree(block["body"], "stream.body")  # alone first, so that a fault names its place
        streamed = compile_call(overlaid(words, block), url, "stream.", openai_shaped=shaped)
    plan = compile_messages(words.get("messages"), verbatim=shaped)
    return Dialect(
        streams=always or block is not None,
        only_streams=always,
        openai_shaped=shaped,
        timeout_s=words.get("timeout_s"),
        retry=frozenset(words.get("retry") or ()),
        health=_health(words.get("health"), plain.header),
        plan=plan,
        plain=streamed if always else plain,
        streamed=streamed,
        _plain_reader=compile_reader(words, stream=always, openai_shaped=shaped),
        _stream_reader=compile_reader(words, stream=always or block is not None, openai_shaped=shaped),
    )


def _is_openai_shaped(words: Mapping[str, Any]) -> bool:
    body, block, messages = words.get("body"), words.get("stream"), words.get("messages") or {}
    if not isinstance(body, dict) or body.get("messages") != "{MESSAGES}" or messages.get("item") is not None:
        return False
    if _first(words.get("response_extract")) != _OPENAI_ANSWER:
        return False
    if block is None:
        return not words.get("is_stream")
    return _first(block.get("delta_extract")) in ("", OPENAI_DELTA)


def _first(path: str | None) -> str:
    return (path or "").strip().replace("[0]", "[]")


def _health(block: Mapping[str, Any] | None, header: Template | None) -> HealthSpec | None:
    if block is None:
        return None
    url, own = block.get("req_url_template"), block.get("header")
    return HealthSpec(
        req_url_template=compile_url_at(url, "health.req_url_template") if url else None,
        req_type=block.get("req_type") or "GET",
        header=header if own is None else compile_tree(own, "health.header") if own else None,
        expect=condition_of(block.get("expect"), "health.expect"),
        interval_s=block.get("interval_s"),
        timeout_s=block.get("timeout_s"),
        fall=block.get("fall"),
        rise=block.get("rise"),
        tcp=bool(block.get("tcp")),
    )


def build_request(
    worker: Worker, request: ChatRequest, *, stream: bool, secrets: Secrets, access_token: str | None = None
) -> UpstreamRequest:
    """What is sent to the worker for this request; `stream`: a stream is asked of it, if it can.

    Raises InvalidRequest when the caller's values cannot be sent, and what `secrets` raises.
    """
    dialect = dialect_of(worker)
    streams = dialect.only_streams or (stream and dialect.streams)
    return dialect.call(streams).build(worker, request, dialect.plan, streams, secrets)


def probe_request(worker: Worker, secrets: Secrets, access_token: str | None = None) -> UpstreamRequest | None:
    """The registered health check; None: none is registered, or it only connects. Raises what `secrets` raises."""
    health = dialect_of(worker).health
    if health is None or health.req_url_template is None or health.tcp:
        return None
    values = {"MODEL_NAME": worker.upstream_model or worker.model_name}
    url = ascii_url(health.req_url_template.render(values, secrets))
    headers = {} if health.header is None else rendered_headers(health.header, values, secrets)
    return UpstreamRequest(health.req_type, url, headers, None)
