"""`requests` over our own connections. Loaded with the first probe, by the process that probes."""

from __future__ import annotations

import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from app.core.conversation import UpstreamRequest
from app.upstream.client import NEVER, USER_AGENT
from app.upstream.failure import reply_failure
from app.upstream.pools import OriginPool, Pools
from app.upstream.reply import UpstreamStream

BODY_CAP = 1_000_000


class _OurPools(HTTPAdapter):
    """requests over our connections: their refusals are told apart, and certificates are checked by our rules."""

    def __init__(self, pools: Pools) -> None:
        super().__init__(max_retries=NEVER)
        self._pools = pools

    def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> OriginPool:
        return self._pools.find(request.url)[0]

    def cert_verify(self, *_: Any, **__: Any) -> None:
        return


class ProbeSession:
    """Thread-safe. Each request has a connection of its own: it asks what a new caller would meet."""

    def __init__(self, pools: Pools) -> None:
        self._session = session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.clear()
        session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, _OurPools(pools))

    def open(self, request: UpstreamRequest, deadline: float) -> UpstreamStream:
        """Status and headers are there. Raises SendFailure."""
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


def _inner(error: Exception) -> Exception:
    """What urllib3 raised, out of what requests made of it."""
    inner = error.args[0] if error.args else None
    return inner if isinstance(inner, Exception) else error
