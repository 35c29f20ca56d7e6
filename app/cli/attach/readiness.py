"""Does the child answer yet? Asked as the server's health checks will ask it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.cli.refusal import Refused
from app.core.registration import parse_registration
from app.services.preview import unstored
from app.settings import Settings

if TYPE_CHECKING:
    from app.core.worker import Worker
    from app.upstream.probe import ProbeResult

_SOONEST_S, _LATEST_S = 0.05, 1.0


class Readiness:
    """Its registration's own health check; where that names none, a connection is enough. Raises InvalidField."""

    def __init__(self, words: Mapping[str, Any], settings: Settings) -> None:
        from app.upstream.client import Client
        from app.upstream.dialing import Network
        from app.upstream.probe import Prober

        self._worker = _probed(words)
        self._prober = Prober(Client(settings, Network()))  # its own child may be asked wherever it is
        self.last_error = "not asked yet"

    def wait(self, timeout_s: float, goes_on: Callable[[], bool], pause: Callable[[float], object]) -> bool:
        """True once it answers; False when `goes_on` says no before. Raises Refused after `timeout_s`."""
        until, pause_s = time.monotonic() + timeout_s, _SOONEST_S
        while goes_on():
            if self._look().ok:
                return True
            left = until - time.monotonic()
            if left <= 0:
                raise Refused(f"It did not answer its health check within {timeout_s:g} s: {self.last_error}.")
            pause(min(pause_s, left))
            pause_s = min(2 * pause_s, _LATEST_S)
        return False

    def _look(self) -> ProbeResult:
        result = self._prober.probe(self._worker, _own_environment)
        self.last_error = result.error or ""
        return result


def _probed(words: Mapping[str, Any]) -> Worker:
    worker = unstored(parse_registration(words, lambda name: True))
    spec = json.loads(worker.spec)
    return worker if spec.get("health") else replace(worker, spec=json.dumps({**spec, "health": {"tcp": True}}))


def _own_environment(kind: str, name: str) -> str:
    value = os.environ.get(name) if kind == "env" else None
    if not value:
        raise Refused(f"The health check needs ${{{kind}:{name}}}, which is not set here.")
    return value
