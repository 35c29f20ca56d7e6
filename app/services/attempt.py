"""One try on one worker: ask it, and tell an answer from a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.core.conversation import ChatRequest, Event, Reply, UpstreamRequest
from app.core.dialect import Dialect, build_request
from app.core.errors import UpstreamError
from app.core.gather import as_events, gather
from app.core.reading import WorkerFault
from app.core.retry import Failure, Kind, retry_after_s, verdict
from app.core.template import Secrets
from app.core.worker import Worker
from app.services.redaction import redacted
from app.upstream.client import Client, SendFailure, UpstreamReply, UpstreamStream


class AttemptFailed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """The events of an answer, and what ends it early. `close` may be called at any time, more than once."""

    events: Iterator[Event]
    close: Callable[[], None]


def _nothing() -> None:
    """What there is to close of an answer that came whole."""


@dataclass(slots=True)
class Attempt:
    """`number` counts from 1. `deadline` is of time.monotonic(), `idle_s` the longest silence of a stream.

    Raises AttemptFailed, and InvalidRequest where the caller's values cannot be sent.
    """

    worker: Worker
    dialect: Dialect
    request: ChatRequest
    number: int
    deadline: float
    idle_s: float
    client: Client
    secrets: Secrets
    _sent: UpstreamRequest | None = None
    _used: list[str] = field(default_factory=list)

    def reply(self) -> Reply:
        try:
            return self._gathered() if self.dialect.only_streams else self._whole()
        except (SendFailure, WorkerFault, UpstreamError) as error:
            raise AttemptFailed(self._failure(error)) from error

    def stream(self) -> OpenAnswer:
        """Returns once the first event came; the events raise UpstreamError for what breaks after it."""
        if not self.dialect.streams:
            return OpenAnswer(iter(as_events(self.reply())), _nothing)
        try:
            upstream = self._open()
            events = self._events(upstream)
            try:
                first = next(events, None)
            except BaseException:
                upstream.close()
                raise
        except (SendFailure, WorkerFault, UpstreamError) as error:
            raise AttemptFailed(self._failure(error)) from error
        return OpenAnswer(self._from(first, events, upstream), upstream.close)

    def _whole(self) -> Reply:
        reply = self.client.send(self._build(stream=False), deadline=self.deadline)
        if not 200 <= reply.status < 300:
            raise AttemptFailed(self._refusal(reply))
        reader = self.dialect.reader(stream=False)
        return reader.reply(reply.status, reply.body, reply.headers.get("content-type", ""))

    def _gathered(self) -> Reply:
        upstream = self._open()
        try:
            reply = gather(self._events(upstream, gathering=True))
            upstream.finish()
            return reply
        finally:
            upstream.close()

    def _open(self) -> UpstreamStream:
        sent = self._build(stream=True)
        upstream = self.client.open_stream(sent, deadline=self.deadline, idle_s=self.idle_s)
        if not 200 <= upstream.status < 300:
            reply = UpstreamReply(upstream.status, upstream.headers, upstream.read_all())
            raise AttemptFailed(self._refusal(reply))
        return upstream

    def _events(self, upstream: UpstreamStream, *, gathering: bool = False) -> Iterator[Event]:
        """What is kept until its end is capped; a stream of events passes through and may be as long as it likes."""
        content_type = upstream.headers.get("content-type", "")
        capped = gathering or "event-stream" not in content_type.lower()
        return self.dialect.reader(stream=True).events(upstream.chunks(capped=capped), content_type)

    def _from(self, first: Event | None, events: Iterator[Event], upstream: UpstreamStream) -> Iterator[Event]:
        try:
            if first is not None:
                yield first
            yield from events
            upstream.finish()
        except (SendFailure, WorkerFault) as error:
            broken = verdict([self._failure(error)])
            broken.attempts = self.number
            raise broken from None
        finally:
            upstream.close()

    def _build(self, *, stream: bool) -> UpstreamRequest:
        self._sent = build_request(self.worker, self.request, stream=stream, secrets=self._secret)
        return self._sent

    def _secret(self, kind: str, name: str) -> str:
        value = self.secrets(kind, name)
        self._used.append(value)
        return value

    def _refusal(self, reply: UpstreamReply) -> Failure:
        """The failure in a reply of any status but 2xx."""
        reader = self.dialect.reader(stream=False)
        return Failure(
            self.worker.id,
            "status",
            self._redacted(reader.error_message(reply.status, reply.body)),
            status=reply.status,
            retry_after_s=retry_after_s(reply.headers.get("retry-after"), time.time()),
            retry_matched=reader.retry_matches(reply.status, reply.body),
        )

    def _failure(self, error: SendFailure | WorkerFault | UpstreamError) -> Failure:
        if isinstance(error, SendFailure):
            return Failure(self.worker.id, error.kind, error.message, sent=error.sent)
        message = self._redacted(error.message)
        if isinstance(error, UpstreamError):
            return Failure(self.worker.id, "config", message, sent=False, code=error.code)
        kind: Kind = "reset" if error.kind == "broken" else "fault"
        return Failure(self.worker.id, kind, message, retry_matched=error.retryable)

    def _redacted(self, message: str) -> str:
        return message if self._sent is None else redacted(message, self._sent, self._used)
