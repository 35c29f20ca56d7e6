"""One probe of one worker: a cheap request, or a TCP connect. Never a prompt."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import parse_url

from app.core.conversation import UpstreamRequest
from app.core.dialect import HealthSpec, compile_dialect, probe_request
from app.core.worker import Worker
from app.upstream.client import NEVER, Client, SendFailure, user_agent
from app.upstream.failure import connect_failure, reply_failure
from app.upstream.pools import OriginPool, Pools, split_origin
from app.upstream.reply import UpstreamStream

BODY_CAP = 1_000_000


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`ok` None: it says nothing either way. `error` is a short clause where `ok` is False, or why it says nothing."""

    ok: bool | None
    error: str | None = None


UP = ProbeResult(True)


class _OurPools(HTTPAdapter):
    """requests over our connections: their refusals are told apart, and certificates are checked by our rules."""

    def __init__(self, pools: Pools) -> None:
        super().__init__(max_retries=NEVER)
        self._pools = pools

    def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> OriginPool:
        return self._pools.find(request.url)[0]

    def cert_verify(self, *_: Any, **__: Any) -> None:
        return


class Prober:
    """Thread-safe. Each probe has a connection of its own: it asks what a new request would meet."""

    def __init__(self, client: Client) -> None:
        self._timeout_s = client.settings.probe_timeout_s
        self._session = session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.clear()
        session.headers.update({"User-Agent": user_agent(), "Accept-Encoding": "identity", "Connection": "close"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, _OurPools(Pools(0)))

    def probe(self, worker: Worker, secrets: Callable[[str, str], str]) -> ProbeResult:
        """Raises RollcallError where the probe's request cannot be made (a secret that is not there)."""
        spec = compile_dialect(worker.spec).health
        timeout_s = (spec and spec.timeout_s) or self._timeout_s
        deadline = time.monotonic() + timeout_s
        try:
            if spec and spec.tcp:
                return _connect(worker.url, timeout_s)
            request = probe_request(worker, secrets)
            if request is None or spec is None:
                root = UpstreamRequest("GET", split_origin(worker.url)[0] + "/", {}, None)
                self._open(root, deadline).close()
                return UP
            return _judge(spec, self._open(request, deadline))
        except SendFailure as failure:
            late = failure.kind == "timeout"
            return ProbeResult(False, f"no answer within {timeout_s:g} s" if late else failure.message)

    def _open(self, request: UpstreamRequest, deadline: float) -> UpstreamStream:
        try:
            response = self._session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                timeout=max(deadline - time.monotonic(), 0.001),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, ValueError) as error:
            raise reply_failure(_inner(error), "") from error
        return UpstreamStream(response.raw, deadline, float("inf"), BODY_CAP)


def _judge(spec: HealthSpec, stream: UpstreamStream) -> ProbeResult:
    try:
        if stream.status == 429:
            return ProbeResult(None, "HTTP 429")
        if spec.expect is None:
            return UP if stream.status < 400 else ProbeResult(False, f"HTTP {stream.status}")
        value = json.loads(stream.read_all())
    except (ValueError, RecursionError):
        return ProbeResult(False, "its health reply is not JSON")
    finally:
        stream.close()
    frame: Mapping[str, Any] = {}
    if spec.expect.holds(value, frame):
        return UP
    return ProbeResult(False, f"its health reply (HTTP {stream.status}) is not what the registration expects")


def _connect(url: str, timeout_s: float) -> ProbeResult:
    parts = parse_url(split_origin(url)[0])
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection(((parts.host or "").strip("[]"), port), timeout_s).close()
    except TimeoutError:
        return ProbeResult(False, f"no connection within {timeout_s:g} s")
    except (OSError, UnicodeError) as error:
        return ProbeResult(False, connect_failure(error).message)
    return UP


def _inner(error: Exception) -> Exception:
    """What urllib3 raised, out of what requests made of it."""
    inner = error.args[0] if error.args else None
    return inner if isinstance(inner, Exception) else error
