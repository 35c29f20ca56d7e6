"""One worker, asked with its credentials: they are in what is sent, and never in what is said about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.conversation import UpstreamRequest
from app.core.dialect import Dialect
from app.core.errors import UpstreamError
from app.core.reading import WorkerFault
from app.core.retry import Failure, Kind, retry_after_s
from app.core.template import Secrets
from app.core.worker import Worker
from app.services.redaction import redacted, secrets_of
from app.services.tokens import Tokens
from app.upstream.client import Client, SendFailure, UpstreamReply, UpstreamStream

# Secrets and the access token (None: the worker needs none) → the request.
Build = Callable[[Secrets, str | None], UpstreamRequest]


class AttemptFailed(Exception):
    """`final`: whatever the failure is, no other worker may be asked, because a part of the answer is there."""

    def __init__(self, failure: Failure, *, final: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.final = final


@dataclass(slots=True)
class Contact:
    """For one request, but safe for several calls at a time.

    `deadline` is of time.monotonic(), `idle_s` the longest silence of a stream. Every call raises SendFailure,
    UpstreamError where the worker's secrets or its access token cannot be had, and what `build` raises; it is made
    again, once, where the worker does not take its access token any more.
    """

    worker: Worker
    dialect: Dialect
    deadline: float
    idle_s: float
    client: Client
    tokens: Tokens
    secrets: Secrets
    _sent: UpstreamRequest | None = None
    _used: set[str] = field(default_factory=set)

    def ask(self, build: Build) -> UpstreamReply:
        """A whole reply, whatever its status."""
        sent, token = self._built(build)
        reply = self.client.send(sent, deadline=self.deadline)
        if reply.status == 401 and token is not None:
            sent, _ = self._built(build, refused=token)
            reply = self.client.send(sent, deadline=self.deadline)
        return reply

    def send(self, build: Build) -> UpstreamReply:
        """A whole reply of HTTP 2xx. Raises AttemptFailed for others."""
        reply = self.ask(build)
        if not 200 <= reply.status < 300:
            raise AttemptFailed(self._refusal(reply))
        return reply

    def open(self, build: Build) -> UpstreamStream:
        """An open reply of HTTP 2xx. Raises AttemptFailed for others."""
        sent, token = self._built(build)
        upstream = self.client.open_stream(sent, deadline=self.deadline, idle_s=self.idle_s)
        if upstream.status == 401 and token is not None:
            upstream.close()
            sent, _ = self._built(build, refused=token)
            upstream = self.client.open_stream(sent, deadline=self.deadline, idle_s=self.idle_s)
        if not 200 <= upstream.status < 300:
            reply = UpstreamReply(upstream.status, upstream.headers, upstream.read_all())
            raise AttemptFailed(self._refusal(reply))
        return upstream

    def failure(self, error: SendFailure | WorkerFault | UpstreamError) -> Failure:
        if isinstance(error, SendFailure):
            return Failure(self.worker.id, error.kind, error.message, sent=error.sent, blameless=_is_blameless(error))
        message = self.redacted(error.message)
        if isinstance(error, UpstreamError):
            return Failure(self.worker.id, "config", message, sent=False, code=error.code, blameless=True)
        kind: Kind = "reset" if error.kind == "broken" else "fault"
        blameless = error.kind == "too_large"
        return Failure(self.worker.id, kind, message, retry_matched=error.retryable, blameless=blameless)

    def redacted(self, message: str) -> str:
        """What the worker said, without the credentials that it was sent."""
        if self._sent is None:
            return message
        return redacted(message, self._sent, {*self._used, *secrets_of(self.worker, self.secrets)})

    def _refusal(self, reply: UpstreamReply) -> Failure:
        """The failure in a reply of any status but 2xx."""
        reader = self.dialect.reader(stream=False)
        code, at_fault = map(self._harmless, reader.error_words(reply.body))
        return Failure(
            self.worker.id,
            "status",
            self.redacted(reader.error_message(reply.status, reply.body)),
            status=reply.status,
            retry_after_s=retry_after_s(reply.headers.get("retry-after"), time.time()),
            retry_matched=reader.retry_matches(reply.status, reply.body),
            code=code,
            field=at_fault,
        )

    def _harmless(self, word: str | None) -> str | None:
        """None where a credential is in it."""
        return word if word is not None and self.redacted(word) == word else None

    def _built(self, build: Build, refused: str | None = None) -> tuple[UpstreamRequest, str | None]:
        token, auth = None, self.dialect.auth
        if auth is not None:
            token = self.tokens.token(self.worker, auth, self._secret, deadline=self.deadline, refused=refused)
            self._used.add(token)
        self._sent = sent = build(self._secret, token)
        return sent, token

    def _secret(self, kind: str, name: str) -> str:
        value = self.secrets(kind, name)
        self._used.add(value)
        return value


def _is_blameless(error: SendFailure) -> bool:
    """A connection that was closed while it was idle, no time to ask, more than the caller may have."""
    return error.stale or error.kind == "too_large" or (error.kind == "timeout" and not error.sent)
