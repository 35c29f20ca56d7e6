"""Access tokens of workers with an `auth` block: fetched once for all who need one, kept in memory until they end."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from hashlib import blake2b

from app.core.auth import AuthPlan
from app.core.caller import serving
from app.core.conversation import UpstreamRequest
from app.core.errors import UpstreamError
from app.core.extract import first_error_text
from app.core.fault import WorkerFault, one_line
from app.core.template import Secrets
from app.core.worker import Worker
from app.services.redaction import redacted
from app.upstream.client import Client, SendFailure, UpstreamReply

# A token may end while a request that carries it is under way.
MARGIN_S = 60.0
EXCHANGE_S = 30.0


@dataclass(slots=True, eq=False)
class _Exchange:
    """Under way until `over` is set; then `token` or `failure` tells what came of it. `used`: the secrets in it."""

    request: UpstreamRequest
    used: list[str] = field(repr=False)
    over: threading.Event = field(default_factory=threading.Event)
    token: str = field(default="", repr=False)
    failure: str = "it was broken off"


@dataclass(frozen=True, slots=True)
class _Known:
    token: str = field(repr=False)
    until: float


class Tokens:
    """Thread-safe. Workers whose exchange is the same to the letter share its token."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[bytes, _Known] = {}
        self._running: dict[bytes, _Exchange] = {}

    def token(
        self, worker: Worker, plan: AuthPlan, secrets: Secrets, *, deadline: float, refused: str | None = None
    ) -> str:
        """What {ACCESS_TOKEN} gives. `refused`: a token that the worker did not take, so it gets another.

        `deadline` is a time of time.monotonic(). Raises UpstreamError `upstream_auth_error`, and what `secrets` raises.
        """
        exchange = _prepared(worker, plan, secrets)
        key = _key(exchange.request)
        with self._lock:
            known = self._known.get(key)
            if known and known.token != refused and time.monotonic() < known.until:
                return known.token
            running = self._running.setdefault(key, exchange)
        if running is exchange:
            self._run(exchange, key, plan, min(deadline, time.monotonic() + EXCHANGE_S))
        elif not running.over.wait(max(deadline - time.monotonic(), 0)):
            raise _failed("it took too long")
        if running.failure:
            raise _failed(running.failure)
        return running.token

    def _run(self, exchange: _Exchange, key: bytes, plan: AuthPlan, deadline: float) -> None:
        began = time.monotonic()
        known: _Known | None = None
        try:
            with serving(None):  # others wait for it, too: nobody ends it by leaving
                reply = self._client.send(exchange.request, deadline=deadline)
            exchange.token, lifetime_s = _read(plan, reply)
            exchange.failure = ""
            known = _Known(exchange.token, began + lifetime_s - MARGIN_S)
        except (SendFailure, WorkerFault) as error:
            exchange.failure = redacted(error.message, exchange.request, exchange.used)
        finally:
            self._settle(key, known)
            exchange.over.set()

    def _settle(self, key: bytes, known: _Known | None) -> None:
        with self._lock:
            del self._running[key]
            now = time.monotonic()
            self._known = {each: known for each, known in self._known.items() if known.until > now and each != key}
            if known is not None:
                self._known[key] = known


def _prepared(worker: Worker, plan: AuthPlan, secrets: Secrets) -> _Exchange:
    used: list[str] = []

    def noted(kind: str, name: str) -> str:
        used.append(secrets(kind, name))
        return used[-1]

    return _Exchange(plan.request(worker, noted), used)


def _read(plan: AuthPlan, reply: UpstreamReply) -> tuple[str, float]:
    if 200 <= reply.status < 300:
        return plan.token(reply.status, reply.body)
    raw = reply.body.decode("utf-8", "replace")
    try:
        said = first_error_text(json.loads(raw), raw)
    except (ValueError, RecursionError):
        said = first_error_text(None, raw)
    raise WorkerFault(one_line(f"HTTP {reply.status} {said}"), "error")


def _failed(clause: str) -> UpstreamError:
    message = f"The worker's access token could not be fetched: {clause.removeprefix('The worker ')}"
    return UpstreamError(message, code="upstream_auth_error")


def _key(request: UpstreamRequest) -> bytes:
    """Without a secret in it, though made of them: what differs in any part is another exchange."""
    head = [request.method, request.url, *(f"{name}: {value}" for name, value in sorted(request.headers.items()))]
    return blake2b("\n".join(head).encode() + b"\n\n" + (request.body or b""), digest_size=16).digest()
