"""One probe of one worker: a cheap request, or a TCP connect. Never a prompt."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from app.core.answer import frame_names
from app.core.conversation import UpstreamRequest
from app.core.dialect import compile_dialect, probe_request
from app.core.extract import Condition
from app.core.worker import Worker
from app.upstream.client import Client, SendFailure
from app.upstream.pools import Pools, split_origin
from app.upstream.reply import UpstreamStream

if TYPE_CHECKING:
    from app.upstream.session import ProbeSession


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`ok` None: it says nothing either way. `error` is a short clause where `ok` is False, or why it says nothing."""

    ok: bool | None
    error: str | None = None


UP = ProbeResult(True)


class Prober:
    """Thread-safe."""

    def __init__(self, client: Client) -> None:
        self._timeout_s = client.settings.probe_timeout_s
        self._pools = Pools(0, client.network)

    @cached_property
    def _session(self) -> ProbeSession:
        from app.upstream.session import ProbeSession  # `requests` takes 5 MB, and most processes never probe

        return ProbeSession(self._pools)

    def probe(self, worker: Worker, secrets: Callable[[str, str], str]) -> ProbeResult:
        """Raises RollcallError where the probe's request cannot be made (a secret that is not there)."""
        dialect = compile_dialect(worker.spec)
        spec = dialect.health
        timeout_s = (spec and spec.timeout_s) or self._timeout_s
        session = self._session  # before the clock runs: the first time it is loaded
        deadline = time.monotonic() + timeout_s
        try:
            if spec and spec.tcp:
                self._pools.find(worker.url)[0].dialer.connect(timeout_s).close()
                return UP
            request = probe_request(worker, secrets)
            if request is None or spec is None:
                root = UpstreamRequest("GET", split_origin(worker.url)[0] + "/", {}, None)
                session.open(root, deadline).close()
                return UP
            expected = spec.expectation(worker.upstream_model or worker.model_name)
            return _judge(expected, session.open(request, deadline))
        except SendFailure as failure:
            if failure.kind != "timeout":
                return ProbeResult(False, failure.message)
            # Who takes so many calls at a time and no more is busy then, and not dead: calls will tell.
            may_be_busy = failure.sent and dialect.concurrency is not None
            return ProbeResult(None if may_be_busy else False, f"no answer within {timeout_s:g} s")


def _judge(expected: Condition | None, stream: UpstreamStream) -> ProbeResult:
    try:
        if stream.status == 429:
            return ProbeResult(None, "HTTP 429")
        if expected is None:
            return UP if stream.status < 400 else ProbeResult(False, f"HTTP {stream.status}")
        value = json.loads(stream.read_all())
    except (ValueError, RecursionError):
        return ProbeResult(False, "its health reply is not JSON")
    finally:
        stream.close()
    if expected.holds(value, frame_names(value, "", "")):
        return UP
    return ProbeResult(False, f"its health reply (HTTP {stream.status}) is not what the registration expects")
