"""A worker's dialect: its registration compiled. How it is asked, how its answers are read, how it is probed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.core.auth import AuthPlan, compile_auth
from app.core.call_headers import rendered_headers
from app.core.carrying import Carried
from app.core.conversation import ChatRequest, Task, UpstreamRequest
from app.core.echo import echoes_in
from app.core.health_words import HealthSpec, compile_health
from app.core.job import JobPlan, compile_job
from app.core.job_reading import compile_job_reading
from app.core.limits import CONCURRENCY, Limits, compile_limits
from app.core.messages import MessagePlan, compile_messages
from app.core.openai_shape import is_openai_shaped
from app.core.outgoing import Call, compile_call, overlaid
from app.core.output import Output, compile_output
from app.core.reading import Reader, compile_reader
from app.core.template import Secrets, Template, compile_tree
from app.core.urls import ascii_url, is_template
from app.core.values import named_values
from app.core.worker import Worker

__all__ = ["Dialect", "HealthSpec", "build_request", "compile_dialect", "compile_words", "dialect_of", "probe_request"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Shared by all workers of one spec; immutable.

    `streams`: it can stream; `only_streams`: it always does. `timeout_s`: the whole request, seconds.
    `retry`: failures after which another worker may be asked although the request was sent.
    `makes_n`: one call gives as many answers as {N} says. `concurrency`: how many calls each host may have open.
    """

    task: Task
    streams: bool
    only_streams: bool
    openai_shaped: bool
    timeout_s: float | None
    retry: frozenset[str]
    health: HealthSpec | None
    makes_n: bool
    concurrency: int | None
    job: JobPlan | None
    auth: AuthPlan | None
    output: Output
    plan: MessagePlan
    plain: Call
    streamed: Call
    _plain_reader: Reader
    _stream_reader: Reader

    @property
    def output_as(self) -> str:
        """text, url, b64, binary, json or path."""
        return self.output.kind

    @property
    def carries_conversation(self) -> bool:
        return self.plain.carried.conversation

    def call(self, stream: bool) -> Call:
        return self.streamed if stream and self.streams else self.plain

    def request(
        self, worker: Worker, request: ChatRequest, *, stream: bool, secrets: Secrets, access_token: str | None = None
    ) -> UpstreamRequest:
        """See `build_request`. `worker` is one of this dialect."""
        streams = self.only_streams or (stream and self.streams)
        return self.call(streams).build(worker, request, self.plan, streams, secrets, access_token)

    def reader(self, stream: bool, request: ChatRequest | None = None) -> Reader:
        """The reader of what `build_request(…, stream=stream)` asks for; `request` where the worker may echo it."""
        reader = self._stream_reader if stream and self.streams else self._plain_reader
        if request is None or not self.output.strips:
            return reader
        return reader.hearing(self._echoes(request, stream))

    def _echoes(self, request: ChatRequest, stream: bool) -> tuple[str, ...]:
        call = self.call(stream)
        values = named_values(request.model, request, self.plan, stream, call.carried.names)
        sent = (part.render(values, _no_secret) for part in (call.params, call.body) if part is not None)
        return echoes_in(sent, self.plan.user_prompt(request.messages))

    def unsupported(self, request: ChatRequest) -> str | None:
        """The field of the request that this worker cannot carry; None: it carries all that matters."""
        return None if self.openai_shaped else self._carried(request).unsupported(request)

    def notices(self, request: ChatRequest) -> tuple[str, ...]:
        """What the worker is not told, in words for the caller."""
        if self.openai_shaped:
            return ()
        return self._carried(request).notices(request, system_leads=self.plan.leads)

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
    return _compiled(worker.spec, worker.url if is_template(worker.url) else "")


def compile_words(words: Mapping[str, Any], url: str) -> Dialect:
    """Raises LanguageError, whose `where` names the word."""
    task: Task = words.get("task") or "text"
    block, job_block, always = words.get("stream"), words.get("job"), bool(words.get("is_stream"))
    limits = compile_limits(words.get("limits"))
    shaped = is_openai_shaped(words, task)
    plain = compile_call(words, url, "", openai_shaped=shaped, limits=limits)
    streamed = plain if block is None or job_block else _streamed(words, url, block, limits, shaped)
    output = compile_output(words.get("output"), task)
    plan = compile_messages(words.get("messages"), verbatim=shaped)
    reads = bool(always or block is not None) and not job_block
    reader = compile_reader(words, stream=always and reads, openai_shaped=shaped, output=output)
    job = _job(words, output, reader, plan, limits)
    return Dialect(
        task=task,
        streams=reads or (job is not None and job.streams),
        only_streams=always and reads,
        openai_shaped=shaped,
        timeout_s=words.get("timeout_s"),
        retry=frozenset(words.get("retry") or ()),
        health=compile_health(words.get("health"), plain.header),
        makes_n="N" in plain.carried.names and not _makes_one(limits),
        concurrency=(words.get("limits") or {}).get(CONCURRENCY),
        job=job,
        auth=compile_auth(words.get("auth")),
        output=output,
        plan=plan,
        plain=streamed if always else plain,
        streamed=streamed,
        _plain_reader=reader,
        _stream_reader=compile_reader(words, stream=reads, openai_shaped=shaped, output=output),
    )


def _streamed(words: Mapping[str, Any], url: str, block: Mapping[str, Any], limits: Limits, shaped: bool) -> Call:
    if block.get("body") is not None:
        compile_tree(block["body"], "stream.body")  # alone first, so that a fault names its place
    return compile_call(overlaid(words, block), url, "stream.", openai_shaped=shaped, limits=limits)


def _job(words: Mapping[str, Any], output: Output, reader: Reader, plan: MessagePlan, limits: Limits) -> JobPlan | None:
    if words.get("job") is None:
        return None
    return compile_job(words, compile_job_reading(words, output, reader, limits), plan, limits)


def _makes_one(limits: Limits) -> bool:
    bounds = limits.get("N")
    return bounds is not None and bounds.high is not None and bounds.high <= 1


def build_request(
    worker: Worker, request: ChatRequest, *, stream: bool, secrets: Secrets, access_token: str | None = None
) -> UpstreamRequest:
    """What is sent to the worker for this request; `stream`: a stream is asked of it, if it can.

    `access_token` is that of the `auth` exchange. Raises InvalidRequest when the caller's values cannot be sent, and
    what `secrets` raises.
    """
    dialect = dialect_of(worker)
    return dialect.request(worker, request, stream=stream, secrets=secrets, access_token=access_token)


def probe_request(worker: Worker, secrets: Secrets, access_token: str | None = None) -> UpstreamRequest | None:
    """The registered health check; None: none is registered, it only connects, or it needs a token and has none.

    Raises what `secrets` raises.
    """
    health = dialect_of(worker).health
    if health is None or health.req_url_template is None or health.tcp:
        return None
    if access_token is None and health.needs_token:
        return None
    values = {"MODEL_NAME": worker.upstream_model or worker.model_name, "ACCESS_TOKEN": access_token}
    url = ascii_url(health.req_url_template.render(values, secrets))
    headers = {} if health.header is None else rendered_headers(health.header, values, secrets)
    return UpstreamRequest(health.req_type, url, headers, None)


def _no_secret(kind: str, name: str) -> str:
    return ""  # a text that holds one is never what a worker echoes
